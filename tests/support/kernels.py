"""Seeded random privileged programs.

``machine_kernel(seed)`` starts in M-mode: random delegation, PMP, page tables
(valid and broken PTEs), status bits and interrupts, then a random body that
changes modes, touches everything and traps often.  ``supervisor_kernel(seed)``
starts in S-mode above an SBI and never needs M-mode.

The body runs in blocks.  x28 always holds the address of the next block; the
handler goes there when an instruction fetch fails, so that a program gets on
whatever it did to its own page table.  Any other exception is skipped.

Registers: x1 to x25 belong to the body, x26 and x27 to the S-mode handler,
x29 to x31 to the M-mode handler, x17 chooses a service of the handler.

Page-table entries are only changed by a service of the handler, which executes
sfence.vma at once, so that a hart with a TLB and one without agree.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.support.asm import AMOS, CSR_OPS, LOADS, STORES, Asm
from tests.support.programs import RAM_BASE, Program, UserCode, value

# Physical layout.
M_HANDLER = RAM_BASE + 0x1000
S_HANDLER = RAM_BASE + 0x2000
BODY = RAM_BASE + 0x3000
BODY_PAGES = 5
DATA = RAM_BASE + 0x8000
DATA_PAGES = 4
ROOT = RAM_BASE + 0x10000
TABLE_IDENTITY = ROOT + 0x1000
TABLE_ALIAS = ROOT + 0x2000
TABLE_USER = ROOT + 0x3000
IMAGE_END = ROOT + 0x4000

# Virtual layout.
VA_ALIAS = 0x0040_0000  # pages with random PTEs
VA_SUPER = 0x0080_0000  # a random 4 MiB leaf
VA_BROKEN = 0x00C0_0000  # a random broken root entry
VA_USER = 0x4000_0000  # body and data for U-mode
TO_USER = RAM_BASE - VA_USER

V, R, W, X, U_BIT, G, A_BIT, D_BIT = (1 << i for i in range(8))

RESUME, SERVICE = 28, 17
SWITCH, SET_PTE, SET_SATP, WAIT, RAISE = 0x50, 0x60, 0x61, 0x62, 0x63  # SWITCH + mode

CLINT = 0x0200_0000
MTIMECMP = CLINT + 0x4000
MTIME = CLINT + 0xBFF8
SATP, MSTATUS, SSTATUS = 0x180, 0x300, 0x100
MIE, MIP, SIE, SIP = 0x304, 0x344, 0x104, 0x144

# CSRs that random code may write with anything. Spike's extra bits (FS, FIOM)
# stay out of the way through the masks of RANDOM_WRITES.
M_CSRS = {
    "mstatus": 0x300,
    "mie": 0x304,
    "mip": 0x344,
    "mscratch": 0x340,
    "mepc": 0x341,
    "mcause": 0x342,
    "mtval": 0x343,
    "medeleg": 0x302,
    "mideleg": 0x303,
    "mcounteren": 0x306,
    "mcountinhibit": 0x320,
    "minstret": 0xB02,
    "minstreth": 0xB82,
}
S_CSRS = {
    "sstatus": 0x100,
    "sie": 0x104,
    "sip": 0x144,
    "scounteren": 0x106,
    "sscratch": 0x140,
    "sepc": 0x141,
    "scause": 0x142,
    "stval": 0x143,
}
READ_ONLY = (0xC00, 0xC01, 0xC02, 0xC80, 0xC81, 0xC82, 0xF11, 0xF14, 0xF15, 0xB05, 0x310)
ABSENT = (0x000, 0x2FF, 0x400, 0x5C0, 0x600, 0x7C0, 0x800, 0x9C0, 0xBC0, 0xCC0, 0xFC0, 0xDC0)
# FS stays off in mstatus and sstatus, TSR is set elsewhere; ecall from S goes to M; interrupts that
# M-mode does not have stay out of mie.
WRITE_MASKS = {
    0x300: ~0x40_6000,
    0x100: ~0x6000,
    0x302: 0xB1FF,
    0x306: 7,
    0x106: 7,
    0x320: 5,
    0x304: 0xAAA,
    0x104: 0x222,
    0x344: 0x222,
    0x144: 0x222,
    0x303: 0x222,
}


def pte(pa: int, bits: int) -> int:
    """A PTE for a 34-bit physical address."""
    return (pa >> 12) << 10 | bits


class KernelCode(UserCode):
    """Builds one privileged program.

    ``spike`` keeps to what is the same there.  Deadlines are either past or
    never; nothing but aligned words goes to devices, and no instruction fetch
    (physical memory attributes are the platform's); PMP fields are not set to
    NA4 or to R=0 with W=1, which WARL lets each hart turn into something else;
    no misaligned atomics, whose cause is a choice.

    ``exact`` leaves out two more: stores across a page (one that faults on its
    second page may have changed the first) and interrupts raised by a store to
    a device (they may come a little later).
    """

    def __init__(self, seed: int, level: str, spike: bool, exact: bool = False) -> None:
        super().__init__(seed)
        self.rng = random.Random(f"kernel {level} {seed}")
        self.level = level
        self.spike = spike
        self.exact = exact
        self.block = 0
        self.paging = self.rng.random() < 0.8
        self.medeleg = self.rng.choice((0, 0xB1FF, self.rng.getrandbits(16) & 0xB1FF))
        if self.rng.random() < 0.05:
            self.medeleg |= 0x200
        self.tables = self.page_tables()

    def reg(self) -> int:
        return self.rng.randrange(26)

    def reg_not(self, other: int) -> int:
        return self.rng.choice([i for i in range(1, 26) if i != other])

    # ---- page tables -----------------------------------------------------------------

    def flags(self, writable: bool = True) -> int:
        """PTE flags: mostly useful, sometimes anything."""
        rng = self.rng
        if rng.random() < 0.6:
            bits = V | R | rng.choice((0, W, W, X, W | X)) | rng.choice((0, U_BIT))
            bits |= rng.choice((0, A_BIT, A_BIT | D_BIT, A_BIT | D_BIT))
        else:
            bits = rng.getrandbits(8)
        bits |= rng.choice((0, 0, G)) | rng.choice((0, 0, 0, 0x100, 0x200))
        return bits if writable else bits & ~W

    def target(self) -> tuple[int, bool]:
        """A physical page for a random PTE, and whether it may be written."""
        rng = self.rng
        kind = rng.randrange(12)
        if kind < 8:
            return DATA + 0x1000 * rng.randrange(DATA_PAGES), True
        if kind == 8:
            return rng.choice((M_HANDLER, ROOT, TABLE_ALIAS, BODY)), False
        if kind == 9:
            return rng.choice((0x9000_0000, 0x7FFF_F000, RAM_BASE + (1 << 20))), True
        if kind == 10:
            # Beyond 4 GiB: a 34-bit address that 32 bits would wrap into RAM.
            return (rng.randrange(1, 4) << 32) | DATA, True
        return (DATA if self.spike else CLINT), True

    def random_pte(self) -> int:
        pa, writable = self.target()
        return pte(pa, self.flags(writable))

    def broken_root(self) -> int:
        """A root entry that no access gets through."""
        rng = self.rng
        return rng.choice(
            (
                0,
                pte(TABLE_ALIAS, V | rng.choice((A_BIT, D_BIT, U_BIT))),
                pte(0x9000_0000, V),
                pte(1 << 32 | TABLE_ALIAS, V),
                pte(TABLE_ALIAS, W | V),
                pte(DATA if self.spike else CLINT, V if not self.spike else V | A_BIT),
                rng.getrandbits(32) & ~V,
            )
        )

    def superpage(self) -> int:
        """A 4 MiB leaf at RAM; sometimes misaligned."""
        low = self.rng.choice((0, 0, 0, 0x1000 << self.rng.randrange(10)))
        return pte(RAM_BASE + low, self.flags())

    def page_tables(self) -> dict[int, int]:
        """Words of the tables, by physical address."""
        rng = self.rng
        words = {
            ROOT + 4 * (VA_ALIAS >> 22): pte(TABLE_ALIAS, V),
            ROOT + 4 * (VA_SUPER >> 22): self.superpage(),
            ROOT + 4 * (VA_BROKEN >> 22): self.broken_root(),
            ROOT + 4 * (VA_USER >> 22): pte(TABLE_USER, V),
            ROOT + 4 * (RAM_BASE >> 22): pte(TABLE_IDENTITY, V),
        }
        for i in range(16):
            words[TABLE_ALIAS + 4 * i] = self.random_pte()
        fixed = V | R | X | A_BIT
        for page in range(3):
            words[TABLE_IDENTITY + 4 * page] = pte(RAM_BASE + 0x1000 * page, fixed)
        for page in range(3, 3 + BODY_PAGES):
            pa = RAM_BASE + 0x1000 * page
            words[TABLE_IDENTITY + 4 * page] = pte(pa, fixed | rng.choice((0, 0, W, U_BIT)))
            words[TABLE_USER + 4 * page] = pte(pa, V | R | X | U_BIT)
        for page in range(8, 8 + DATA_PAGES):
            pa = RAM_BASE + 0x1000 * page
            words[TABLE_IDENTITY + 4 * page] = pte(pa, V | R | W | rng.choice((0, A_BIT)))
            words[TABLE_USER + 4 * page] = pte(pa, V | R | W | U_BIT)
        for page in range(16, 20):  # the tables themselves: to read, not to write
            pa = RAM_BASE + 0x1000 * page
            words[TABLE_IDENTITY + 4 * page] = pte(pa, V | R)
        return words

    def satp_value(self) -> int:
        return 1 << 31 | self.rng.choice((0, 1, 0x1FF)) << 22 | ROOT >> 12

    # ---- handlers --------------------------------------------------------------------

    def m_handler(self) -> None:
        """Vector table, then skip, service, or go to the next block.

        It reads what a trap changes into registers, where comparisons see it.
        """
        a = self.a
        a.pad_to(M_HANDLER)
        for _ in range(12):
            a.j("m_common")
        a.label("m_common")
        a.csrr(29, 0x342)
        a.blt(29, 0, "m_interrupt")
        a.csrr(31, 0x343)
        a.csrr(30, MSTATUS)
        a.csrr(31, MIP)
        a.beq(29, 0, "m_fetch")
        for cause, target in ((1, "m_fetch"), (12, "m_fetch")):
            a.addi(30, 0, cause)
            a.beq(29, 30, target)
        a.addi(30, 0, 8)
        a.blt(29, 30, "m_skip")
        a.addi(30, 0, 11)
        a.blt(30, 29, "m_skip")
        self.services("m", MSTATUS, 0x341)
        a.label("m_skip")
        a.csrr(30, 0x341)
        a.addi(30, 30, 4)
        a.csrw(0x341, 30)
        a.mret()
        a.label("m_fetch")  # M-mode does not translate: always gets on
        a.csrw(0x341, RESUME)
        a.li(30, 0x1800)
        a.csrrs(0, MSTATUS, 30)
        a.mret()
        a.label("m_interrupt")
        a.slli(29, 29, 1)
        a.srli(29, 29, 1)
        a.addi(30, 0, 7)
        a.beq(29, 30, "m_timer")
        a.addi(30, 0, 3)
        a.beq(29, 30, "m_soft")
        a.addi(30, 0, 1)
        a.sll(30, 30, 29)
        a.csrrc(0, MIP, 30)
        a.mret()
        a.label("m_soft")
        a.li(30, CLINT)
        a.sw(0, 0, 30)
        a.mret()
        a.label("m_timer")
        a.li(30, MTIMECMP)
        if self.spike or self.rng.random() < 0.5:
            a.addi(29, 0, -1)
            a.sw(29, 4, 30)
            a.sw(29, 0, 30)
        else:  # the next tick
            a.li(31, MTIME)
            a.lw(29, 0, 31)
            a.addi(29, 29, self.rng.randrange(1, 40))
            a.sw(29, 0, 30)
        a.mret()

    def services(self, level: str, status: int, epc: int) -> None:
        """What an ecall with x17 asks for; falls through to skip."""
        a = self.a
        t, u = (30, 31) if level == "m" else (26, 27)
        a.addi(t, 0, SET_PTE)
        a.beq(SERVICE, t, f"{level}_pte")
        a.addi(t, 0, SET_SATP)
        a.beq(SERVICE, t, f"{level}_satp")
        a.addi(t, 0, WAIT)
        a.beq(SERVICE, t, f"{level}_wait")
        a.addi(t, 0, RAISE)
        a.beq(SERVICE, t, f"{level}_raise")
        a.andi(t, SERVICE, -4)
        a.addi(u, 0, SWITCH)
        a.bne(t, u, f"{level}_skip")
        # Switch to mode x17 & 3 at x28, in U-mode through its own mapping.
        a.andi(t, SERVICE, 3)
        a.csrw(epc, RESUME)
        a.bne(t, 0, f"{level}_go")
        a.csrr(u, SATP)
        a.bge(u, 0, f"{level}_go")
        a.li(u, TO_USER)
        a.sub(u, RESUME, u)
        a.csrw(epc, u)
        a.label(f"{level}_go")
        if level == "m":
            a.li(u, 0x1800)
            a.csrrc(0, status, u)
            a.slli(t, t, 11)
            a.csrrs(0, status, t)
            a.mret()
        else:
            a.addi(u, 0, 0x100)
            a.csrrc(0, status, u)
            a.andi(t, t, 1)
            a.slli(t, t, 8)
            a.csrrs(0, status, t)
            a.sret()
        a.label(f"{level}_pte")
        a.sw(10, 0, 11)
        a.sfence_vma()
        a.j(f"{level}_skip")
        a.label(f"{level}_satp")
        a.csrw(SATP, 10)
        a.sfence_vma()
        a.j(f"{level}_skip")
        a.label(f"{level}_raise")
        a.csrrs(0, MIP if level == "m" else SIP, 10)
        a.j(f"{level}_skip")
        a.label(f"{level}_wait")
        if level == "m":
            a.li(t, MTIMECMP)
            if self.spike:
                a.sw(0, 4, t)
                a.sw(0, 0, t)
            else:
                a.li(u, MTIME)
                a.lw(u, 0, u)
                a.addi(u, u, self.rng.randrange(20, 500))
                a.sw(0, 4, t)
                a.sw(u, 0, t)
            a.addi(u, 0, 128)
            a.csrrs(0, MIE, u)
            a.wfi()

    def s_handler(self) -> None:
        """As the M-mode handler; under M-mode it asks that for services."""
        a = self.a
        a.pad_to(S_HANDLER)
        for _ in range(12):
            a.j("s_common")
        a.label("s_common")
        a.csrr(26, 0x142)
        a.blt(26, 0, "s_interrupt")
        a.csrr(27, 0x143)
        a.csrr(27, SSTATUS)
        a.beq(26, 0, "s_fetch")
        a.addi(27, 0, 1)
        a.beq(26, 27, "s_fetch")
        a.addi(27, 0, 12)
        a.beq(26, 27, "s_fetch")
        a.addi(27, 0, 8)
        a.bne(26, 27, "s_skip")
        if self.level == "S":
            self.services("s", SSTATUS, 0x141)
        else:
            a.andi(27, SERVICE, -64)
            a.addi(26, 0, 64)
            a.beq(26, 27, "s_up")
            a.andi(27, SERVICE, -4)
            a.addi(26, 0, SWITCH)
            a.bne(26, 27, "s_skip")
            a.label("s_up")
            a.ecall()  # M-mode serves; a switch does not come back
        a.label("s_skip")
        a.csrr(27, 0x141)
        a.addi(27, 27, 4)
        a.csrw(0x141, 27)
        a.sret()
        self.stranded()
        a.label("s_fetch")
        if self.level == "S":
            a.csrw(SATP, 0)
            a.sfence_vma()
            a.csrw(0x141, RESUME)
            a.addi(27, 0, 0x100)
            a.csrrs(0, SSTATUS, 27)
            a.sret()
        else:
            self.stranded()
        a.label("s_interrupt")
        a.slli(26, 26, 1)
        a.srli(26, 26, 1)
        a.addi(27, 0, 1)
        a.sll(27, 27, 26)
        if self.level == "S":
            a.addi(27, 0, 5)
            a.beq(26, 27, "s_timer")
            a.addi(27, 0, 2)
        a.csrrc(0, SIP, 27)
        a.addi(26, 0, 2)
        a.beq(26, 27, "s_back")
        a.csrrc(0, SIE, 27)  # STIP and SEIP cannot be cleared from S-mode
        a.label("s_back")
        a.sret()
        self.stranded()
        if self.level == "S":
            a.label("s_timer")
            self.set_timer(26, 27)
            a.sret()

    def stranded(self) -> None:
        """After an sret that TSR forbids: M-mode takes over at the next block."""
        if self.level == "M":
            self.a.addi(SERVICE, 0, SWITCH + 3)
            self.a.ecall()
            self.a.csrw(0x141, RESUME)
            self.a.sret()

    def set_timer(self, low: int, high: int) -> None:
        """SBI set_timer some ticks from now; changes a0, a1 and a7 only."""
        a, rng = self.a, self.rng
        a.csrr(10, 0xC01)
        a.addi(10, 10, rng.randrange(2, 60))
        a.addi(11, 0, 0)
        if rng.random() < 0.5:
            a.li(SERVICE, 0x5449_4D45)  # extension TIME, function 0
            a.addi(16, 0, 0)
        else:
            a.addi(SERVICE, 0, 0)
        a.ecall()

    # ---- the body ---------------------------------------------------------------------

    def service(self, number: int) -> None:
        self.a.addi(SERVICE, 0, number)
        self.a.ecall()

    def switch(self) -> None:
        modes = (0, 1, 3) if self.level == "M" else (0, 1)
        if self.rng.random() < 0.05:
            modes = (2,)
        self.service(SWITCH + self.rng.choice(modes))

    def address(self, aligned: int = 1) -> int:
        """A virtual address worth trying."""
        rng = self.rng
        inside = rng.choice((rng.randrange(0x1000), rng.choice((0, 4, 0xFFC, 0xFFD, 0xFFE, 0xFFF))))
        kind = rng.randrange(12)
        if kind < 3:
            va = DATA + 0x1000 * rng.randrange(DATA_PAGES) + inside
        elif kind < 6:
            va = VA_ALIAS + 0x1000 * rng.randrange(16) + inside
        elif kind < 7:
            va = VA_SUPER + 0x8000 + 0x1000 * rng.randrange(DATA_PAGES) + inside
        elif kind < 8:
            va = VA_BROKEN + 0x1000 * rng.randrange(3) + inside
        elif kind < 10:
            va = VA_USER + 0x8000 + 0x1000 * rng.randrange(DATA_PAGES) + inside
        elif kind < 11:
            outside = (0x9000_0000, 0xFFFF_FFFC, 0x3000_0000, RAM_BASE + (1 << 20) - 4, 0x7FFF_FFFC)
            va = rng.choice(outside) + rng.choice((0, 0, 1, 3))
        else:
            va = rng.choice((M_HANDLER, ROOT, TABLE_ALIAS)) | inside & 0xFFC
            aligned = max(aligned, 4)
        return va & ~(aligned - 1)

    def touch(self) -> None:
        """A load or store somewhere; handler and tables are only read."""
        rng, a = self.rng, self.a
        base = rng.randrange(1, 26)
        va = self.address()
        a.li(base, va)
        protected = va >> 12 in (M_HANDLER >> 12, ROOT >> 12, TABLE_ALIAS >> 12)
        if rng.random() < 0.5 or protected:
            a.op(rng.choice(tuple(LOADS)), self.reg(), 0, base)
        else:
            if self.exact and va & 0xFFF > 0xFFC:
                a.li(base, va & ~3)
            a.op(rng.choice(tuple(STORES)), self.reg(), 0, base)

    def atomic(self) -> None:
        rng, a = self.rng, self.a
        base = rng.randrange(1, 26)
        va = self.address(aligned=4)
        while va >> 12 in (M_HANDLER >> 12, ROOT >> 12, TABLE_ALIAS >> 12):
            va = self.address(aligned=4)
        if not self.spike and rng.random() < 0.08:
            # Only in plain data: which fault comes first elsewhere is a choice.
            va = DATA + rng.randrange(0x1000) | 1
        a.li(base, va)
        kind = rng.randrange(3)
        if kind == 0:
            a.lr(self.reg_not(base), base)
            for _ in range(rng.choice((0, 0, 1))):
                a.op("addi", self.reg_not(base), self.reg(), 1)
            a.sc(self.reg_not(base), base, self.reg())
        elif kind == 1:
            a.sc(self.reg(), base, self.reg())
        else:
            a.op(rng.choice(tuple(AMOS)), self.reg(), base, self.reg())

    def csr(self) -> None:
        """A CSR instruction: any form, mostly on registers that exist."""
        rng, a = self.rng, self.a
        name = rng.choice(tuple(CSR_OPS))
        kind = rng.randrange(10)
        writable = dict(S_CSRS) if self.level == "S" else M_CSRS | S_CSRS
        if kind < 7:
            number = rng.choice(tuple(writable.values()))
        elif kind < 9:
            number = rng.choice(READ_ONLY if self.spike else (*READ_ONLY, 0xC05, 0xC9F, 0x31A))
        else:
            number = rng.choice(ABSENT)
        if name.endswith("i"):
            operand = rng.randrange(32)
            if number in (MSTATUS, SSTATUS):
                operand &= 0x1A
            a.op(name, self.reg(), number, operand)
            return
        operand = rng.randrange(1, 26)
        bits = rng.choice((value(rng), 1 << rng.randrange(32), 0))
        a.li(operand, bits & WRITE_MASKS.get(number, 0xFFFF_FFFF) & 0xFFFF_FFFF)
        if rng.random() < 0.15 and "w" not in name:
            operand = 0
        a.op(name, self.reg(), number, operand)

    def status_bits(self) -> None:
        """Set or clear one bit that changes what comes after."""
        rng, a = self.rng, self.a
        bit = rng.choice((1, 1, 3, 3, 5, 7, 8, 17, 17, 18, 18, 19, 19, 20, 21, 22))
        if bit == 22 and self.medeleg & 4:
            bit = 1  # an sret that traps to the handler that executes it never ends
        a.li(5, 1 << bit)
        number = MSTATUS if self.level == "M" and rng.random() < 0.7 else SSTATUS
        a.op(rng.choice(("csrrs", "csrrc")), 6, number, 5)

    def interrupts(self) -> None:
        """Raise something, or open the gate for it."""
        rng, a = self.rng, self.a
        kind = rng.randrange(4 if self.exact else 6)
        if kind == 0:
            a.li(10, rng.choice((2, 0x20, 0x200, 0x222)))
            self.service(RAISE)
        elif kind == 1:
            a.li(5, rng.getrandbits(12))
            a.op(rng.choice(("csrrw", "csrrs")), 6, MIE if self.level == "M" else SIE, 5)
        elif kind == 2:
            a.csrrsi(0, SSTATUS, 2)
        elif self.level == "S":
            if kind == 3:
                self.set_timer(5, 6)
            else:
                a.li(5, 0x222)
                a.csrrs(0, SIE, 5)
        elif kind == 3:
            a.csrrsi(0, MSTATUS, 8)
        elif kind == 4:
            a.li(5, CLINT)
            a.addi(6, 0, rng.randrange(2))
            a.sw(6, 0, 5)
        else:
            a.li(5, MTIMECMP)
            if self.spike:
                a.addi(6, 0, rng.choice((0, -1)))
                a.sw(6, 4, 5)
                a.sw(6, 0, 5)
            else:
                a.csrr(6, 0xC01)
                a.addi(6, 6, rng.randrange(-2, 30))
                a.sw(6, 0, 5)
                a.sw(0, 4, 5)

    def trap_return(self) -> None:
        """An mret or sret of its own, to the next line if the mode allows it."""
        rng, a = self.rng, self.a
        here = self.new_label()
        kind = "mret" if self.level == "M" and rng.random() < 0.5 else "sret"
        a.la(5, here)
        a.csrw(0x341 if kind == "mret" else 0x141, 5)
        a.op(kind)
        a.label(here)

    def odd(self) -> None:
        """Instructions that trap or fence."""
        rng, a = self.rng, self.a
        kind = rng.randrange(9)
        if kind == 0:
            a.ebreak()
        elif kind == 1:
            a.addi(SERVICE, 0, 0x7F)
            if self.level == "M":
                a.ecall()
        elif kind == 2:
            a.sfence_vma(rng.choice((0, 5)), rng.choice((0, 6)))
        elif kind == 3:
            a.word(rng.choice((0, 0xFFFF_FFFF, 0x0000_000B, 0x0000_2007, 0x4000_4033, 0x0000_0053)))
        elif kind == 4:
            a.word(self.illegal())
        elif kind == 5:
            a.fence()
        elif kind == 6:
            # A jump to where nothing can be fetched.
            nowhere = (0x9000_0000, 0x7FFF_F000, VA_BROKEN, VA_ALIAS, RAM_BASE + 2, 6)
            a.li(5, rng.choice(nowhere if self.spike else nowhere + (CLINT, 0)))
            a.jalr(rng.choice((0, 1)), 5, 0)
        elif kind == 7:
            a.jalr(1, 0, 2)
        else:
            self.patch_code()

    def illegal(self) -> int:
        """A word without meaning in RV32IMA: reserved fields or opcodes."""
        rng = self.rng
        registers = rng.getrandbits(32) & 0x01FF_8F80
        return rng.choice(
            (
                0x7E00_0033 | registers,  # OP, funct7 0x3f
                0x0000_3003 | registers,  # LD
                0x0000_3023 | registers,  # SD
                0x0200_1013 | registers,  # SLLI by 32 and more
                0x0000_2063 | registers & ~0x7000,  # branch, funct3 2
                0x0000_1067 | registers & ~0x7000,  # JALR, funct3 1
                0x1010_202F | registers & ~0x01F0_0000 | 1 << 20,  # LR with rs2
                0x2800_202F | registers,  # AMO, funct5 5
                0x0020_0073,  # URET
                0x7B20_0073,  # DRET
                0x0000_4073 | registers,  # SYSTEM, funct3 4
                0x1600_0073,  # SINVAL.VMA
                0x0000_200F,  # MISC-MEM, funct3 2
                0x3020_00F3,  # MRET with rd
                0x1050_8073,  # WFI with rs1
            )
        )

    def patch_code(self) -> None:
        """Write an instruction over a nop ahead, fence.i, run it."""
        rng, a = self.rng, self.a
        slot = self.new_label()
        patch = Asm()
        patch.addi(rng.randrange(1, 26), rng.randrange(26), rng.randrange(-2048, 2048))
        a.la(5, slot)
        a.li(6, patch.words()[0])
        a.sw(6, 0, 5)
        a.fence_i()
        a.label(slot)
        a.nop()

    def change_pte(self) -> None:
        """Another random PTE, by the handler's service."""
        rng, a = self.rng, self.a
        kind = rng.randrange(8)
        if kind == 0:
            at, word = ROOT + 4 * (VA_SUPER >> 22), self.superpage()
        elif kind == 1:
            at, word = ROOT + 4 * (VA_BROKEN >> 22), self.broken_root()
        else:
            at, word = TABLE_ALIAS + 4 * rng.randrange(16), self.random_pte()
        a.li(10, word)
        a.li(11, at)
        self.service(SET_PTE)

    def change_satp(self) -> None:
        rng, a = self.rng, self.a
        a.li(10, rng.choice((0, self.satp_value(), self.satp_value())))
        if rng.random() < 0.5:
            self.service(SET_SATP)
        else:
            a.csrw(SATP, 10)
            a.sfence_vma()

    def pmp(self) -> None:
        """One of entries 1 to 6 gets a region of data pages (or nothing)."""
        rng, a = self.rng, self.a
        entry = rng.randrange(1, 7)
        size = rng.choice((0x1000, 0x1000, 0x2000, 0x4000))
        start = DATA + rng.randrange(0, 0x4000, size)
        match_mode = rng.choice((0, 1, 3, 3) if self.spike else (0, 1, 2, 3, 3))
        if match_mode == 3:
            a.li(5, (start >> 2) | (size // 8 - 1))
        else:
            a.li(5, (start + size >> 2) | rng.choice((0, 0x3FF, 0x155)))
            a.li(6, start >> 2 | rng.choice((0, 0x2AA)))
            a.csrrw(7, 0x3B0 + entry - 1, 6)
        a.csrrw(8, 0x3B0 + entry, 5)
        rights = rng.choice((0, 1, 3, 4, 5, 7) if self.spike else range(8))
        bits = rights | match_mode << 3 | rng.choice((0, 0x60))
        if rng.random() < 0.04:
            bits |= 0x80
        number, shift = 0x3A0 + entry // 4, 8 * (entry % 4)
        a.li(5, 0xFF << shift)
        a.li(6, bits << shift)
        a.csrr(7, number)
        a.xor(6, 6, 7)
        a.and_(6, 6, 5)
        a.xor(6, 6, 7)
        a.csrrw(0, number, 6)
        a.csrr(7, number)
        a.csrr(8, 0x3B0 + entry)
        a.sfence_vma()

    def wait(self) -> None:
        rng, a = self.rng, self.a
        if self.level == "M":
            self.service(WAIT)
            if not self.spike and rng.random() < 0.3:
                a.wfi()
        else:
            self.set_timer(5, 6)
            a.li(5, 0x20)
            a.csrrs(0, SIE, 5)
            if rng.random() < 0.5:
                a.csrrci(0, SSTATUS, 2)
            a.wfi()

    def parts(self) -> list[Callable[[], None]]:
        """Kinds of code and how often each comes."""
        weights: list[tuple[Callable[[], None], int]] = [
            (self.alu, 10),
            (self.touch, 14),
            (self.atomic, 5),
            (self.csr, 10),
            (self.status_bits, 5),
            (self.interrupts, 7),
            (self.trap_return, 3),
            (self.odd, 6),
            (self.switch, 6),
            (self.branch, 3),
            (self.wait, 1),
        ]
        if self.paging:
            weights += [(self.change_pte, 3), (self.change_satp, 2)]
        if self.level == "M":
            weights += [(self.pmp, 3), (self.toggle_vectoring, 1)]
        return [part for part, weight in weights for _ in range(weight)]

    def toggle_vectoring(self) -> None:
        rng, a = self.rng, self.a
        a.op(rng.choice(("csrrsi", "csrrci")), self.reg(), rng.choice((0x305, 0x105)), 1)

    def body(self, blocks: int) -> None:
        a = self.a
        a.pad_to(BODY)
        parts = self.parts()
        limit = BODY + 0x1000 * BODY_PAGES - 0x180
        for _ in range(blocks):
            if a.here > limit:
                break
            a.label(f"block{self.block}")
            self.block += 1
            a.la(RESUME, f"block{self.block}")
            for _ in range(self.rng.randrange(2, 7)):
                self.rng.choice(parts)()
        a.label(f"block{self.block}")
        a.la(RESUME, f"block{self.block}")
        a.label("end")
        a.j("end")

    # ---- the beginning -------------------------------------------------------------------

    def start(self) -> None:
        """Random state, then the body in a random mode."""
        rng, a = self.rng, self.a
        if self.level == "M":
            self.start_m()
        a.li(5, S_HANDLER | rng.randrange(2))
        a.csrw(0x105, 5)
        a.li(5, rng.getrandbits(3) | 2)
        a.csrw(0x106, 5)
        if self.paging:
            a.li(5, self.satp_value())
            a.csrw(SATP, 5)
            a.sfence_vma()
        for i in range(1, 26):
            if i != 5:
                a.li(i, value(rng))
        a.la(RESUME, "block0")
        if self.level == "M":
            a.la(5, "block0")
            a.csrw(0x341, 5)
            a.li(5, rng.choice((0x0, 0x8, 0x80, 0x88)) | rng.choice((0x800, 0x1800)))
            a.li(6, sum(1 << bit for bit in (1, 5, 8, 18, 19) if rng.random() < 0.5))
            a.or_(5, 5, 6)
            a.li(6, sum(1 << bit for bit in (20, 21) if rng.random() < 0.1))
            a.or_(5, 5, 6)
            a.csrw(MSTATUS, 5)
            a.mret()
        else:
            a.li(5, sum(1 << bit for bit in (1, 5, 18, 19) if rng.random() < 0.5))
            a.csrrs(0, SSTATUS, 5)
            a.la(5, "block0")
            a.jalr(0, 5, 0)

    def start_m(self) -> None:
        rng, a = self.rng, self.a
        a.li(5, 1 << 29)
        a.csrw(0x31A, 5)  # menvcfgh.ADUE
        a.li(5, M_HANDLER | rng.randrange(2))
        a.csrw(0x305, 5)
        a.addi(5, 0, -1)
        a.li(6, MTIMECMP)
        a.sw(5, 4, 6)
        a.sw(5, 0, 6)
        for number, bits in (
            (0x302, self.medeleg),
            (0x303, rng.choice((0, 0x222, rng.getrandbits(12)))),
            (MIE, rng.getrandbits(12)),
            (0x306, rng.getrandbits(3)),
        ):
            a.li(5, bits)
            a.csrw(number, 5)
        # Some harts start with everything open in entry 0. Here the last entry
        # opens what no entry before it restricts.
        a.csrw(0x3A0, 0)
        a.addi(5, 0, -1)
        a.csrw(0x3BF, 5)
        a.li(5, 0x1F00_0000)
        a.csrw(0x3A3, 5)
        a.li(5, DATA >> 2)
        for entry in range(7):
            a.csrw(0x3B0 + entry, 5)

    def build_kernel(self, blocks: int) -> bytes:
        a = self.a
        self.start()
        self.m_handler()
        self.s_handler()
        self.body(blocks)
        image = bytearray(a.image().ljust(IMAGE_END - RAM_BASE, b"\0"))
        data = self.rng.randbytes(0x1000 * DATA_PAGES)
        image[DATA - RAM_BASE : DATA - RAM_BASE + len(data)] = data
        for pa, word in self.tables.items():
            image[pa - RAM_BASE : pa - RAM_BASE + 4] = word.to_bytes(4, "little")
        return bytes(image)


def machine_kernel(
    seed: int, spike: bool = False, exact: bool = False, blocks: int = 90
) -> Program:
    """A program that starts in M-mode at RAM_BASE.

    ``spike=True`` keeps to what Spike does at the same step;
    ``exact=True`` leaves out what no hart can be asked to do as Spike does.
    """
    image = KernelCode(seed, "M", spike, exact).build_kernel(blocks)
    return Program(f"machine kernel {seed}", image, steps=5000)


def supervisor_kernel(seed: int, blocks: int = 90) -> Program:
    """A program that starts in S-mode at RAM_BASE above an SBI with set_timer."""
    image = KernelCode(seed, "S", False).build_kernel(blocks)
    return Program(f"supervisor kernel {seed}", image, steps=5000)


