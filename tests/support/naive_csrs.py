"""Control and status registers of the slow reference hart.

Numbers, masks and rules come from the privileged manual (document version
20211203, chapters 2 to 4); where it leaves a choice (WARL), the choice is the
one the machine documents.  The tables are this file's own on purpose.

A CSR is a number with a read function and a write function in two
dictionaries.  A number that is in neither does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.naive_memory import MASK32, PMP_L, PMP_NA4, PMP_TOR, M, S, U

MASK64 = (1 << 64) - 1

# mstatus (figure 3.7; FS, VS, XS, SD and the endianness bits are zero).
SIE, MIE, SPIE, MPIE, SPP = 1 << 1, 1 << 3, 1 << 5, 1 << 7, 1 << 8
MPP = 3 << 11
MPRV, SUM, MXR, TVM, TW, TSR = (1 << i for i in (17, 18, 19, 20, 21, 22))
MSTATUS_WRITABLE = SIE | MIE | SPIE | MPIE | SPP | MPP | MPRV | SUM | MXR | TVM | TW | TSR
SSTATUS_BITS = SIE | SPIE | SPP | SUM | MXR

# Interrupt bits of mip and mie (figures 3.14 and 3.15).
SSI, MSI, STI, MTI, SEI, MEI = (1 << i for i in (1, 3, 5, 7, 9, 11))
ALL_INTERRUPTS = SSI | MSI | STI | MTI | SEI | MEI
S_INTERRUPTS = SSI | STI | SEI

# Every cause but 10, 11 (ecall from M) and 14 can be delegated.
MEDELEG_WRITABLE = 0xB3FF

# MXL = 1 (32 bits) and the letters A, I, M, S, U.
MISA = 1 << 30 | sum(1 << (ord(letter) - ord("A")) for letter in "AIMSU")

RESET_TO_ZERO = (
    *("mstatus", "medeleg", "mideleg", "mie", "mip_software", "lines", "mtvec", "mscratch"),
    *("mepc", "mcause", "mtval", "mcounteren", "mcountinhibit", "menvcfg", "mcycle", "minstret"),
    "menvcfgh",
    *("stvec", "sscratch", "sepc", "scause", "stval", "scounteren", "senvcfg", "satp"),
)

COUNTERS = 0b111  # CY, TM, IR
INHIBITABLE = 0b101  # CY, IR: time cannot be stopped
STCE = 1 << 31  # in menvcfgh (Sstc)

PMPCFG, PMPADDR = 0x3A0, 0x3B0


class IllegalCsr(Exception):
    """The access raises an illegal-instruction exception."""


class CsrFile:
    """The CSRs of one hart.  Mixed into ``NaiveHart``."""

    mode: int
    mstatus: int
    mip_software: int
    lines: int
    pmp_entries: int
    pmpcfg: list[int]
    pmpaddr: list[int]
    mtime: int
    mtimecmp: int
    stimecmp: int
    menvcfgh: int
    hart_id: int
    sstc: bool
    pmp_changed: Callable[[], None]

    def reset_csrs(self, pmp: int) -> None:
        """All CSRs as after reset: zero, M-mode's choice of all of them."""
        for name in RESET_TO_ZERO:
            setattr(self, name, 0)
        self.pmp_entries = pmp
        self.pmpcfg = [0] * 64
        self.pmpaddr = [0] * 64
        self.mcycle_written = False
        self.minstret_written = False
        self.pmp_changed()

    # ---- access rules ------------------------------------------------------

    def read_csr(self, number: int) -> int:
        """Value of a CSR without any check of privilege.  KeyError if none."""
        return READ[number](self)

    def write_csr(self, number: int, value: int) -> None:
        """Write a CSR without any check of privilege.  KeyError if none."""
        WRITE[number](self, value & MASK32)

    def check_csr(self, number: int, write: bool) -> None:
        """Raise IllegalCsr unless this mode may access this CSR so.

        "Attempts to access a non-existent CSR raise an illegal instruction
        exception.  Attempts to access a CSR without appropriate privilege
        level or to write a read-only register also raise illegal instruction
        exceptions."  (chapter 2.1)
        """
        if number not in READ or self.mode < (number >> 8) & 3:
            raise IllegalCsr
        if write and (number >> 10) & 3 == 3:
            raise IllegalCsr
        if number in (0x14D, 0x15D):
            # "When menvcfg.STCE is zero, an attempt to access stimecmp in a mode other than
            # M-mode raises an illegal instruction exception"; the same if mcounteren.TM is clear.
            allowed = self.menvcfgh & STCE and self.mcounteren & 2
            if not self.sstc or (self.mode != M and not allowed):
                raise IllegalCsr
        if number == 0x180 and self.mode == S and self.mstatus & TVM:
            raise IllegalCsr
        if number & 0xF60 == 0xC00 and self.mode != M:
            enabled = self.mcounteren
            if self.mode == U:
                enabled &= self.scounteren
            if not (enabled >> (number & 31)) & 1:
                raise IllegalCsr

    def modify_base(self, number: int) -> int:
        """What CSRRS and CSRRC set and clear bits in.

        It differs from the value read for one register: "Only the
        software-writable SEIP bit participates in the read-modify-write
        sequence of a CSRRS or CSRRC instruction."  (3.1.9)
        """
        value = self.read_csr(number)
        if number == 0x344:
            value = (value & ~SEI) | (self.mip_software & SEI)
        return value

    # ---- registers with more than a mask ----------------------------------------

    def mip(self) -> int:
        """Pending interrupts: software bits, lines, and the two timers."""
        pending = self.mip_software | self.lines
        if self.mtime >= self.mtimecmp:
            pending |= MTI
        if self.sstc and self.stimer_on():
            pending &= ~STI
        if self.stimer_on() and self.mtime >= self.stimecmp:
            pending |= STI
        return pending

    def stimer_on(self) -> bool:
        """Does stimecmp (or what SBI keeps in its place) drive STIP?"""
        return not self.sstc or bool(self.menvcfgh & STCE)

    def write_mip(self, value: int) -> None:
        """With Sstc on, "STIP bit is read-only in mip" (Sstc, chapter 2)."""
        writable = S_INTERRUPTS
        if self.sstc and self.stimer_on():
            writable &= ~STI
        self.mip_software = (self.mip_software & ~writable) | (value & writable)

    def write_mstatus(self, value: int) -> None:
        """MPP is WARL: 2 is no mode, and writing it leaves MPP as it was."""
        new = value & MSTATUS_WRITABLE
        if (value >> 11) & 3 == 2:
            new = (new & ~MPP) | (self.mstatus & MPP)
        self.mstatus = new

    def write_sip(self, value: int) -> None:
        """Only SSIP can be written, and only if it is delegated."""
        writable = SSI & self.mideleg
        self.mip_software = (self.mip_software & ~writable) | (value & writable)

    def write_stimecmp(self, value: int) -> None:
        if self.sstc:
            self.stimecmp = value

    def write_mcycle(self, value: int) -> None:
        self.mcycle = value & MASK64
        self.mcycle_written = True

    def write_minstret(self, value: int) -> None:
        self.minstret = value & MASK64
        self.minstret_written = True

    # ---- PMP registers (3.7) -----------------------------------------------------

    def read_pmpcfg(self, register: int) -> int:
        return int.from_bytes(bytes(self.pmpcfg[4 * register : 4 * register + 4]), "little")

    def write_pmpcfg(self, register: int, value: int) -> None:
        """Four entries at once.  Locked ones keep all of their byte."""
        for i, byte in enumerate(value.to_bytes(4, "little"), 4 * register):
            old = self.pmpcfg[i]
            if i >= self.pmp_entries or old & PMP_L:
                continue
            new = byte & 0x9F
            # "NA4 is not selectable" with a grain above four bytes.
            if (new >> 3) & 3 == PMP_NA4:
                new = (new & ~0x18) | (old & 0x18)
            # "The combination R=0 and W=1 is reserved for future use."
            if new & 3 == 2:
                new = (new & ~7) | (old & 7)
            self.pmpcfg[i] = new
        self.pmp_changed()

    def read_pmpaddr(self, i: int) -> int:
        """The low bits read as the grain of 4 KiB (G = 10) dictates.

        "When pmpcfgi.A[1] is set, i.e. the mode is NAPOT, then bits
        pmpaddri[G-2:0] read as all ones.  When pmpcfgi.A[1] is clear, i.e.
        the mode is OFF or TOR, then bits pmpaddri[G-1:0] read as all zeros."
        """
        if i >= self.pmp_entries:
            return 0
        if self.pmpcfg[i] & 0x10:
            return self.pmpaddr[i] | 0x1FF
        return self.pmpaddr[i] & ~0x3FF

    def write_pmpaddr(self, i: int, value: int) -> None:
        """Ignored if locked, or if it is the base of a locked TOR entry."""
        if i >= self.pmp_entries or self.pmpcfg[i] & PMP_L:
            return
        if i + 1 < self.pmp_entries:
            above = self.pmpcfg[i + 1]
            if above & PMP_L and (above >> 3) & 3 == PMP_TOR:
                return
        self.pmpaddr[i] = value
        self.pmp_changed()


READ: dict[int, Callable[[Any], int]] = {}
WRITE: dict[int, Callable[[Any, int], None]] = {}
NAMES: dict[str, int] = {}


def _ignore(hart: Any, value: int) -> None:
    """A write to a read-only-zero or read-only register of M-mode."""


def _csr(
    number: int,
    name: str,
    read: Callable[[Any], int],
    write: Callable[[Any, int], None] = _ignore,
) -> None:
    NAMES[name] = number
    READ[number] = read
    WRITE[number] = write


def _plain(number: int, name: str, mask: int = MASK32) -> None:
    """A register that holds what is written, under a mask."""
    _csr(
        number,
        name,
        lambda h: getattr(h, name),
        lambda h, v: setattr(h, name, v & mask),
    )


def _zero(number: int, name: str) -> None:
    _csr(number, name, lambda h: 0)


# Machine information. No implementation number is claimed.
for _number, _name in enumerate(("mvendorid", "marchid", "mimpid"), 0xF11):
    _zero(_number, _name)
_csr(0xF14, "mhartid", lambda h: h.hart_id)
_zero(0xF15, "mconfigptr")

# Machine trap setup and handling.
_csr(0x300, "mstatus", lambda h: h.mstatus, lambda h, v: h.write_mstatus(v))
_csr(0x301, "misa", lambda h: MISA)
_plain(0x302, "medeleg", MEDELEG_WRITABLE)
_plain(0x303, "mideleg", S_INTERRUPTS)
_plain(0x304, "mie", ALL_INTERRUPTS)
_plain(0x305, "mtvec", ~2 & MASK32)
_plain(0x306, "mcounteren", COUNTERS)
_plain(0x30A, "menvcfg", 1)
_zero(0x310, "mstatush")
_csr(
    0x31A,
    "menvcfgh",
    lambda h: h.menvcfgh,
    lambda h, v: setattr(h, "menvcfgh", v & STCE if h.sstc else 0),
)
_plain(0x320, "mcountinhibit", INHIBITABLE)
_plain(0x340, "mscratch")
_plain(0x341, "mepc", ~3 & MASK32)
_plain(0x342, "mcause")
_plain(0x343, "mtval")
_csr(
    0x344,
    "mip",
    lambda h: h.mip(),
    lambda h, v: h.write_mip(v),
)

# Supervisor views and registers.
_csr(
    0x100,
    "sstatus",
    lambda h: h.mstatus & SSTATUS_BITS,
    lambda h, v: h.write_mstatus((h.mstatus & ~SSTATUS_BITS) | (v & SSTATUS_BITS)),
)
_csr(
    0x104,
    "sie",
    lambda h: h.mie & h.mideleg,
    lambda h, v: setattr(h, "mie", (h.mie & ~h.mideleg) | (v & h.mideleg)),
)
_plain(0x105, "stvec", ~2 & MASK32)
_plain(0x106, "scounteren", COUNTERS)
_plain(0x10A, "senvcfg", 1)
_plain(0x140, "sscratch")
_plain(0x141, "sepc", ~3 & MASK32)
_plain(0x142, "scause")
_plain(0x143, "stval")
_csr(0x144, "sip", lambda h: h.mip() & h.mideleg, lambda h, v: h.write_sip(v))
_csr(
    0x14D,
    "stimecmp",
    lambda h: h.stimecmp & MASK32 if h.sstc else 0,
    lambda h, v: h.write_stimecmp((h.stimecmp & ~MASK32) | v),
)
_csr(
    0x15D,
    "stimecmph",
    lambda h: h.stimecmp >> 32 if h.sstc else 0,
    lambda h, v: h.write_stimecmp((h.stimecmp & MASK32) | v << 32),
)
_plain(0x180, "satp")

# Counters: M-mode's own, then the read-only shadows.
_csr(
    0xB00,
    "mcycle",
    lambda h: h.mcycle & MASK32,
    lambda h, v: h.write_mcycle((h.mcycle & ~MASK32) | v),
)
_csr(
    0xB80,
    "mcycleh",
    lambda h: h.mcycle >> 32,
    lambda h, v: h.write_mcycle((h.mcycle & MASK32) | (v << 32)),
)
_csr(
    0xB02,
    "minstret",
    lambda h: h.minstret & MASK32,
    lambda h, v: h.write_minstret((h.minstret & ~MASK32) | v),
)
_csr(
    0xB82,
    "minstreth",
    lambda h: h.minstret >> 32,
    lambda h, v: h.write_minstret((h.minstret & MASK32) | (v << 32)),
)
_csr(0xC00, "cycle", lambda h: h.mcycle & MASK32)
_csr(0xC80, "cycleh", lambda h: h.mcycle >> 32)
_csr(0xC01, "time", lambda h: h.mtime & MASK32)
_csr(0xC81, "timeh", lambda h: (h.mtime >> 32) & MASK32)
_csr(0xC02, "instret", lambda h: h.minstret & MASK32)
_csr(0xC82, "instreth", lambda h: h.minstret >> 32)
for _i in range(3, 32):
    _zero(0xB00 + _i, f"mhpmcounter{_i}")
    _zero(0xB80 + _i, f"mhpmcounter{_i}h")
    _zero(0x320 + _i, f"mhpmevent{_i}")
    _zero(0xC00 + _i, f"hpmcounter{_i}")
    _zero(0xC80 + _i, f"hpmcounter{_i}h")

# PMP: sixteen configuration registers, sixty-four addresses.
for _i in range(16):
    _csr(
        PMPCFG + _i,
        f"pmpcfg{_i}",
        lambda h, i=_i: h.read_pmpcfg(i),
        lambda h, v, i=_i: h.write_pmpcfg(i, v),
    )
for _i in range(64):
    _csr(
        PMPADDR + _i,
        f"pmpaddr{_i}",
        lambda h, i=_i: h.read_pmpaddr(i),
        lambda h, v, i=_i: h.write_pmpaddr(i, v),
    )

# Trigger registers: no trigger is implemented.
for _i, _name in enumerate(("tselect", "tdata1", "tdata2", "tdata3"), 0x7A0):
    _zero(_i, _name)
