"""The short random programs (tests/support/short.py) in Spike, one process each.

A short program starts in the middle of things, and Spike cannot be put into a state from
outside.  So the ELF has a second segment, the *prologue*, outside of the RAM that the program
knows: instructions that load every CSR and register, and enter the program by mret.  What mret
itself decides is then different from the program's own start, in the model and the machine as well
(``placed``): mepc is the pc, MPIE is 1, MPP is U, and MIE is what MPIE was.  Deadlines are past or
never, because Spike's clock runs in another way.

``check(seed)`` compares each step of Spike's log with the model: the register, the stores, the CSRs
written, cause, epc and tval of a trap.  It ends early, and says so, where the specification leaves
the next step to the platform (``ENDS``).  Differences that a manual's sentence allows are patched
over by name (``spike.EXCUSES`` and ``EXCUSES`` here).
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.naive import NaiveHart
from tests.support import spike
from tests.support.asm import Asm
from tests.support.clint import CLINT_BASE, NaiveClint
from tests.support.compare import ram_difference, table
from tests.support.elf import elf32
from tests.support.naive_csrs import MASK64, NAMES
from tests.support.programs import RAM_BASE
from tests.support.short import RAM_SIZE, STEPS, Short, short_program

PROLOGUE = 0x8004_0000  # jal reaches the program's code from here
PROLOGUE_SIZE = 0x2000
MIE_BIT, MPIE_BIT, MPP_BITS, MPRV_BIT = 1 << 3, 1 << 7, 3 << 11, 1 << 17
ISA = spike.ISA + "_sstc_zihpm"  # hpmcounter3 to 31 are there, and zero
MENVCFGH = NAMES["menvcfgh"]
BOOT_ROM_STEPS = 5
SOON = 1_000  # ticks: no program runs as long, on either clock
#: CSRs compared at the end, with the bits that both have; counters but mcycle as well.
AT_THE_END = {
    name: mask for name, mask in spike.COMPARED.items() if name not in ("mip", "pmpcfg")
} | {"menvcfg": 1, "senvcfg": 1, "minstret": 0xFFFF_FFFF, "minstreth": 0xFFFF_FFFF, "mip": 0xFFF}

ENDS = {
    "clock": "for how long a wfi waits, and when a deadline just set has passed: 'a legal "
    "implementation is to simply implement WFI as a NOP' (3.3.3); 'mtime must increment at "
    "constant frequency' (3.2.1), but at which one is the platform's business.",
    "device": "'The physical memory map for a complete system includes various address ranges, "
    "some corresponding to memory regions, some to memory-mapped control registers' (3.6): Spike "
    "has others than the board, and other widths of access to them.",
    "atomic": spike.EXCUSES["misaligned atomic"] + " Delegation takes the two causes apart.",
    "SBI": "'The ECALL instruction is used to make a service request to the execution "
    "environment' (unprivileged, 2.8), and Spike has no firmware that serves it.",
    "ADUE": "menvcfgh: Svadu, which Spike needs for A and D by hardware, came after version 1.12 "
    "and has a bit there that 1.12 reserves: 'Software should ignore the values read from these "
    "fields' (2.3).",
}

EXCUSES = {
    "FIOM": "'If satp.MODE is read-only zero (always Bare), the implementation may make FIOM "
    "read-only zero' (3.1.18, 4.1.10): with Sv32 it has to be there, as ours is; this Spike has "
    "none.",
    "NA4": "'When G >= 1, the NA4 mode is not selectable' (3.7.1): a WARL field, ours keeps its "
    "value, Spike turns the mode into NAPOT.",
    "W without R": "'The R, W, and X fields form a collective WARL field for which the "
    "combinations with R=0 and W=1 are reserved' (3.7.1): ours keeps all three, Spike "
    "clears W.",
}

#: Where Spike has devices: debug module and boot ROM, CLINT, PLIC, UART.
DEVICES = (
    (0x0000_0000, 0x0000_2000),
    (0x0200_0000, 0x020C_0000),
    (0x0C00_0000, 0x1000_0000),
    (0x1000_0000, 0x1000_1000),
)

#: CSRs in the order in which the prologue writes them. Bits of mip are those software owns.
ORDER = (
    *("medeleg", "mideleg", "mtvec", "stvec", "mcounteren", "scounteren", "menvcfg", "senvcfg"),
    *("mscratch", "sscratch", "sepc", "mcause", "scause", "mtval", "stval", "mie", "satp"),
    *(f"pmpaddr{i}" for i in range(16)),
    *("pmpcfg0", "pmpcfg1", "pmpcfg2", "pmpcfg3", "mcountinhibit"),
)


def placed(program: Short) -> Short:
    """The program with a start that instructions can make."""
    past = program.mtimecmp <= program.idle // 10
    timer = 0 if past else MASK64
    csrs = dict(program.csrs)
    status = csrs.get(NAMES["mstatus"], 0)
    number = NAMES["mstatus"]
    if program.mode != 3 or status & MIE_BIT:
        csrs[number] = status & ~MPP_BITS | MPIE_BIT
        csrs[NAMES["mepc"]] = program.pc
    if program.kind == "sbi":  # M-mode is the firmware's: only sstatus is the program's
        del csrs[number], csrs[NAMES["mepc"]]
    stimer = MASK64 if program.kind == "sbi" or program.stimecmp else 0
    return replace(program, csrs=tuple(csrs.items()), mtimecmp=timer, stimecmp=stimer, idle=0)


class SeesDevices(NaiveHart):
    """Notes whether an access or a page walk went where Spike has a device."""

    touched = False

    def note(self, pa: int) -> None:
        self.touched |= any(first <= pa < end for first, end in DEVICES)

    def translate(self, va: int, access: int, mode: int) -> int:
        if self.satp >> 31 and mode != 3:
            entry = (self.satp << 12 & 0x3_FFFF_FFFF) + (va >> 22) * 4
            if self.in_ram(entry, 4):
                word = self.ram_read(entry, 4)
                if word & 0xF == 1:  # a pointer to a table
                    self.note(word >> 10 << 12)
        pa = super().translate(va, access, mode)
        self.note(pa)
        return pa


def _foreign(hart: Any) -> None:
    hart.foreign = True


def model_of(program: Short, kind: type[NaiveHart] = NaiveHart) -> Any:
    """A model in the program's state, with ``foreign`` for a call of the firmware."""
    sbi = program.kind == "sbi"
    model: Any = type(kind.__name__, (SeesDevices, kind), {})(
        RAM_SIZE,
        mmio=NaiveClint(),
        sbi=_foreign if sbi else None,
        sstc=program.kind == "sstc",
        ad_fault=program.kind == "ad fault",
    )
    model.foreign = False
    program.start(model)
    if sbi:  # as the others: by mret
        model.mepc, model.mstatus = program.pc, model.mstatus & ~MPP_BITS | MPIE_BIT
    return model


def prologue(model: Any) -> bytes:
    """Instructions that put a hart after reset into this model's state, and start it."""
    a = Asm(PROLOGUE)

    def write(name: str, value: int) -> None:
        a.li(5, value)
        a.csrw(NAMES[name], 5)

    hardware = 0 if model.ad_fault else spike.ADUE
    for half in (4, 0):
        a.li(5, CLINT_BASE + 0x4000 + half)
        a.li(6, model.mtimecmp >> 8 * half & 0xFFFF_FFFF)
        a.sw(6, 0, 5)
    write("menvcfgh", 1 << 31)
    for half in ("stimecmp", "stimecmph"):
        shift = 32 if half[-1] == "h" else 0
        write(half, model.stimecmp >> shift & 0xFFFF_FFFF)
    write("menvcfgh", model.menvcfgh | hardware)
    write("mip", model.mip_software)
    for name in ORDER:
        write(name, model.csr(name))
    a.sfence_vma()
    by_mret = model.mode != 3 or bool(model.mstatus & MIE_BIT)
    status = model.mstatus
    if by_mret:
        status = status & ~MIE_BIT & ~MPP_BITS | model.mode << 11
        status = status & ~MPIE_BIT | (MPIE_BIT if model.mstatus & MIE_BIT else 0)
    write("mepc", model.mepc)
    # From the write of minstret on, every instruction is counted, the last one too.
    rest = Asm(PROLOGUE)
    rest.li(5, status)
    rest.csrw(NAMES["mstatus"], 5)
    for i in range(1, 32):
        rest.li(i, model.x[i])
    counted = 0 if model.mcountinhibit & 4 else len(rest.words()) + 1
    start = (model.minstret - counted) & MASK64
    # The low half is zero for a moment, so that it cannot carry into the high one.
    write("minstret", 0)
    write("minstreth", start >> 32)
    write("minstret", start & 0xFFFF_FFFF)
    a.word(*rest.words())
    if by_mret:
        a.mret()
    else:
        a.j(model.pc - a.here)
    return a.image()


@dataclass
class Run:
    """What Spike said: the log from the program's first event, and the state at the end."""

    log: str
    registers: list[int]
    pc: int
    mode: int
    csrs: dict[str, int]
    ram: bytes


def run(program: Short, code: bytes, steps: int) -> Run:
    """``steps`` steps of the program in Spike, after the prologue ``code``."""
    executable = spike.executable()
    assert executable is not None, "call spike.require() first"
    commands = [f"rs {BOOT_ROM_STEPS + len(code) // 4}", f"r {steps}", "reg 0", "pc 0", "priv 0"]
    commands += [f"reg 0 {name}" for name in AT_THE_END]
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        (at / "elf").write_bytes(elf32(program.image, RAM_BASE, PROLOGUE, [(PROLOGUE, code)]))
        (at / "commands").write_text("\n".join([*commands, "dump", "quit", ""]))
        done = subprocess.run(
            [
                str(executable),
                f"-m{RAM_BASE:#x}:{RAM_SIZE:#x},{PROLOGUE:#x}:{PROLOGUE_SIZE:#x}",
                f"--isa={ISA}",
                "--pmpgranularity=4096",
                "-d",
                "--debug-cmd=commands",
                "-l",
                "--log-commits",
                "--log=log",
                "elf",
            ],
            cwd=at,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise spike.Difference(f"{program.name}: Spike fails: {done.stderr[-300:]}")
        log = (at / "log").read_text(errors="replace")
        ram = (at / f"mem.{RAM_BASE:#x}.bin").read_bytes()
    first = log.find("\n", log.find(f"core   0: 3 0x{PROLOGUE + len(code) - 4:08x} ")) + 1
    if not first:
        raise spike.Difference(f"{program.name}: Spike does not get through the prologue")
    registers = [int(bits, 16) for bits in re.findall(r"\w+: 0x([0-9a-f]{8})", done.stderr)]
    pc, mode, *csrs = done.stderr.split()[-2 - len(AT_THE_END) :]
    named = dict(zip(AT_THE_END, (int(bits, 16) for bits in csrs), strict=True))
    return Run(log[first:], registers, int(pc, 16), "US.M".index(mode), named, ram)


@dataclass
class Tally:
    """What a number of programs came to."""

    programs: int = 0
    steps: int = 0
    whole: int = 0  # programs compared to their last step
    excused: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    causes: Counter[int] = field(default_factory=Counter)
    modes: set[tuple[int, bool]] = field(default_factory=set)

    def add(self, other: Tally) -> None:
        self.programs += other.programs
        self.steps += other.steps
        self.whole += other.whole
        self.excused += other.excused
        self.ended += other.ended
        self.causes += other.causes
        self.modes |= other.modes


class End(Exception):
    """From here on the platform decides; the argument is a name in ``ENDS``."""


class ShortComparison(spike.Comparison):
    """A model in the middle of things along Spike's log."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.x = list(model.x)
        self.inhibit = model.mcountinhibit
        self.why = ""

    def platform(self) -> str:
        """Why the step just made is not to be compared, or ""."""
        model = self.model
        if model.foreign:
            return "SBI"
        if model.touched:
            return "device"
        if model.waits and (model.idle_steps or model.stuck):
            return "clock"
        if model.sstc and 0 < model.stimecmp < SOON:
            return "clock"
        word = model.last_word or 0
        if word & 0x7F == 0x73 and word >> 12 & 3 and word >> 20 == MENVCFGH:
            return "ADUE"
        return ""

    def fail(self, event: spike.Event, what: str) -> None:
        reason = self.platform()
        if reason:
            raise End(reason)
        super().fail(event, what)

    def step(self, event: spike.Event) -> None:
        super().step(event)
        reason = self.platform()
        if reason:
            raise End(reason)

    def commit(self, event: spike.Commit) -> None:
        for name, theirs in event.csrs.items():
            if name.startswith("pmpcfg") and self.model.csr(name) != theirs:
                self.pmp(name, theirs)
        super().commit(event)

    def pmp(self, name: str, theirs: int) -> None:
        """Take over Spike's choice where a reserved setting was written."""
        model = self.model
        written = self.written(model.last_word)
        for i in range(4):
            byte, chosen = written >> 8 * i & 0xFF, theirs >> 8 * i & 0xFF
            if model.csr(name) >> 8 * i & 0xFF == chosen:
                continue
            if byte >> 3 & 3 == 2:
                self.excused["NA4"] += 1
            elif byte & 3 == 2:
                self.excused["W without R"] += 1
            else:
                return
            model.pmpcfg[4 * int(name[-1]) + i] = chosen  # locked now, perhaps
            model.pmp_changed()

    def written(self, word: int) -> int:
        """What a csrrw of a register wrote; the programs write pmpcfg with no other."""
        assert word >> 12 & 7 == 1
        return self.x[word >> 15 & 31]

    def trap(self, event: spike.TrapTaken) -> None:
        cause, model = self.model.last_cause, self.model
        if cause in (4, 6) and event.cause == cause + 1 and model.last_mode != 3:
            if (model.medeleg >> cause ^ model.medeleg >> cause + 1) & 1:
                raise End("atomic")
        super().trap(event)

    def at_the_end(self, theirs: Run) -> None:
        """All registers, CSRs and every byte of RAM, those of page tables among them."""
        model = self.model
        ours: dict[str, int] = {"pc": model.pc, "mode": model.mode}
        other: dict[str, int] = {"pc": theirs.pc, "mode": theirs.mode}
        ours |= {f"x{i}": model.x[i] for i in range(32)}
        other |= {f"x{i}": theirs.registers[i] for i in range(32)}
        ours |= {name: model.csr(name) & mask for name, mask in AT_THE_END.items()}
        other |= {name: theirs.csrs[name] & mask for name, mask in AT_THE_END.items()}
        for name in ("menvcfg", "senvcfg"):
            if ours[name] and not other[name]:
                self.excused["FIOM"] += 1
                del ours[name], other[name]
        if ours != other:
            raise spike.Difference(f"at the end (Spike's as the model)\n{table(ours, other)}")
        wrong = ram_difference(bytes(model.ram), theirs.ram, RAM_BASE)
        if wrong:
            raise spike.Difference(f"at the end (Spike's as the model) {wrong}")


def check(seed: int, kind: type[NaiveHart] = NaiveHart, steps: int = STEPS) -> Tally:
    """Program ``seed`` on Spike and the model; raises ``spike.Difference``."""
    program = placed(short_program(seed))
    model = model_of(program, kind)
    theirs = run(program, prologue(model), steps)
    comparison = ShortComparison(model)
    tally = Tally(programs=1)
    events = spike.parse(iter(theirs.log.splitlines()))
    try:
        while comparison.done < steps:
            event = next(events, None)
            if event is None:
                raise spike.Difference("Spike's log ended")
            where = (model.mode, bool(model.satp >> 31))
            comparison.step(event)
            tally.modes.add(where)
            if model.last_cause is not None:
                tally.causes[model.last_cause] += 1
        comparison.at_the_end(theirs)
        tally.whole = 1
    except End as end:
        tally.ended[str(end)] += 1
    except spike.Difference as difference:
        raise spike.Difference(f"{program.name}: {difference}") from None
    tally.steps = comparison.done
    tally.excused = comparison.excused
    return tally
