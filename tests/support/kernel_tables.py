"""Layout, CSRs and page tables of the random privileged programs."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.support.asm import Asm
from tests.support.programs import RAM_BASE, RAM_SIZE, UserCode

BODY_PAGES = 5
DATA_PAGES = 4
IMAGE_SIZE = 0x14000

# Virtual addresses, besides the image's own.
VA_ALIAS = 0x0040_0000  # pages with random PTEs
VA_SUPER = 0x0080_0000  # a random 4 MiB leaf
VA_BROKEN = 0x00C0_0000  # a random broken root entry
VA_USER = 0x4000_0000  # body and data for U-mode

CLINT = 0x0200_0000

V, R, W, X, U_BIT, G, A_BIT, D_BIT = (1 << i for i in range(8))


# CSRs that random code may write with anything. Spike's extra bits (FS, FIOM)
# stay out of the way through the masks of WRITE_MASKS.
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
# FS stays off in mstatus and sstatus and TSR is set elsewhere; an ecall from S
# goes to M; interrupts that do not exist stay out of mie.
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


@dataclass(frozen=True)
class Layout:
    """Physical addresses of one image; it starts at a multiple of 4 MiB."""

    base: int
    end: int  # of RAM

    @property
    def m_handler(self) -> int:
        return self.base + 0x1000

    @property
    def s_handler(self) -> int:
        return self.base + 0x2000

    @property
    def body(self) -> int:
        return self.base + 0x3000

    @property
    def data(self) -> int:
        return self.base + 0x8000

    @property
    def root(self) -> int:
        return self.base + 0x10000

    @property
    def table_identity(self) -> int:
        return self.root + 0x1000

    @property
    def table_alias(self) -> int:
        return self.root + 0x2000

    @property
    def table_user(self) -> int:
        return self.root + 0x3000

    @property
    def to_user(self) -> int:
        """What to subtract from an address for its copy in U-mode."""
        return self.base - VA_USER


MACHINE_LAYOUT = Layout(RAM_BASE, RAM_BASE + RAM_SIZE)
# Where an SBI starts a 32-bit kernel: one 4 MiB page above the firmware.
SUPERVISOR_LAYOUT = Layout(RAM_BASE + 0x40_0000, RAM_BASE + 0x60_0000)


def pte(pa: int, bits: int) -> int:
    """A PTE for a 34-bit physical address."""
    return (pa >> 12) << 10 | bits


class KernelTables(UserCode):
    """The state of one generator, and its page tables.

    ``spike`` keeps to what is the same there.  Deadlines are either past or
    never; nothing but aligned words goes to devices, and no instruction fetch
    (physical memory attributes are the platform's); PMP fields are not set to
    NA4 or to R=0 with W=1, which WARL lets each hart turn into something else;
    no misaligned atomics, whose cause is a choice.

    ``exact`` leaves out three more: stores across a page (one that faults on
    its second page may have changed the first), interrupts raised by a store to
    a device (they may come a little later) and mcountinhibit.
    """

    def __init__(self, seed: int, level: str, spike: bool, exact: bool = False) -> None:
        super().__init__(seed)
        self.rng = random.Random(f"kernel {level} {seed}")
        self.at = MACHINE_LAYOUT if level == "M" else SUPERVISOR_LAYOUT
        self.a = Asm(self.at.base)
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
            return self.at.data + 0x1000 * rng.randrange(DATA_PAGES), True
        if kind == 8:
            return rng.choice(
                (self.at.m_handler, self.at.root, self.at.table_alias, self.at.body)
            ), False
        if kind == 9:
            return rng.choice((0x9000_0000, 0x7FFF_F000, self.at.end)), True
        if kind == 10:
            # Beyond 4 GiB: a 34-bit address that 32 bits would wrap into RAM.
            return (rng.randrange(1, 4) << 32) | self.at.data, True
        return (self.at.data if self.spike else CLINT), True

    def random_pte(self) -> int:
        pa, writable = self.target()
        return pte(pa, self.flags(writable))

    def broken_root(self) -> int:
        """A root entry that no access gets through."""
        rng = self.rng
        return rng.choice(
            (
                0,
                pte(self.at.table_alias, V | rng.choice((A_BIT, D_BIT, U_BIT))),
                pte(0x9000_0000, V),
                pte(1 << 32 | self.at.table_alias, V),
                pte(self.at.table_alias, W | V),
                pte(self.at.data if self.spike else CLINT, V if not self.spike else V | A_BIT),
                rng.getrandbits(32) & ~V,
            )
        )

    def superpage(self) -> int:
        """A 4 MiB leaf at RAM; sometimes misaligned."""
        low = self.rng.choice((0, 0, 0, 0x1000 << self.rng.randrange(10)))
        return pte(self.at.base + low, self.flags())

    def page_tables(self) -> dict[int, int]:
        """Words of the tables, by physical address."""
        rng = self.rng
        words = {
            self.at.root + 4 * (VA_ALIAS >> 22): pte(self.at.table_alias, V),
            self.at.root + 4 * (VA_SUPER >> 22): self.superpage(),
            self.at.root + 4 * (VA_BROKEN >> 22): self.broken_root(),
            self.at.root + 4 * (VA_USER >> 22): pte(self.at.table_user, V),
            self.at.root + 4 * (self.at.base >> 22): pte(self.at.table_identity, V),
        }
        for i in range(16):
            words[self.at.table_alias + 4 * i] = self.random_pte()
        fixed = V | R | X | A_BIT
        for page in range(3):
            words[self.at.table_identity + 4 * page] = pte(self.at.base + 0x1000 * page, fixed)
        for page in range(3, 3 + BODY_PAGES):
            pa = self.at.base + 0x1000 * page
            words[self.at.table_identity + 4 * page] = pte(pa, fixed | rng.choice((0, 0, W, U_BIT)))
            words[self.at.table_user + 4 * page] = pte(pa, V | R | X | U_BIT)
        for page in range(8, 8 + DATA_PAGES):
            pa = self.at.base + 0x1000 * page
            words[self.at.table_identity + 4 * page] = pte(pa, V | R | W | rng.choice((0, A_BIT)))
            words[self.at.table_user + 4 * page] = pte(pa, V | R | W | U_BIT)
        # The tables themselves: only the handler writes them, in S-mode if it runs there.
        rights = V | R if self.level == "M" else V | R | W
        for page in range(16, 20):
            pa = self.at.base + 0x1000 * page
            words[self.at.table_identity + 4 * page] = pte(pa, rights)
        return words

    def satp_value(self) -> int:
        return 1 << 31 | self.rng.choice((0, 1, 0x1FF)) << 22 | self.at.root >> 12
