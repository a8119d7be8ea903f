"""Short random programs from a random state: a privileged one costs a millisecond, not a second.

``short_program(seed)`` is some forty instructions with the state they start from: mode, registers,
every CSR, counters about to wrap, deadlines a few steps away, page tables, PMP.  Long programs find
what needs history; these start in the middle of things, so that every step is worth comparing.

Handlers, page tables and data are shared by ``FAMILY`` programs in a row; the code and the state
are each program's own.  The same seed gives the same program, wherever it runs.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

from tests.naive import NaiveHart
from tests.support.asm import Asm
from tests.support.kernel_handlers import RESUME
from tests.support.kernel_tables import BODY_PAGES, IMAGE_SIZE, Layout
from tests.support.kernels import KernelCode
from tests.support.naive_csrs import NAMES
from tests.support.programs import RAM_BASE, value

KINDS = ("plain", "sstc", "ad fault", "sbi")
FAMILY = 32
RAM_SIZE = 0x18000
LAYOUT = Layout(RAM_BASE, RAM_BASE + RAM_SIZE)
PARTS = 10
STEPS = 48

PLAIN = ("mscratch", "sscratch", "mepc", "sepc", "mcause", "scause", "mtval", "stval")
OPEN = 0x1F00_0000  # pmpcfg3: entry 15, NAPOT, all rights


@dataclass(frozen=True)
class Short:
    """A program: the content of RAM, where it starts, and the state of a hart as CSR values."""

    name: str
    image: bytes
    pc: int
    mode: int
    registers: tuple[int, ...]
    csrs: tuple[tuple[int, int], ...]
    mtimecmp: int
    stimecmp: int
    idle: int
    kind: str

    def start(self, hart: NaiveHart) -> None:
        """Put a model, fresh from reset, into the program's state."""
        hart.ram[:] = self.image
        hart.x[:] = self.registers
        for number, written in self.csrs:
            hart.write_csr(number, written)
        hart.mcycle_written = hart.minstret_written = False
        hart.idle_steps = self.idle
        hart.pc, hart.mode = self.pc, self.mode
        if self.kind != "sbi":
            hart.mtimecmp = self.mtimecmp
        if self.kind in ("sbi", "sstc"):
            hart.stimecmp = self.stimecmp


class Family(KernelCode):
    """Handlers, tables and data of ``FAMILY`` programs, and a generator for each one's code."""

    def __init__(self, number: int, kind: str) -> None:
        level = "S" if kind == "sbi" else "M"
        super().__init__(number, level, spike=False)
        self.kind = kind
        self.rng = random.Random(f"family {kind} {number}")
        self.at = LAYOUT
        self.a = Asm(LAYOUT.base)
        self.paging = True
        self.tables = self.page_tables()
        if level == "M":
            self.m_handler()
        self.s_handler()
        image = bytearray(self.a.image().ljust(IMAGE_SIZE, b"\0"))
        data = self.at.data - self.at.base
        image[data : data + 0x4000] = self.rng.randbytes(0x4000)
        for pa, word in self.tables.items():
            image[pa - self.at.base : pa - self.at.base + 4] = word.to_bytes(4, "little")
        self.image = bytes(image).ljust(RAM_SIZE, b"\0")
        self.choices = self.parts()
        if kind == "sstc":
            self.choices += [self.stimecmp] * 6

    def stimecmp(self) -> None:
        """A deadline soon, past or never, in one half or both; or the bit that turns it on."""
        rng, a = self.rng, self.a
        register = rng.randrange(1, 26)
        kind = rng.randrange(4)
        if kind == 0:
            a.li(register, rng.choice((0, 1 << 31, 0xFFFF_FFFF)))
            a.op(rng.choice(("csrrw", "csrrs", "csrrc")), self.reg(), NAMES["menvcfgh"], register)
        elif kind == 1:
            a.csrr(register, 0xC01)
            a.addi(register, register, rng.randrange(-1, 4))
            a.csrrw(self.reg(), NAMES["stimecmp"], register)
        else:
            number = NAMES[rng.choice(("stimecmp", "stimecmph"))]
            a.li(register, value(rng))
            operand = rng.choice((0, register))
            a.op(rng.choice(("csrrw", "csrrs", "csrrc")), self.reg(), number, operand)

    def words(self) -> bytes:
        """One program's code: it ends in a jump to itself."""
        self.a = a = Asm(self.at.body)
        half = PARTS // 2
        for block in (0, 1):
            a.label(f"block{block}")
            self.block = block + 1
            a.la(RESUME, f"block{self.block}")
            for _ in range(half):
                self.rng.choice(self.choices)()
        a.label("block2")
        a.label("end")
        a.j("end")
        return a.image()

    def program(self, seed: int) -> Short:
        self.rng = rng = random.Random(f"short {self.kind} {seed}")
        self.fresh = 0
        self.medeleg = rng.choice((0, 0xB1FF, rng.getrandbits(16) & 0xB3FF))
        code = self.words()
        assert len(code) <= 0x1000 * BODY_PAGES
        body = self.at.body - self.at.base
        image = self.image[:body] + code + self.image[body + len(code) :]
        modes = (0, 1, 1, 3) if self.level == "M" else (0, 1)
        mode = rng.choice(modes)
        csrs = self.csrs(rng, mode) if self.level == "M" else self.supervisor_csrs(rng)
        paged = any(number == NAMES["satp"] and bits >> 31 for number, bits in csrs)
        pc = self.at.body
        if mode == 0 and paged and rng.random() < 0.9:
            pc = (pc - self.at.to_user) & 0xFFFF_FFFF
        idle = rng.choice((0, 0, rng.randrange(100), 10 * (1 << 32) - rng.randrange(1, 200)))
        soon = idle // 10 + rng.choice((0, 1, 2, 3, 5, 1 << 40))
        return Short(
            f"short program {seed} ({self.kind})",
            image,
            pc,
            mode,
            tuple(0 if i == 0 else self.at.body if i == RESUME else value(rng) for i in range(32)),
            tuple(csrs),
            soon,
            rng.choice((soon, soon, idle // 10 + 2, (1 << 64) - 1)),
            idle,
            self.kind,
        )

    def supervisor_csrs(self, rng: random.Random) -> list[tuple[int, int]]:
        """What S-mode owns; the firmware has set the rest."""
        bits = sum(1 << bit for bit in (1, 5, 8, 18, 19) if rng.random() < 0.5)
        found = [
            (NAMES["sstatus"], bits),
            (NAMES["sie"], rng.getrandbits(12)),
            (NAMES["sip"], rng.getrandbits(12)),
            (NAMES["stvec"], self.at.s_handler | rng.randrange(2)),
            (NAMES["scounteren"], rng.getrandbits(3)),
        ]
        found += [(NAMES[name], value(rng)) for name in PLAIN if name[0] == "s"]
        if rng.random() < 0.75:
            found.append((NAMES["satp"], self.satp_value()))
        return found

    def csrs(self, rng: random.Random, mode: int) -> list[tuple[int, int]]:
        """Every CSR of the hart, in the order of writing."""
        often = (1, 3, 5, 7, 8, 17, 18, 19)
        bits = sum(1 << bit for bit in often if rng.random() < 0.5)
        bits |= sum(1 << bit for bit in (20, 21, 22) if rng.random() < 0.12)
        bits |= rng.choice((0, 1, 3)) << 11
        if mode != 3:
            bits &= ~(1 << 17)  # no return leaves M-mode with MPRV set
        found = [
            (NAMES["medeleg"], self.medeleg),
            (NAMES["mideleg"], rng.choice((0, 0x222, rng.getrandbits(12)))),
            (NAMES["mie"], rng.getrandbits(12)),
            (NAMES["mip"], rng.choice((0, 0, 0x222, rng.getrandbits(12)))),
            (NAMES["mtvec"], self.at.m_handler | rng.randrange(2)),
            (NAMES["stvec"], self.at.s_handler | rng.randrange(2)),
            (NAMES["mcounteren"], rng.getrandbits(3)),
            (NAMES["scounteren"], rng.getrandbits(3)),
            (NAMES["menvcfg"], rng.getrandbits(1)),
            (NAMES["senvcfg"], rng.getrandbits(1)),
            (NAMES["mstatus"], bits),
        ]
        found += [(NAMES[name], value(rng)) for name in PLAIN]
        for name in ("mcycle", "minstret"):
            low = rng.choice((0, 0xFFFF_FFFF - rng.randrange(30), rng.getrandbits(32)))
            high = rng.choice((0, 0xFFFF_FFFF, rng.getrandbits(32)))
            found += [(NAMES[name], low), (NAMES[name + "h"], high)]
        if self.kind == "sstc":
            found.append((NAMES["menvcfgh"], rng.choice((0, 1 << 31, 1 << 31))))
        found.append((NAMES["mcountinhibit"], rng.choice((0, 0, 0, 1, 4, 5))))
        if rng.random() < 0.8:
            found.append((NAMES["satp"], self.satp_value()))
        return found + self.pmp_state(rng)

    def pmp_state(self, rng: random.Random) -> list[tuple[int, int]]:
        """Some entries over data pages, the last one over everything."""
        found = [(NAMES["pmpaddr15"], 0xFFFF_FFFF)]
        config = 0
        for entry in (1, 3, 5)[: rng.choice((0, 0, 1, 3))]:
            size = rng.choice((0x1000, 0x2000, 0x4000))
            start = self.at.data + rng.randrange(0, 0x4000, size)
            napot = rng.random() < 0.6
            address = start >> 2 | (size // 8 - 1) if napot else (start + size) >> 2
            found += [
                (NAMES[f"pmpaddr{entry - 1}"], start >> 2),
                (NAMES[f"pmpaddr{entry}"], address),
            ]
            rights = rng.choice((0, 1, 3, 4, 5, 7))
            locked = 0x80 if rng.random() < 0.2 else 0
            config |= (rights | (0x18 if napot else 0x08) | locked) << 8 * entry
        found += [(NAMES["pmpcfg3"], OPEN), (NAMES["pmpcfg1"], config >> 32)]
        return [*found, (NAMES["pmpcfg0"], config & 0xFFFF_FFFF)]


@lru_cache(maxsize=8)
def family(number: int, kind: str) -> Family:
    """The one with this number; the last few are kept."""
    return Family(number, kind)


def short_program(seed: int) -> Short:
    """Program number ``seed``: four kinds in turn.

    They are the machine as it is, with Sstc, and with A and D left to software, all from M-mode
    on; and S-mode above an SBI.
    """
    kind = KINDS[seed % len(KINDS)]
    return family(seed // FAMILY, kind).program(seed)
