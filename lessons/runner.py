"""Runs a submission: assembles it, surrounds it with random state, and records what it does.

A ``Bench`` is the ``vm`` argument of a lesson's checks.  It runs each case once for each seed and
keeps the runs, so that several checks judge the same ones.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from toyvm.isa.registers import A0, A1, RA, SP, register_number
from toyvm.platform import RAM_BASE

from . import exits
from .course import Lesson, course_folder
from .record import MASK, Record, Recorder

RAM = 1 << 20
"""Bytes of RAM of the machine that a submission runs on."""
PROGRAM_SPACE = 0x4_0000
"""Bytes from the first address of a submission on that it may take."""
VM_RAM = 5 << 20
"""Bytes of RAM of the virtual machine of a guest kernel."""
DATA = (RAM_BASE + 0x4_0000, RAM_BASE + 0xB_0000)
STACK_LOW = DATA[1]
STACK_TOP = RAM_BASE + 0xF_0000
"""The stack grows from at most STACK_TOP down to STACK_LOW; its bytes hold no values at first."""
HARNESS = (RAM_BASE + 0xF_4000, RAM_BASE + 0xF_C000)
GAP = 64
"""Bytes at least between two blocks of a case: a near miss hits none of them."""
CONSOLE_BYTES = 64 << 10
"""Bytes of console output that a guest's run may make."""
MAX_SOURCE = 256 << 10
MAX_STATEMENTS = 100_000
"""Bytes and statements (macros expanded) of a submission."""
SEEDS = (1, 2, 3)
"""The seeds of a student's own runs."""


class SubmissionError(Exception):
    """The submission cannot be run at all: unreadable, not assembled, or too large.

    ``diagnostics`` are what the assembler found, as data.
    """

    def __init__(self, message: str, diagnostics: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.diagnostics = tuple(diagnostics)


class Blocked(Exception):
    """A check that cannot judge, because the run it needs did not end as it should."""


@dataclass(frozen=True)
class Program:
    """An assembled source: bytes by address, instruction addresses, labels and source lines.

    ``image`` is what Machine.load takes.
    """

    image: Any
    entry: int
    symbols: dict[str, int]
    segments: tuple[tuple[int, bytes], ...]
    code: frozenset[int]
    lines: dict[int, tuple[str, int]]

    def where(self, pc: int | None) -> str:
        """``file:line`` of the instruction at ``pc``, or its address."""
        if pc is None:
            return "the grader's call"
        if pc not in self.lines:
            return f"address {pc:#010x}"
        file, line = self.lines[pc]
        return f"{Path(file).name}:{line}"

    def image_bytes(self, address: int, size: int) -> bytes | None:
        """Bytes of the assembled file (not of a running machine); None outside it."""
        for start, data in self.segments:
            if start <= address and address + size <= start + len(data):
                return data[address - start : address - start + size]
        return None


@dataclass(frozen=True)
class Block:
    """Memory of a case: ``data`` at ``address``.  ``readable`` bytes have a value for loads."""

    name: str
    address: int
    data: bytes
    readable: bool = True


@dataclass
class Case:
    """What one run starts from, and what is expected of it.

    ``entry`` is the label to start at and ``ends`` how the run ends: "ebreak" or "return".
    ``registers`` are the inputs by ABI name; ``words`` (for guests) are stored at labels.
    ``note`` describes the inputs in messages.  ``expected`` is for the lesson's own checks.
    """

    note: str
    entry: str = ""
    ends: str = "return"
    registers: dict[str, int] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    words: dict[str, int] = field(default_factory=dict)
    expected: Any = None


class Inputs(random.Random):
    """Random inputs that depend on lesson, seed and case only, and places for them."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.taken: list[tuple[int, int]] = []

    def word(self) -> int:
        """A random 32-bit number."""
        return self.getrandbits(32)

    def noise(self, size: int) -> bytes:
        """Random bytes, many at a time: for memory that nothing gave a value."""
        import numpy as np

        words = np.random.PCG64(self.getrandbits(64)).random_raw(-(-size // 8))
        return words.astype("<u8", copy=False).tobytes()[:size]

    def place(self, size: int, align: int = 4) -> int:
        """A random address of ``size`` free bytes, at least GAP bytes from every other place."""
        low, high = DATA
        while True:
            address = self.randrange(low + GAP, high - size - GAP) // align * align
            if all(address + size + GAP <= a or b + GAP <= address for a, b in self.taken):
                self.taken.append((address, address + size))
                return address


@dataclass
class Run:
    """One recorded run on the bare machine; ``x`` are the registers at its end."""

    case: Case
    seed: int
    program: Program
    record: Record
    x: list[int]
    machine: Any

    @property
    def name(self) -> str:
        """Which run this is, for messages."""
        return f"seed {self.seed}, {self.case.note}"

    @property
    def ended(self) -> bool:
        """Whether it ended as its case says."""
        if self.case.ends == "return":
            return self.record.outcome == "returned"
        trap = self.record.trap
        return trap is not None and trap.cause == 3 and trap.epc in self.program.code

    def reg(self, name: str) -> int:
        """A register at the end of the run, unsigned."""
        return self.x[register_number(name)]

    def read(self, address: int, size: int) -> bytes:
        """Memory at the end of the run."""
        return self.machine.read_phys(address, size) or b""

    def writer(self, name: str) -> str:
        """Where the register was last written, or ""."""
        pc = self.record.writer.get(register_number(name))
        return "" if pc is None else self.program.where(pc)


@dataclass
class GuestRun:
    """One run of a kernel in a virtual machine.

    ``outcome`` is "exit" (with the guest's ``code``), "budget", "idle" or "error"; ``exits`` are
    counted by the lessons' causes.
    """

    case: Case
    seed: int
    program: Program
    outcome: str
    code: int
    detail: str
    console: bytes
    exits: dict[str, int]
    machine: Any

    @property
    def name(self) -> str:
        """Which run this is, for messages."""
        return f"seed {self.seed}, {self.case.note}"

    @property
    def ended(self) -> bool:
        """Whether the guest shut its machine down without an error code; a reboot is no end."""
        return self.outcome == "exit" and self.code == 0 and not self.rebooted

    @property
    def rebooted(self) -> bool:
        """Whether the guest asked for a reboot."""
        return "reset" in self.detail or "reboot" in self.detail

    @property
    def total(self) -> int:
        """Exits of all counted causes together."""
        return sum(self.exits.values())

    def word(self, label: str) -> int | None:
        """The 32-bit word at a label at the end of the run; None if there is no such label."""
        address = self.program.symbols.get(label)
        data = None if address is None else self.machine.read_phys(address, 4)
        return None if data is None else int.from_bytes(data, "little")


class Boards:
    """Makes the machines that submissions run on."""

    def machine(self) -> Any:
        """A bare machine without firmware."""
        from toyvm.machine import Machine

        return Machine(ram=RAM, bios="none", pmp=0)

    def vm(self) -> Any:
        """A virtual machine with the built-in SBI, its kernel in virtual S-mode."""
        from toyvm.hypervisor import Vm

        return Vm(ram=VM_RAM, bios="sbi")


CaseMaker = Callable[[Inputs], Case]


class Bench:
    """The ``vm`` that a lesson's checks are given: a lesson, a submission and the seeds."""

    def __init__(
        self,
        lesson: Lesson,
        program: Program,
        seeds: Iterable[int] = SEEDS,
        boards: Boards | None = None,
        source: str = "start.s",
    ) -> None:
        self.lesson, self.program, self.source = lesson, program, source
        self.seeds = tuple(seeds)
        self.boards = boards or Boards()
        self._runs: dict[str, list[Run]] = {}
        self._guests: dict[str, list[GuestRun]] = {}

    @property
    def steps(self) -> int:
        """The budget of a virtual machine: instructions and traps together."""
        return self.lesson.insns + self.lesson.traps

    @property
    def budget_spent(self) -> bool:
        """Whether a run so far was ended by its budget."""
        runs = [run.record.outcome for group in self._runs.values() for run in group]
        guests = [run.outcome for group in self._guests.values() for run in group]
        return "budget" in runs + guests

    def missing(self, *labels: str) -> list[str]:
        """The labels that the submission does not define."""
        return [label for label in labels if label not in self.program.symbols]

    def inputs(self, make: CaseMaker, seed: int) -> Inputs:
        """The random numbers of a case: the same for every submission."""
        return Inputs(f"{self.lesson.id}/{make.__name__}/{seed}")

    def attempts(self, *makers: CaseMaker) -> list[Run]:
        """One run for each maker and seed, whether or not it ended well."""
        runs: list[Run] = []
        for make in makers:
            if make.__name__ not in self._runs:
                self._runs[make.__name__] = [self._run(make, seed) for seed in self.seeds]
            runs += self._runs[make.__name__]
        return runs

    def runs(self, *makers: CaseMaker) -> list[Run]:
        """The same runs, all of which ended as they should; Blocked otherwise."""
        return _all_ended(self.attempts(*makers))

    def guest_attempts(self, make: CaseMaker, given: bool = False) -> list[GuestRun]:
        """One virtual machine's run for each seed: of the submission or of the given kernel."""
        key = f"{make.__name__}/{given}"
        if key not in self._guests:
            program = given_program(self.lesson) if given else self.program
            self._guests[key] = [self._guest(make, seed, program) for seed in self.seeds]
        return self._guests[key]

    def guests(self, make: CaseMaker, given: bool = False) -> list[GuestRun]:
        """The same runs, all of which ended well; Blocked otherwise."""
        return _all_ended(self.guest_attempts(make, given))

    def _run(self, make: CaseMaker, seed: int) -> Run:
        inputs = self.inputs(make, seed)
        case = make(inputs)
        if case.entry not in self.program.symbols:
            raise Blocked(f"the label '{case.entry}' is missing")
        machine = self.boards.machine()
        image = bytearray(inputs.noise(RAM))
        known = bytearray(b"\1" * RAM)
        known[STACK_LOW - RAM_BASE :] = bytes(RAM_BASE + RAM - STACK_LOW)
        harness = harness_program()
        base = inputs.randrange(*HARNESS, 64)
        parts = [(start, data, True) for start, data in self.program.segments]
        parts += [(block.address, block.data, block.readable) for block in case.blocks]
        parts.append((base, harness.segments[0][1], True))
        for address, data, readable in parts:
            start = address - RAM_BASE
            image[start : start + len(data)] = data
            known[start : start + len(data)] = bytes([readable]) * len(data)
        machine.write_phys(RAM_BASE, bytes(image))
        place = {name: base + at - harness.entry for name, at in harness.symbols.items()}
        registers = {number: inputs.word() for number in range(1, 32)}
        registers[SP] = STACK_TOP - inputs.randrange(256) * 16
        registers[RA] = place["back"]
        given = {register_number(name): value for name, value in case.registers.items()}
        for number, value in {**registers, **given}.items():
            machine.set_x(number, value & MASK)
        machine.set_csr("mtvec", place["trapped"])
        machine.set_csr("mepc", self.program.symbols[case.entry])
        machine.set_csr("mstatus", 0)
        machine.set_pc(place["enter"])
        machine.step(1)
        recorder = Recorder(
            machine,
            code=self.program.code,
            back=place["back"],
            trap=place["trapped"],
            insns=self.lesson.insns,
            known=frozenset({0, RA, SP, *given}),
            memory=known,
            base=RAM_BASE,
        )
        record = recorder.run()
        _no_errors(machine)
        x = [int(value) & MASK for value in machine.x]
        return Run(case, seed, self.program, record, x, machine)

    def _guest(self, make: CaseMaker, seed: int, program: Program) -> GuestRun:
        inputs = self.inputs(make, seed)
        case = make(inputs)
        machine = self.boards.vm()
        # Random bytes under and behind the program, and in all registers but those that firmware
        # hands to a kernel (a0: hart, a1: device tree): a kernel must count on neither.
        base = base_address(self.lesson)
        for start, size in ((DATA[0], DATA[1] - DATA[0]), (base, PROGRAM_SPACE)):
            machine.write_phys(start, inputs.noise(size))
        machine.load(program.image)
        for number in set(range(1, 32)) - {A0, A1}:
            machine.set_x(number, inputs.word())
        for block in case.blocks:
            machine.write_phys(block.address, block.data)
        for label, value in case.words.items():
            if label in program.symbols:
                machine.write_phys(program.symbols[label], value.to_bytes(4, "little"))
        stop = machine.run(self.steps)
        _no_errors(machine)
        console = bytes(machine.console_output[:CONSOLE_BYTES])
        return GuestRun(
            case, seed, program, stop.reason, int(stop.code or 0), str(stop.detail or ""),
            console, exits.counted(machine.ledger), machine,
        )  # fmt: skip


def _no_errors(machine: Any) -> None:
    """An exception in a device is a mistake of ours and must not cost a student points."""
    if getattr(machine, "errors", 0):
        raise RuntimeError(machine.report)


def _all_ended(runs: list[Any]) -> list[Any]:
    for run in runs:
        if not run.ended:
            raise Blocked("a run ended early")
    return runs


def assemble_file(source: Path, lesson: Lesson) -> Program:
    """Assemble a submission to the lesson; SubmissionError says why there is no program to run."""
    from assembler import AssemblyError, Limits, assemble

    base = base_address(lesson)
    limits = Limits(
        statements=MAX_STATEMENTS,
        source_bytes=MAX_SOURCE,
        image_bytes=PROGRAM_SPACE,
        expansion_bytes=16 * MAX_SOURCE,
    )
    try:
        image = assemble([source], text_base=base, jail=source.parent, limits=limits)
    except AssemblyError as error:
        raise SubmissionError(error.render(), error.diagnostics) from None
    for segment in image.segments:
        if segment.addr < base or segment.addr + segment.memsz > base + PROGRAM_SPACE:
            raise SubmissionError(
                f"{source}: {segment.memsz} bytes at {segment.addr:#x} do not fit:"
                f" expected a program between {base:#x} and {base + PROGRAM_SPACE:#x}"
            )
    return program_of(image)


def program_of(image: Any) -> Program:
    """A Program of an assembler's Image, zero-filled where it stores no bytes."""
    from assembler.image import PF_X

    code = [
        address
        for segment in image.segments
        if segment.flags & PF_X
        for address in range(segment.addr, segment.addr + len(segment.data) - 3, 4)
    ]
    places = {address: image.line_at(address) for address in code}
    return Program(
        image=image,
        entry=image.entry,
        symbols=image.symbols,
        segments=tuple((s.addr, s.data + bytes(s.memsz - len(s.data))) for s in image.segments),
        code=frozenset(code),
        lines={address: place for address, place in places.items() if place is not None},
    )


def base_address(lesson: Lesson) -> int:
    """Where the lesson's programs start: RAM, or behind the firmware in a virtual machine."""
    if lesson.target == "machine":
        return RAM_BASE
    from toyvm.machine.loader import SUPERVISOR_OFFSET

    return RAM_BASE + SUPERVISOR_OFFSET


@cache
def harness_program() -> Program:
    """The grader's own code around a submission."""
    from assembler import assemble

    return program_of(assemble([course_folder() / "harness.s"]))


def given_program(lesson: Lesson) -> Program:
    """The lesson's start file as a program."""
    return assemble_file(lesson.start, lesson)
