"""The control and status registers (CSRs): numbers, masks and fields.

Source: Privileged Architecture 20211203, chapter 2 (numbers), 3 (machine level) and
4 (supervisor level); Unprivileged ISA 20211203, chapter 10 (counters); Sstc 1.0.0 (stimecmp).

A number that has no row here does not exist: any access is an illegal instruction.
"""

from __future__ import annotations

from dataclasses import dataclass

# Privilege modes, as encoded in mstatus.MPP and in bits 9:8 of a CSR number.
PRV_U = 0
PRV_S = 1
PRV_M = 3

# CSR numbers.  The arrays (…3 to …31, …0 to …15, …0 to …63) are named by their first member.
CYCLE = 0xC00
TIME = 0xC01
INSTRET = 0xC02
HPMCOUNTER3 = 0xC03
CYCLEH = 0xC80
TIMEH = 0xC81
INSTRETH = 0xC82
HPMCOUNTER3H = 0xC83
SSTATUS = 0x100
SIE = 0x104
STVEC = 0x105
SCOUNTEREN = 0x106
SENVCFG = 0x10A
SSCRATCH = 0x140
SEPC = 0x141
SCAUSE = 0x142
STVAL = 0x143
SIP = 0x144
STIMECMP = 0x14D
STIMECMPH = 0x15D
SATP = 0x180
MVENDORID = 0xF11
MARCHID = 0xF12
MIMPID = 0xF13
MHARTID = 0xF14
MCONFIGPTR = 0xF15
MSTATUS = 0x300
MISA = 0x301
MEDELEG = 0x302
MIDELEG = 0x303
MIE = 0x304
MTVEC = 0x305
MCOUNTEREN = 0x306
MSTATUSH = 0x310
MSCRATCH = 0x340
MEPC = 0x341
MCAUSE = 0x342
MTVAL = 0x343
MIP = 0x344
MENVCFG = 0x30A
MENVCFGH = 0x31A
PMPCFG0 = 0x3A0
PMPADDR0 = 0x3B0
MCYCLE = 0xB00
MINSTRET = 0xB02
MHPMCOUNTER3 = 0xB03
MCYCLEH = 0xB80
MINSTRETH = 0xB82
MHPMCOUNTER3H = 0xB83
MCOUNTINHIBIT = 0x320
MHPMEVENT3 = 0x323
TSELECT = 0x7A0
TDATA1 = 0x7A1
TDATA2 = 0x7A2
TDATA3 = 0x7A3

# Fields of mstatus; sstatus shows SIE, SPIE, UBE, SPP, FS, VS, XS, SUM, MXR and SD of them.
MSTATUS_SIE = 1 << 1
MSTATUS_MIE = 1 << 3
MSTATUS_SPIE = 1 << 5
MSTATUS_UBE = 1 << 6
MSTATUS_MPIE = 1 << 7
MSTATUS_SPP = 1 << 8
MSTATUS_VS = 3 << 9
MSTATUS_MPP = 3 << 11
MSTATUS_FS = 3 << 13
MSTATUS_XS = 3 << 15
MSTATUS_MPRV = 1 << 17
MSTATUS_SUM = 1 << 18
MSTATUS_MXR = 1 << 19
MSTATUS_TVM = 1 << 20
MSTATUS_TW = 1 << 21
MSTATUS_TSR = 1 << 22
MSTATUS_SD = 1 << 31
MSTATUS_VS_SHIFT = 9
MSTATUS_MPP_SHIFT = 11
MSTATUS_FS_SHIFT = 13
MSTATUS_XS_SHIFT = 15
MSTATUS_SPP_SHIFT = 8

# Interrupt bits, the same in mip, mie, mideleg, sip and sie.
MIP_SSIP = 1 << 1
MIP_MSIP = 1 << 3
MIP_STIP = 1 << 5
MIP_MTIP = 1 << 7
MIP_SEIP = 1 << 9
MIP_MEIP = 1 << 11

# Fields of satp, mtvec/stvec, xcounteren, xenvcfg.
SATP_MODE = 1 << 31
SATP_ASID = 0x1FF << 22
SATP_ASID_SHIFT = 22
SATP_PPN = 0x3F_FFFF
TVEC_MODE = 3
TVEC_BASE = 0xFFFF_FFFC
TVEC_VECTORED = 1
COUNTEREN_CY = 1 << 0
COUNTEREN_TM = 1 << 1
COUNTEREN_IR = 1 << 2
ENVCFG_FIOM = 1 << 0
ENVCFGH_STCE = 1 << 31

MISA_VALUE = 0x4014_1101
"""MXL = 1 (32 bits) and the letters A, I, M, S, U."""

# What a CSR write may change (the WARL masks).
MSTATUS_MASK = (
    MSTATUS_SIE | MSTATUS_MIE | MSTATUS_SPIE | MSTATUS_MPIE | MSTATUS_SPP | MSTATUS_MPP
    | MSTATUS_MPRV | MSTATUS_SUM | MSTATUS_MXR | MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR
)  # fmt: skip
SSTATUS_MASK = MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_SUM | MSTATUS_MXR
MEDELEG_MASK = 0xB3FF
MIDELEG_MASK = MIP_SSIP | MIP_STIP | MIP_SEIP
MIE_MASK = MIP_SSIP | MIP_MSIP | MIP_STIP | MIP_MTIP | MIP_SEIP | MIP_MEIP
MIP_MASK = MIP_SSIP | MIP_STIP | MIP_SEIP
SIE_MASK = MIDELEG_MASK
SIP_MASK = MIP_SSIP
TVEC_MASK = 0xFFFF_FFFD
EPC_MASK = 0xFFFF_FFFC
COUNTEREN_MASK = COUNTEREN_CY | COUNTEREN_TM | COUNTEREN_IR
COUNTINHIBIT_MASK = COUNTEREN_CY | COUNTEREN_IR
ENVCFG_MASK = ENVCFG_FIOM
ENVCFGH_MASK = ENVCFGH_STCE
PMPCFG_MASK = 0x9F9F_9F9F
ALL = 0xFFFF_FFFF


@dataclass(frozen=True)
class Field:
    """Bits ``hi`` to ``lo`` (inclusive) of a CSR."""

    name: str
    hi: int
    lo: int
    meaning: str

    @property
    def mask(self) -> int:
        """The field's bits, in place."""
        return ((1 << (self.hi - self.lo + 1)) - 1) << self.lo


@dataclass(frozen=True)
class Csr:
    """One CSR of 32 bits.

    ``mask`` has a one for every bit that a CSR write may change: a write of ``v`` leaves
    ``(old & ~mask) | (v & mask)``, except where ``note`` adds a condition.  ``reset`` is the
    value at reset.  ``fields`` run from high bits to low; bits in no field read as 0.
    """

    number: int
    name: str
    mask: int
    meaning: str
    fields: tuple[Field, ...] = ()
    note: str = ""
    reset: int = 0

    @property
    def privilege(self) -> int:
        """The lowest mode that may access it: PRV_U, PRV_S or PRV_M (number bits 9:8)."""
        return (self.number >> 8) & 3

    @property
    def read_only(self) -> bool:
        """True if any write is an illegal instruction (number bits 11:10 are both 1)."""
        return self.number >> 10 == 3


_CHANGING = "changes by itself"

_MSTATUS_HIGH = (Field("SD", 31, 31, "summary of FS, VS, XS; 0"),)
_MSTATUS_M = (
    Field("TSR", 22, 22, "1: sret in S-mode is an illegal instruction"),
    Field("TW", 21, 21, "1: wfi in S-mode is an illegal instruction"),
    Field("TVM", 20, 20, "1: satp and sfence.vma in S-mode are illegal instructions"),
)
_SUM_MXR = (
    Field("MXR", 19, 19, "1: loads may read pages that are executable only"),
    Field("SUM", 18, 18, "1: S-mode loads and stores may access user pages"),
)
_EXTENSIONS = (
    Field("XS", 16, 15, "state of other extensions; 0 (none)"),
    Field("FS", 14, 13, "state of the floating-point unit; 0 (none)"),
)
_VS = Field("VS", 10, 9, "state of the vector unit; 0 (none)")
_SPP = Field("SPP", 8, 8, "mode before a trap to S: 0 U, 1 S")
_UBE = Field("UBE", 6, 6, "byte order of U-mode; 0 (little-endian)")
_SPIE = Field("SPIE", 5, 5, "SIE before a trap to S")
_SIE = Field("SIE", 1, 1, "1: interrupts to S are taken in S-mode")

_XIP_S = (
    Field("SEIP", 9, 9, "supervisor external interrupt"),
    Field("STIP", 5, 5, "supervisor timer interrupt"),
    Field("SSIP", 1, 1, "supervisor software interrupt"),
)
_XIP_M = (
    Field("MEIP", 11, 11, "machine external interrupt (PLIC)"),
    Field("MTIP", 7, 7, "machine timer interrupt (CLINT)"),
    Field("MSIP", 3, 3, "machine software interrupt (CLINT)"),
)


def _merge(*groups: tuple[Field, ...]) -> tuple[Field, ...]:
    """All the fields, from high bits to low."""
    return tuple(sorted((f for g in groups for f in g), key=lambda f: -f.lo))


def _enables(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """The interrupt-enable fields that go with interrupt-pending ones: SSIP -> SSIE."""
    return tuple(
        Field(f.name[:-1] + "E", f.hi, f.lo, f"1: the {f.meaning} is enabled") for f in fields
    )


_TVEC = (
    Field("BASE", 31, 2, "address of the handler, divided by 4"),
    Field("MODE", 1, 0, "0: all traps go to BASE; 1: interrupts go to BASE + 4 * cause"),
)
_CAUSE = (
    Field("INTERRUPT", 31, 31, "1: interrupt, 0: exception"),
    Field("CODE", 30, 0, "number of the cause"),
)
_COUNTEREN = (
    Field("HPM", 31, 3, "hpmcounter3 to 31; 0"),
    Field("IR", 2, 2, "1: the next lower mode may read instret"),
    Field("TM", 1, 1, "1: the next lower mode may read time"),
    Field("CY", 0, 0, "1: the next lower mode may read cycle"),
)
_FIOM = (Field("FIOM", 0, 0, "1: a fence of I/O also orders memory"),)
_EPC_NOTE = "bits 1:0 are always 0"
_TVEC_NOTE = "bit 1 is always 0, so MODE is 0 or 1"
_SSTC_NOTE = (
    "only with Sstc; in S-mode an illegal instruction unless menvcfgh.STCE and mcounteren.TM are 1"
)
_COUNTER_NOTE = "in S if mcounteren allows it, in U if scounteren does too"
_PMP_NOTE = (
    "locked entries ignore writes; a write of R=0, W=1 keeps R, W and X; NA4 keeps A; "
    "fields are those of one of the four 8-bit entries"
)
_PMPADDR_NOTE = (
    "bits 33:2 of an address; locked entries (and one below a locked TOR entry) ignore writes; "
    "reads as ones in bits 8:0 for NAPOT, as zeros in bits 9:0 for OFF and TOR"
)
_PMPCFG = (
    Field("L", 7, 7, "locked until reset, and binding for M-mode too"),
    Field("A", 4, 3, "0 off, 1 top of range, 2 four bytes (not supported), 3 power of two"),
    Field("X", 2, 2, "execution allowed"),
    Field("W", 1, 1, "writing allowed"),
    Field("R", 0, 0, "reading allowed"),
)

_SUPERVISOR: tuple[Csr, ...] = (
    Csr(
        SSTATUS, "sstatus", SSTATUS_MASK, "status: the part of mstatus that S-mode sees",
        _merge(_MSTATUS_HIGH, _SUM_MXR, _EXTENSIONS, (_VS, _SPP, _UBE, _SPIE, _SIE)),
    ),
    Csr(SIE, "sie", SIE_MASK, "interrupts enabled: the delegated part of mie", _enables(_XIP_S),
        note="bits not set in mideleg read as 0 and ignore writes"),
    Csr(STVEC, "stvec", TVEC_MASK, "trap handler of S-mode", _TVEC, note=_TVEC_NOTE),
    Csr(SCOUNTEREN, "scounteren", COUNTEREN_MASK, "counters that U-mode may read", _COUNTEREN),
    Csr(SENVCFG, "senvcfg", ENVCFG_MASK, "environment of U-mode", _FIOM),
    Csr(SSCRATCH, "sscratch", ALL, "free for the S-mode trap handler"),
    Csr(SEPC, "sepc", EPC_MASK, "pc of the instruction that trapped to S-mode", note=_EPC_NOTE),
    Csr(SCAUSE, "scause", ALL, "cause of the last trap to S-mode", _CAUSE),
    Csr(STVAL, "stval", ALL, "address or instruction word of the last trap to S-mode"),
    Csr(SIP, "sip", SIP_MASK, "interrupts pending: the delegated part of mip", _XIP_S,
        note="bits not set in mideleg read as 0 and ignore writes"),
    Csr(STIMECMP, "stimecmp", ALL, "time of the supervisor timer interrupt, low half",
        note=_SSTC_NOTE),
    Csr(STIMECMPH, "stimecmph", ALL, "time of the supervisor timer interrupt, high half",
        note=_SSTC_NOTE),
    Csr(
        SATP, "satp", ALL, "address translation",
        (
            Field("MODE", 31, 31, "0: addresses are physical; 1: Sv32"),
            Field("ASID", 30, 22, "address-space identifier"),
            Field("PPN", 21, 0, "physical page number of the root page table"),
        ),
        note="in S-mode an illegal instruction if mstatus.TVM is 1",
    ),
)  # fmt: skip

_MACHINE: tuple[Csr, ...] = (
    Csr(MVENDORID, "mvendorid", 0, "vendor; 0"),
    Csr(MARCHID, "marchid", 0, "architecture identifier; 0"),
    Csr(MIMPID, "mimpid", 0, "implementation identifier; 0"),
    Csr(MHARTID, "mhartid", 0, "number of this hart", note="set by the machine; hart 0 reads 0"),
    Csr(MCONFIGPTR, "mconfigptr", 0, "address of a configuration structure; 0 (none)"),
    Csr(
        MSTATUS, "mstatus", MSTATUS_MASK, "status",
        _merge(
            _MSTATUS_HIGH, _MSTATUS_M, _SUM_MXR, _EXTENSIONS,
            (
                Field("MPRV", 17, 17, "1: loads and stores use the mode in MPP"),
                Field("MPP", 12, 11, "mode before a trap to M: 0 U, 1 S, 3 M"),
                _VS, _SPP,
                Field("MPIE", 7, 7, "MIE before a trap to M"),
                _UBE, _SPIE,
                Field("MIE", 3, 3, "1: interrupts to M are taken in M-mode"),
                _SIE,
            ),
        ),
        note="a write of 2 to MPP leaves MPP as it is",
    ),
    Csr(
        MISA, "misa", 0, "instruction set", reset=MISA_VALUE,
        fields=(
            Field("MXL", 31, 30, "width: 1 (32 bits)"),
            Field("EXTENSIONS", 25, 0, "one bit per letter, bit 0 for A"),
        ),
    ),
    Csr(MEDELEG, "medeleg", MEDELEG_MASK, "exceptions delegated to S-mode, one bit per cause"),
    Csr(MIDELEG, "mideleg", MIDELEG_MASK, "interrupts delegated to S-mode", _XIP_S),
    Csr(MIE, "mie", MIE_MASK, "interrupts enabled", _enables(_merge(_XIP_M, _XIP_S))),
    Csr(MTVEC, "mtvec", TVEC_MASK, "trap handler of M-mode", _TVEC, note=_TVEC_NOTE),
    Csr(MCOUNTEREN, "mcounteren", COUNTEREN_MASK, "counters that S-mode may read", _COUNTEREN),
    Csr(
        MSTATUSH, "mstatush", 0, "upper half of mstatus",
        (
            Field("MBE", 5, 5, "byte order of M-mode; 0 (little-endian)"),
            Field("SBE", 4, 4, "byte order of S-mode; 0 (little-endian)"),
        ),
    ),
    Csr(MSCRATCH, "mscratch", ALL, "free for the M-mode trap handler"),
    Csr(MEPC, "mepc", EPC_MASK, "pc of the instruction that trapped to M-mode", note=_EPC_NOTE),
    Csr(MCAUSE, "mcause", ALL, "cause of the last trap to M-mode", _CAUSE),
    Csr(MTVAL, "mtval", ALL, "address or instruction word of the last trap to M-mode"),
    Csr(
        MIP, "mip", MIP_MASK, "interrupts pending", _merge(_XIP_M, _XIP_S),
        note="SEIP reads as the written bit OR the PLIC's line; csrrs and csrrc change the "
        "written bit only",
    ),
    Csr(MENVCFG, "menvcfg", ENVCFG_MASK, "environment of S- and U-mode", _FIOM),
    Csr(
        MENVCFGH, "menvcfgh", ENVCFGH_MASK, "upper half of menvcfg",
        (Field("STCE", 31, 31, "1: stimecmp drives the supervisor timer interrupt (Sstc)"),),
        note="0, and ignores writes, on a machine without Sstc",
    ),
    Csr(
        MCOUNTINHIBIT, "mcountinhibit", COUNTINHIBIT_MASK, "counters that stand still",
        (
            Field("HPM", 31, 3, "mhpmcounter3 to 31; 0"),
            Field("IR", 2, 2, "1: minstret stands still"),
            Field("CY", 0, 0, "1: mcycle stands still"),
        ),
    ),
    Csr(MCYCLE, "mcycle", ALL, "steps, low half", note=_CHANGING),
    Csr(MINSTRET, "minstret", ALL, "retired instructions, low half", note=_CHANGING),
    Csr(MCYCLEH, "mcycleh", ALL, "steps, high half", note=_CHANGING),
    Csr(MINSTRETH, "minstreth", ALL, "retired instructions, high half", note=_CHANGING),
    Csr(TSELECT, "tselect", 0, "debug trigger selected; 0 (no triggers)"),
    Csr(TDATA1, "tdata1", 0, "debug trigger data; 0 (no triggers)"),
    Csr(TDATA2, "tdata2", 0, "debug trigger data; 0 (no triggers)"),
    Csr(TDATA3, "tdata3", 0, "debug trigger data; 0 (no triggers)"),
)  # fmt: skip

_USER: tuple[Csr, ...] = (
    Csr(CYCLE, "cycle", 0, "steps, low half", note=_COUNTER_NOTE),
    Csr(TIME, "time", 0, "mtime, low half", note=_COUNTER_NOTE),
    Csr(INSTRET, "instret", 0, "retired instructions, low half", note=_COUNTER_NOTE),
    Csr(CYCLEH, "cycleh", 0, "steps, high half", note=_COUNTER_NOTE),
    Csr(TIMEH, "timeh", 0, "mtime, high half", note=_COUNTER_NOTE),
    Csr(INSTRETH, "instreth", 0, "retired instructions, high half", note=_COUNTER_NOTE),
)

_ARRAYS: tuple[Csr, ...] = (
    *(
        Csr(base + n - 3, f"{prefix}{n}{suffix}", 0, meaning, note=note)
        for base, prefix, suffix, meaning, note in (
            (HPMCOUNTER3, "hpmcounter", "", "event counter, low half; 0", _COUNTER_NOTE),
            (HPMCOUNTER3H, "hpmcounter", "h", "event counter, high half; 0", _COUNTER_NOTE),
            (MHPMCOUNTER3, "mhpmcounter", "", "event counter, low half; 0", ""),
            (MHPMCOUNTER3H, "mhpmcounter", "h", "event counter, high half; 0", ""),
            (MHPMEVENT3, "mhpmevent", "", "event selector; 0", ""),
        )
        for n in range(3, 32)
    ),
    *(
        Csr(PMPCFG0 + n, f"pmpcfg{n}", PMPCFG_MASK, f"PMP entries {4 * n} to {4 * n + 3}",
            _PMPCFG, note=_PMP_NOTE)
        for n in range(4)
    ),
    *(
        Csr(PMPCFG0 + n, f"pmpcfg{n}", 0, f"PMP entries {4 * n} to {4 * n + 3}; 0")
        for n in range(4, 16)
    ),
    *(
        Csr(PMPADDR0 + n, f"pmpaddr{n}", ALL, f"address of PMP entry {n}", note=_PMPADDR_NOTE)
        for n in range(16)
    ),
    *(
        Csr(PMPADDR0 + n, f"pmpaddr{n}", 0, f"address of PMP entry {n}; 0")
        for n in range(16, 64)
    ),
)  # fmt: skip

CSRS: tuple[Csr, ...] = tuple(
    sorted(_USER + _SUPERVISOR + _MACHINE + _ARRAYS, key=lambda c: c.number)
)
"""Every CSR, ordered by number."""

BY_NUMBER: dict[int, Csr] = {c.number: c for c in CSRS}
BY_NAME: dict[str, Csr] = {c.name: c for c in CSRS}


def csr_number(name: str) -> int:
    """The number of a CSR by its name; ValueError if there is none of that name."""
    try:
        return BY_NAME[name].number
    except KeyError:
        raise ValueError(
            f"'{name}' is not a CSR: see the list in docs/isa.md, or give the number"
        ) from None


def csr_name(number: int) -> str:
    """The name of a CSR, or its number in hexadecimal if it has no row."""
    row = BY_NUMBER.get(number)
    return row.name if row else f"{number:#x}"
