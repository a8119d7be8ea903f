"""The unprivileged instructions of the short random programs in Unicorn (QEMU's translator).

Unicorn runs here without paging and without traps.  So a program is run on the model, and each
*stretch* of unprivileged instructions that retire, up to and with its first access to memory, is
run in Unicorn as well: from the same registers, with the code and the accessed bytes at the same
virtual addresses.  Afterwards all registers, the pc and the bytes accessed have to be equal.

Not run there: SYSTEM instructions, and sc, because a reservation of more than the word is allowed:
'An implementation can register an arbitrarily large reservation set on each LR' (unprivileged,
8.2), and Unicorn keeps its own over traps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.naive import NaiveHart
from tests.support.compare import describe
from tests.support.naive_memory import MASK32
from tests.support.short import STEPS, short_program
from tests.support.spike_short import model_of

SYSTEM, MISC_MEM, AMO, SC = 0x73, 0x0F, 0x2F, 0b00011
PAGE = 0x1000


class Difference(AssertionError):
    """Unicorn and the model disagree."""


class Recorder(NaiveHart):
    """Notes the access of a step: its address, the bytes before and those after it."""

    access: tuple[int, bytes, bytes] | None = None

    def load(self, va: int, width: int) -> int:
        value = super().load(va, width)
        data = value.to_bytes(width, "little")
        self.access = va, data, data
        return value

    def store(self, va: int, width: int, value: int) -> None:
        super().store(va, width, value)
        pieces = [(pa, count) for pa, count in self.pieces if self.in_ram(pa, count)]
        data = b"".join(self.ram_read(pa, count).to_bytes(count, "little") for pa, count in pieces)
        self.access = va, bytes(byte ^ 0xFF for byte in data), data

    def load_reserved(self, va: int) -> int:
        value = super().load_reserved(va)
        data = value.to_bytes(4, "little")
        self.access = va, data, data
        return value

    def amo_read(self, va: int) -> int:
        value = super().amo_read(va)
        data = value.to_bytes(4, "little")
        self.access = va, data, data
        return value

    def amo_write(self, va: int, value: int) -> None:
        super().amo_write(va, value)
        assert self.access is not None
        self.access = va, self.access[1], (value & MASK32).to_bytes(4, "little")


@dataclass
class Tally:
    """What a number of programs came to."""

    programs: int = 0
    steps: int = 0  # of the model
    compared: int = 0  # instructions that Unicorn ran as well
    accesses: int = 0
    opcodes: set[int] = field(default_factory=set)


class Voice:
    """One Unicorn with the memory of one program."""

    def __init__(self) -> None:
        import unicorn
        from unicorn import riscv_const

        self.uc: Any = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
        self.error = unicorn.UcError
        self.no_code = unicorn.UC_ERR_FETCH_UNMAPPED
        self.numbers = [riscv_const.UC_RISCV_REG_X0 + i for i in range(32)]
        self.pc = riscv_const.UC_RISCV_REG_PC
        self.pages: set[int] = set()
        self.code: dict[int, int] = {}
        self.x = [0] * 32

    def write(self, va: int, data: bytes) -> None:
        """Put bytes at a virtual address; they may wrap around the end of the address space."""
        for i, byte in enumerate(data):
            at = (va + i) & MASK32
            if at & -PAGE not in self.pages:
                self.uc.mem_map(at & -PAGE, PAGE)
                self.pages.add(at & -PAGE)
            self.uc.mem_write(at, bytes([byte]))
            self.code.pop(at & ~3, None)

    def read(self, va: int, count: int) -> bytes:
        return b"".join(bytes(self.uc.mem_read((va + i) & MASK32, 1)) for i in range(count))

    def put_code(self, words: list[tuple[int, int]]) -> None:
        """Make the code of a stretch what the model fetched."""
        changed = False
        for va, word in words:
            if self.code.get(va) != word:
                self.write(va, word.to_bytes(4, "little"))
                self.code[va] = word
                changed = True
        if changed:
            self.uc.ctl_flush_tb()

    def run(self, before: list[int], words: list[tuple[int, int]]) -> tuple[list[int], int]:
        """Run the stretch from these registers; registers and pc after it."""
        for i in range(1, 32):
            if before[i] != self.x[i]:
                self.uc.reg_write(self.numbers[i], before[i])
        try:
            self.uc.emu_start(words[0][0], 0, count=len(words))
        except self.error as error:
            # The code is all there: what is missing is where its last jump goes.
            if error.errno != self.no_code:
                raise
        self.x = [v & MASK32 for v in self.uc.reg_read_batch(self.numbers)]
        return self.x, self.uc.reg_read(self.pc) & MASK32


def unprivileged(word: int) -> bool:
    """True for an instruction that Unicorn is asked to run."""
    opcode = word & 0x7F
    return opcode != SYSTEM and not (opcode == AMO and word >> 27 == SC)


def check(seed: int, tally: Tally, kind: type[NaiveHart] = NaiveHart) -> None:
    """Program ``seed`` on the model and, where it is unprivileged, in Unicorn."""
    program = short_program(seed)
    model = model_of(program, type(kind.__name__, (Recorder, kind), {}))
    voice = Voice()
    words: list[tuple[int, int]] = []
    before: list[int] = []
    tally.programs += 1

    def finish(registers: list[int], pc: int, access: tuple[int, bytes, bytes] | None) -> None:
        """Run what has been gathered and compare."""
        if not words:
            return
        voice.put_code(words)
        if access is not None:
            if any(access[0] <= va + 3 and va < access[0] + 4 for va, _ in words):
                words.clear()  # it changes or reads the code of its own stretch
                return
            voice.write(access[0], access[1])
        try:
            theirs, their_pc = voice.run(before, words)
        except voice.error as error:
            raise Difference(f"{program.name}: {error}\n{describe(model)}") from None
        if (theirs, their_pc) != (registers, pc):
            names = [i for i in range(32) if theirs[i] != registers[i]]
            found = ", ".join(f"x{i} {registers[i]:#x} (Unicorn {theirs[i]:#x})" for i in names)
            raise Difference(
                f"{program.name}: registers differ: {found} pc {pc:#x} (Unicorn {their_pc:#x})\n"
                f"{describe(model)}"
            )
        if access is not None:
            data = voice.read(access[0], len(access[2]))
            if data != access[2]:
                raise Difference(
                    f"{program.name}: memory at {access[0]:#x} is {access[2].hex()}, "
                    f"in Unicorn {data.hex()}\n{describe(model)}"
                )
            tally.accesses += 1
        tally.compared += len(words)
        tally.opcodes.update(word & 0x7F for _, word in words)
        words.clear()

    for _ in range(STEPS):
        x, pc = list(model.x), model.pc
        model.access = None
        model.step()
        tally.steps += 1
        word = model.last_word
        retired = model.last_cause is None and not model.touched and not model.foreign
        model.touched = False
        if not retired or word is None or not unprivileged(word):
            finish(x, pc, None)
            if model.stuck or model.foreign:
                return
            continue
        if not words:
            before = x
        words.append((pc, word))
        if model.access is not None:
            finish(list(model.x), model.pc, model.access)
    finish(list(model.x), model.pc, None)
