"""A guard against slow code that counts work instead of seconds.

The machine code of regions runs in Unicorn, an emulator of x86-64, which counts its instructions;
regions, entries and steps are counted where translation is not in the background.  All these
numbers are the same on any computer and however busy it is, so a bound can be near the truth.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.hypervisor.guests import BASE, RAM, guest
from tests.support.tiers import QuickCode
from toyvm.hart import ops
from toyvm.hart.translate import backend, emit
from toyvm.hart.translate import translator as tier2
from toyvm.hart.translate.backend import unavailable
from toyvm.hart.translate.pool import Pool
from toyvm.hart.translate.region import Snapshot, form
from toyvm.hart.translate.translator import Translator
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

pytestmark = [
    pytest.mark.skipif(unavailable() != "", reason=f"no tier 2: {unavailable()}"),
    pytest.mark.skipif(
        platform.machine().lower() not in ("x86_64", "amd64"), reason="counts x86-64 instructions"
    ),
]

PAGE = 0x1000
DATA = BASE + 0x8000


class Counter:
    """Runs the machine code of a region in Unicorn, on copies of this process's memory."""

    def __init__(self, source: str) -> None:
        image = guest(source)
        code = b"".join(data for _, data, _ in image.segments)[:PAGE].ljust(PAGE, b"\0")
        words = np.frombuffer(code, dtype="<u4").copy()
        start = image.symbols["loop"] - BASE
        region = form(
            Snapshot({0: words}, {0: words != 0}, {0: np.zeros(1024, dtype=np.int64)}, {}), start
        )
        assert region is not None
        self.region = region
        self.code = backend.Code(emit.emit(region, "region"), "region")
        self.start = start
        self.x = np.zeros(256, dtype=np.uint32)
        self.ram: Any = np.zeros(16 * PAGE, dtype=np.uint8)
        self.tlb = np.full(512, -1, dtype=np.int64)
        self.cache = np.zeros(ops.REGION_CACHE, dtype=np.int64)
        for page in range(8, 16):
            va = BASE + PAGE * page
            entry = ((PAGE * page - va) & 0xFFFF_FFFF) << 32 | va
            self.tlb[[(va >> 12) & 255, 256 + ((va >> 12) & 255)]] = np.int64(
                entry - (1 << 64) if entry >> 63 else entry
            )

    def run(self, steps: int, registers: dict[int, int]) -> tuple[int, int]:
        """(guest instructions, host instructions) of one entry with so many steps left."""
        import unicorn
        from unicorn import x86_const as x86

        self.x[:] = 0
        for register, value in registers.items():
            self.x[register] = value & 0xFFFF_FFFF
        machine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
        count = [0]

        with open("/proc/self/mem", "rb", buffering=0) as memory:

            def missing(uc: Any, _kind: int, address: int, *_rest: Any) -> bool:
                memory.seek(address & ~(PAGE - 1))
                uc.mem_map(address & ~(PAGE - 1), PAGE)
                uc.mem_write(address & ~(PAGE - 1), memory.read(PAGE))
                return True

            def each(*_arguments: Any) -> None:
                count[0] += 1

            machine.hook_add(unicorn.UC_HOOK_MEM_UNMAPPED, missing)
            machine.hook_add(unicorn.UC_HOOK_CODE, each)
            for address in {self.x.ctypes.data & -PAGE, (self.x.ctypes.data + 1023) & -PAGE}:
                missing(machine, 0, address)
            stack, end = 0x10_0000, 0x20_0000
            machine.mem_map(stack, 16 * PAGE)
            machine.mem_map(end, PAGE)
            top = stack + 15 * PAGE
            machine.mem_write(top, end.to_bytes(8, "little"))
            machine.reg_write(x86.UC_X86_REG_RSP, top)
            arrays: tuple[Any, ...] = (self.x, self.ram, self.tlb, self.cache)
            names = ("RDI", "RSI", "RDX", "RCX")
            for name, array in zip(names, arrays, strict=True):
                machine.reg_write(getattr(x86, f"UC_X86_REG_{name}"), array.ctypes.data)
            machine.reg_write(x86.UC_X86_REG_R8, steps << 32 | BASE + self.start)
            machine.reg_write(x86.UC_X86_REG_R9, BASE)
            machine.emu_start(self.code.address, end)
            left = machine.reg_read(x86.UC_X86_REG_RAX) >> 32
            self.x[:] = np.frombuffer(machine.mem_read(self.x.ctypes.data, 1024), dtype=np.uint32)
        return steps - left, count[0]

    def per_round(self, registers: dict[int, int], steps: int) -> float:
        """Host instructions for each guest instruction, entry and exit left out."""
        few, many = self.run(steps, registers), self.run(3 * steps, registers)
        assert steps // 2 < few[0] <= steps
        return (many[1] - few[1]) / (many[0] - few[0])


@pytest.fixture(autouse=True)
def any_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code for every x86-64 processor of the last fifteen years, not for this one."""
    monkeypatch.setattr(backend, "host_processor", lambda: ("x86-64-v2", ""))


# ---- host instructions of translated code ------------------------------------------------------

#: What an instruction of a loop may cost.  x86 has two operands, so an operation is a copy and the
#: operation.  An access by a pointer that moves by fixed steps adds two registers, reads or writes,
#: and extends; any other one masks its address, compares it with the copy of the TLB entry, jumps,
#: fetches and adds the distance, and may spill a register.  Where the copy misses, a function is
#: called (7) that keeps registers (9), reads what is wanted (4), counts (1), computes the entry's
#: number (3), compares (3) and copies it (1); copies that miss often go.  A branch
#: compares and jumps, a block takes its steps off and may jump to where paths meet; a jump backward
#: tests what is left as well.  Division tests for 0, -1 and the least number, and chooses results.
#: A return takes the home page's address off, and finds its place among those that follow calls.
COST = {
    "alu": 2, "walk": 4, "access": 10, "miss": 28, "branch": 4, "back": 6, "div": 11, "call": 3,
    "ret": 9,
}  # fmt: skip
LOOPS: dict[str, tuple[str, dict[str, float]]] = {
    "arithmetic": (
        "addi a0, a0, 1\n xor a1, a1, a0\n slli a2, a1, 3\n add a3, a3, a2",
        {"alu": 5, "back": 1},
    ),
    "a copy": (
        "lw a0, 0(s5)\n sw a0, 0(s6)\n addi s5, s5, 4\n addi s6, s6, 4",
        {"walk": 2, "alu": 3, "back": 1},
    ),
    "bytes and halves": (
        "lbu a0, 0(s5)\n lh a1, 2(s5)\n add a2, a0, a1\n sb a2, 1(s6)",
        {"walk": 3, "alu": 2, "back": 1},
    ),
    "two pages by turns": (
        "lw a0, 0(s5)\n add a1, a1, a0\n mv t0, s5\n mv s5, s6\n mv s6, t0",
        {"access": 1, "miss": 1, "alu": 5, "back": 1},
    ),
    "branches": (
        "andi a0, s4, 3\n beqz a0, 1f\n addi a1, a1, 5\n1: andi a2, s4, 4\n bnez a2, 2f\n"
        " xor a1, a1, s4\n2:",
        # Of 64 rounds 16 skip the first and 32 the second instruction.
        {"alu": 4.25, "branch": 2, "back": 1},
    ),
    "division": (
        "div a0, s4, s5\n rem a1, s4, s5\n mul a2, a0, a1",
        {"div": 2, "alu": 2, "back": 1},
    ),
    "calls": (
        "jal leaf\n j 1f\nleaf: add a0, a0, s4\n ret\n1:",
        {"call": 1, "ret": 1, "alu": 2, "branch": 1, "back": 1},
    ),
}


def cost_of(name: str) -> tuple[float, float]:
    """Host instructions for each instruction of a loop: measured, and what they may be."""
    body, parts = LOOPS[name]
    counter = Counter(f"loop:\n {body}\n addi s4, s4, -1\n bnez s4, loop\n")
    registers = {20: 100_000, 21: DATA, 22: DATA + 0x4000}
    length = sum(count for part, count in parts.items() if part != "miss")
    bound = sum(COST[part] * count for part, count in parts.items()) / length
    return counter.per_round(registers, 300), bound


@pytest.mark.parametrize("name", LOOPS)
def test_host_instructions_of_a_round(name: str) -> None:
    """No loop needs more than its instructions may cost: Unicorn counts."""
    measured, bound = cost_of(name)
    assert 1 <= measured <= bound, f"{measured:.2f} host instructions for each, at most {bound:.2f}"


def test_host_instructions_of_an_entry() -> None:
    """Into a region and out: six registers in and out, the way to the head, state and saves."""
    counter = Counter(f"loop:\n {LOOPS['arithmetic'][0]}\n addi s4, s4, -1\n bnez s4, loop\n")
    registers = {20: 100_000}
    steps, host = counter.run(6, registers)
    assert steps == 6
    # Two for each register; six saved and restored by the calling convention; 20 for the rest.
    assert host - 6 * counter.per_round(registers, 300) <= 2 * 6 + 2 * 6 + 20


def test_slower_code_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without LLVM's passes every loop is over its bound."""
    monkeypatch.setattr(backend, "Code", QuickCode)
    for name in LOOPS:
        measured, bound = cost_of(name)
        assert measured > bound, name


# ---- what a run of a guest takes -----------------------------------------------------------------


class Synchronous(Pool):
    """Translates at once, so that a run is the same every time; for hot code only, as for users."""

    def request(self, job: Any) -> None:
        self.fulfil(job)


HOT = 100_000
INTERVAL = 20_000


def translated(kind: type, source: str, steps: int, patch: pytest.MonkeyPatch) -> Translator:
    """A guest after so many steps in tier 2, with smaller thresholds than users have."""
    patch.setattr(tier2, "HOT", HOT)
    patch.setattr(tier2, "INTERVAL", INTERVAL)
    patch.setattr(tier2, "FIRST", INTERVAL)
    computer: Any = kind(ram=RAM, bios="none", tier=1)
    pool = Synchronous()
    translator = Translator(computer.hart.core.dec, computer.hart.core.ram, pool=pool)
    computer.hart.translator = translator
    computer.load(guest(source))
    computer.run(steps)
    assert computer.steps == steps
    assert not pool.failures
    return translator


def entries(translator: Translator) -> int:
    """How often translated code was entered from the loop."""
    return sum(translator._field(one, ops.REGION_HITS) for one in translator.regions)


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_a_hot_loop_is_one_region_that_is_not_left(
    kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 3_000_000
    body = LOOPS["a copy"][0].replace("addi s5, s5, 4\n addi s6, s6, 4", "xor a1, a1, a0")
    translator = translated(
        kind,
        f"la s5, data\n la s6, data + 64\n li s4, 10000000\nloop:\n {body}\n addi s4, s4, -1\n"
        " bnez s4, loop\n pass\n.balign 4096\ndata: .space 4096\n",
        steps,
        monkeypatch,
    )
    assert (translator.pool.made, translator.installed, translator.dropped) == (1, 1, 0)
    # It is hot after HOT steps, which a sample notices; from then on all steps are translated but
    # those around each sample, where tier 1 makes the last few of the budget.
    assert translator.steps() >= 0.98 * (steps - HOT - 2 * INTERVAL)
    assert entries(translator) <= 2 * steps // INTERVAL


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_calls_stay_in_translated_code(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recursive function and its callers: its returns find their way without leaving."""
    steps = 3_000_000
    translator = translated(
        kind,
        """
            la   sp, stack
        again:
            li   a0, 12
            call fib
            j    again
        fib:
            li   t0, 2
            blt  a0, t0, 1f
            addi sp, sp, -12
            sw   ra, 0(sp)
            sw   a0, 4(sp)
            addi a0, a0, -1
            call fib
            sw   a0, 8(sp)
            lw   a0, 4(sp)
            addi a0, a0, -2
            call fib
            lw   t0, 8(sp)
            add  a0, a0, t0
            lw   ra, 0(sp)
            addi sp, sp, 12
        1:  ret
        .balign 4096
            .space 4096
        stack:
        """,
        steps,
        monkeypatch,
    )
    # The function may be found in two pieces before its caller joins them.
    assert translator.pool.made <= 3
    assert translator.steps() >= 0.95 * (steps - HOT - 2 * INTERVAL)
    assert entries(translator) <= 4 * steps // INTERVAL


def test_code_that_does_not_pay_is_translated_a_few_times_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A loop that leaves its region every third instruction is given up."""
    source = "loop:\n addi a0, a0, 1\n csrr a1, mscratch\n j loop\n"
    translator = translated(Machine, source, 3_000_000, monkeypatch)
    assert translator.installed <= tier2._STRIKES
    assert not translator.regions
    # Each time two of three steps are made in it until it is judged, and samples lie a quarter
    # of the interval apart from it at most.
    judged = tier2._REVIEW * INTERVAL * 1.25
    assert translator.steps() <= tier2._STRIKES * judged * 2 / 3


# ---- host instructions of the loop -------------------------------------------------------------


def machine_code_around(address: int) -> tuple[int, bytes]:
    """Where the mapping with `address` begins, and its bytes."""
    import ctypes

    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(place, 16) for place in line.split()[0].split("-"))
        if first <= address < last:
            return first, ctypes.string_at(first, last - first)
    raise AssertionError(f"{address:#x} is not mapped")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc/self/maps")
def test_the_loop_dispatches_through_one_table() -> None:
    """From a decoded word to its arm: mask the code, jump; no range check, no second table.

    There was a second table for a third of the codes, and nobody noticed but for the time.
    """
    import capstone

    from toyvm.hart.execute import execute

    machine = Machine(ram=RAM, bios="none")
    machine.load(guest("pass\n"))
    assert machine.run(10).reason == "exit"
    (compiled,) = execute.overloads.values()
    name = compiled.fndesc.llvm_func_name
    start, code = machine_code_around(compiled.library.get_pointer_to_function(name))
    disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    disassembler.skipdata = True
    lines = [
        f"{mnemonic} {operands}"
        for _, _, mnemonic, operands in disassembler.disasm_lite(code, start)
    ]
    masks = [at for at, line in enumerate(lines) if re.fullmatch(r"and e\w+, 0x3f", line)]
    jumps = [at for at in masks if re.match(r"jmp .*\*8", lines[at + 1])]
    near = [at for at in masks if any(re.match(r"jmp .*\*8", line) for line in lines[at : at + 8])]
    # The mapping may hold the loop's other copy, which is part of `vcpu.run`.
    assert len(jumps) in (1, 2), [lines[at : at + 8] for at in near]
    assert near == jumps
