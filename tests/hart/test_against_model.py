"""The compiled machine in lock step with the slow reference model.

Everything architectural is compared: registers, pc, mode, every CSR, the
clock, and RAM.  Programs come from tests/support; the model is judged itself
in tests/reference.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.naive import NaiveHart
from tests.support.asm import Asm
from tests.support.compare import lockstep, lockstep_chunks
from tests.support.kernels import machine_kernel, supervisor_kernel
from tests.support.machine_adapter import MachineAdapter
from tests.support.programs import RAM_BASE, Program, chaos_program, user_program
from toyvm.isa.decode import decode
from toyvm.isa.op import Op

LINES = (9, 11)  # supervisor and machine external interrupt


def sizes(seed: int, total: int) -> list[int]:
    """Chunks of very different size that make ``total`` steps."""
    rng = random.Random(f"chunks {seed}")
    chunks = []
    while sum(chunks) < total:
        chunks.append(rng.choice((1, 2, 9, 10, 40, 200, 900)))
    return chunks


def directed(a: Asm) -> Program:
    """A program that ends in a jump to itself."""
    a.label("end")
    a.j("end")
    return Program("directed", a.image().ljust(0x4000, b"\0"), steps=0)


# ---- step by step ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_user_program_step_by_step(seed: int) -> None:
    program = user_program(seed)
    dut = MachineAdapter.of(program)
    assert lockstep(dut, dut.model(), program.steps, name=program.name) == program.steps


@pytest.mark.parametrize("seed", range(6))
def test_machine_kernel_step_by_step(seed: int) -> None:
    program = machine_kernel(seed)
    dut = MachineAdapter.of(program)
    lockstep(dut, dut.model(), 3000, full_every=4, name=program.name)


@pytest.mark.parametrize("seed", range(4))
def test_supervisor_kernel_step_by_step(seed: int) -> None:
    program = supervisor_kernel(seed)
    dut = MachineAdapter.of(program, bios="sbi")
    assert dut.machine.pc == program.base
    lockstep(dut, dut.model(), 2000, full_every=4, ram_every=2000, name=program.name)


# ---- in runs: warm TLB, decoded code, deadlines in the middle ----------------------------


@pytest.mark.parametrize("seed", range(100, 110))
def test_user_program_in_runs(seed: int) -> None:
    program = user_program(seed, length=300)
    dut = MachineAdapter.of(program)
    lockstep_chunks(dut, dut.model(), sizes(seed, 1200), name=program.name)


@pytest.mark.parametrize("seed", range(100, 130))
def test_machine_kernel_in_runs(seed: int) -> None:
    program = machine_kernel(seed)
    dut = MachineAdapter.of(program)
    lockstep_chunks(dut, dut.model(), sizes(seed, 7000), name=program.name)


@pytest.mark.parametrize("seed", range(200, 206))
def test_machine_kernel_without_pmp(seed: int) -> None:
    program = machine_kernel(seed)
    dut = MachineAdapter.of(program, pmp=0)
    lockstep_chunks(dut, dut.model(), sizes(seed, 7000), name=program.name)


@pytest.mark.parametrize("seed", range(100, 112))
def test_supervisor_kernel_in_runs(seed: int) -> None:
    program = supervisor_kernel(seed)
    dut = MachineAdapter.of(program, bios="sbi")
    lockstep_chunks(dut, dut.model(), sizes(seed, 5000), name=program.name, ram_every=40)


@pytest.mark.parametrize("seed", range(12))
def test_chaos(seed: int) -> None:
    """Random words as code, which also overwrite code."""
    program = chaos_program(seed)
    dut = MachineAdapter.of(program)
    lockstep_chunks(dut, dut.model(), sizes(seed, 6000), name=program.name)


@pytest.mark.parametrize("seed", range(300, 308))
def test_external_interrupts_at_random_steps(seed: int) -> None:
    """Lines that change between runs, as devices change them."""
    rng = random.Random(f"lines {seed}")
    program = machine_kernel(seed)
    dut = MachineAdapter.of(program)
    model = dut.model()
    for _ in range(40):
        bit, level = rng.choice(LINES), rng.random() < 0.4
        dut.machine.set_line(bit, level)
        model.set_line(bit, level)
        lockstep_chunks(dut, model, [rng.randrange(1, 200)], name=program.name)
        if model.stuck:
            break


# ---- everything is executed -----------------------------------------------------------------


def test_every_instruction_and_trap_is_compared() -> None:
    """The programs above execute every Op, trap in every way and use every mode."""
    programs = [user_program(seed) for seed in range(6)]
    programs += [machine_kernel(seed) for seed in range(100, 130)]
    ops: set[Op] = set()
    causes: Counter[int | None] = Counter()
    modes: set[int] = set()
    for program in programs:
        hart = MachineAdapter.of(program).model()
        for _ in range(program.steps):
            hart.step()
            causes[hart.last_cause] += 1
            modes.add(hart.last_mode)
            if hart.last_word is not None and hart.last_cause in (None, 3, 8, 9, 11):
                decoded = decode(hart.last_word)
                assert decoded is not None
                ops.add(decoded.op)
    assert set(Op) - ops == set(), "never executed"
    interrupts = {1 << 31 | i for i in (1, 3, 5, 7, 9)}
    exceptions = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15}
    assert (interrupts | exceptions | {None}) - set(causes) == set(), "never happened"
    assert modes == {0, 1, 3}


# ---- directed: what random programs seldom do --------------------------------------------------


def test_clock_in_wfi_and_its_phase() -> None:
    """wfi sleeps to the deadline's first step; ticks stay ten steps apart after it."""
    a = Asm()
    a.li(6, 0x0200_4000)
    a.addi(5, 0, 77)
    a.sw(5, 0, 6)
    a.sw(0, 4, 6)
    a.addi(5, 0, 128)
    a.csrw(0x304, 5)
    a.wfi()
    for _ in range(25):
        a.csrr(7, 0xC01)
    a.li(5, 200)
    a.sw(5, 0, 6)
    a.wfi()
    for _ in range(25):
        a.csrr(7, 0xC01)
    dut = MachineAdapter.of(directed(a))
    model = dut.model()
    lockstep(dut, model, 75)
    assert model.mtime >= 200


def test_wfi_without_an_end_is_idle() -> None:
    a = Asm()
    a.wfi()
    dut = MachineAdapter.of(directed(a))
    lockstep(dut, dut.model(), 5)
    assert dut.machine.run(100).reason == "idle"


def test_dma_ends_a_reservation_and_own_stores_do_not() -> None:
    a = Asm()
    a.li(5, RAM_BASE + 0x2000)
    a.li(7, 99)
    for _ in range(4):
        a.lr(6, 5)
        a.sw(7, 0, 5)
        a.sc(8, 5, 7)
    program = directed(a)
    for pa, size in ((0x2000, 4), (0x1FFF, 2), (0x2003, 1), (0x2004, 4), (0x1FFC, 4)):
        dut = MachineAdapter.of(program)
        model = dut.model()
        start = len(a.words()) - 13
        lockstep(dut, model, start + 1)
        model.dma_write(RAM_BASE + pa, bytes(size))
        assert dut.machine.write_phys(RAM_BASE + pa, bytes(size))
        lockstep(dut, model, 11)


def test_code_written_from_outside_is_seen() -> None:
    """A device's store to code takes effect at once, on decoded code too."""
    a = Asm()
    a.label("again")
    a.addi(5, 5, 1)
    a.j("again")
    dut = MachineAdapter.of(directed(a))
    model = dut.model()
    lockstep_chunks(dut, model, [100])
    patch = Asm()
    patch.addi(5, 5, 100)
    model.dma_write(RAM_BASE, patch.image())
    dut.machine.write_phys(RAM_BASE, patch.image())
    lockstep_chunks(dut, model, [100])
    assert model.x[5] == 50 + 5000


def test_code_across_pages_and_at_the_end_of_ram() -> None:
    """Straight code over a page end, and a fetch past the last word of RAM."""
    ram = 1 << 20
    a = Asm()
    a.la(5, "handler")
    a.csrw(0x305, 5)
    a.li(6, RAM_BASE + ram - 8)
    a.jalr(1, 6, 0)
    a.label("handler")
    a.csrr(7, 0x341)
    a.csrr(8, 0x343)
    nops = (0x0000_0013).to_bytes(4, "little") * 2
    dut = MachineAdapter(directed(a).image, ram)
    dut.machine.write_phys(RAM_BASE + ram - 8, nops)
    model = dut.model()
    lockstep(dut, model, 40)
    assert model.csr("mcause") == 1
    assert model.csr("mtval") == RAM_BASE + ram
    a = Asm()
    for _ in range(1500):
        a.addi(5, 5, 1)
    dut = MachineAdapter.of(directed(a))
    model = dut.model()
    lockstep_chunks(dut, model, [1020, 3, 2, 400])
    assert model.x[5] == 1425


def flushes_then_user_mode(flushes: int, status: int) -> Program:
    """M-mode flushes, then goes to U-mode on its own page, which U-mode must not execute.

    An interrupt to S-mode comes first, so that U-mode's fetch is a fresh one.
    """
    root, table = RAM_BASE + 0x10000, RAM_BASE + 0x11000
    a = Asm()
    for number, label in ((0x305, "m_handler"), (0x105, "s_handler")):
        a.la(5, label)
        a.csrw(number, 5)
    a.addi(5, 0, -1)
    a.csrw(0x3B0, 5)
    a.addi(5, 0, 0x1F)
    a.csrw(0x3A0, 5)
    a.li(5, 1 << 31 | root >> 12)
    a.csrw(0x180, 5)
    a.sfence_vma()
    a.addi(5, 0, 0x200)
    for number in (0x303, 0x304, 0x344):  # a pending, delegated external interrupt
        a.csrw(number, 5)
    a.li(5, status)
    a.csrrs(0, 0x300, 5)
    a.li(20, flushes)
    a.j("flush")
    a.pad_to(RAM_BASE + 0x1000)
    a.label("flush")
    a.beq(20, 0, "leave")
    a.sfence_vma()
    a.addi(20, 20, -1)
    a.j("flush")
    a.label("leave")
    a.la(5, "user")
    a.csrw(0x341, 5)
    a.mret()
    a.label("user")
    a.nop()
    a.j("user")
    a.pad_to(RAM_BASE + 0x2000)
    a.label("m_handler")
    a.csrr(9, 0x342)
    a.label("end")
    a.j("end")
    a.pad_to(RAM_BASE + 0x3000)
    a.label("s_handler")
    a.addi(11, 0, 0x200)
    a.csrrc(0, 0x104, 11)
    a.sret()
    image = bytearray(a.image().ljust(0x12000, b"\0"))
    ptes = {root + 4 * (RAM_BASE >> 22): table >> 12 << 10 | 1}
    for page in range(4):  # valid, readable, executable, accessed: but not for U-mode
        ptes[table + 4 * page] = (RAM_BASE >> 12) + page << 10 | 0x4B
    for pa, pte in ptes.items():
        image[pa - RAM_BASE : pa - RAM_BASE + 4] = pte.to_bytes(4, "little")
    return Program(f"{flushes} flushes, mstatus {status:#x}", bytes(image), 60 + 4 * flushes)


@pytest.mark.parametrize("status", [0, 1 << 17], ids=["plain", "MPRV"])
def test_any_number_of_flushes(status: int) -> None:
    """Nothing that a TLB held before a flush comes back, however many there were."""
    for flushes in range(70):
        program = flushes_then_user_mode(flushes, status)
        dut = MachineAdapter.of(program)
        model = dut.model()
        lockstep_chunks(dut, model, [program.steps], name=program.name)
        assert model.csr("mcause") == 12


def deadline_at_an_interrupt(delay: int, vectored: int) -> Program:
    """Takes an S-mode interrupt twice; the second time a deadline is near."""
    a = Asm()
    a.la(5, "m_handler")
    a.csrw(0x305, 5)
    a.la(5, "s_handler")
    a.addi(5, 5, vectored)
    a.csrw(0x105, 5)
    a.addi(5, 0, -1)
    a.csrw(0x3B0, 5)
    a.addi(5, 0, 0x1F)
    a.csrw(0x3A0, 5)
    a.addi(5, 0, 0x200)
    for number in (0x303, 0x344, 0x304):
        a.csrw(number, 5)
    a.la(5, "user")
    a.csrw(0x341, 5)
    a.mret()
    a.label("again")
    a.addi(20, 20, 1)
    a.li(5, 0x1800)
    a.csrrc(0, 0x300, 5)
    a.li(6, 0x0200_4000)
    a.addi(5, 0, 10)  # due at step 100
    a.sw(5, 0, 6)
    a.sw(0, 4, 6)
    a.addi(5, 0, 0x280)
    a.csrw(0x304, 5)
    a.la(5, "user")
    a.csrw(0x341, 5)
    for _ in range(delay):
        a.nop()
    a.mret()
    a.label("user")
    a.j("user")
    a.pad_to(RAM_BASE + 0x1000)
    a.label("s_handler")
    for _ in range(12):
        a.j("s_common")
    a.label("s_common")
    for _ in range(30):
        a.addi(7, 7, 1)
    a.ecall()
    a.pad_to(RAM_BASE + 0x2000)
    a.label("m_handler")
    a.csrr(8, 0x341)
    a.la(5, "again")
    a.bne(20, 0, "end")
    a.jalr(0, 5, 0)
    return directed(a)


@pytest.mark.parametrize("vectored", [0, 1])
def test_deadline_at_the_step_of_another_interrupt(vectored: int) -> None:
    """The timer comes due by the very step that delivers another interrupt.

    M-mode's timer must then interrupt the handler before its first instruction,
    decoded or not, in one long run as in single steps.
    """
    at_first_instruction = 0
    for delay in range(50):
        program = deadline_at_an_interrupt(delay, vectored)
        dut = MachineAdapter.of(program)
        model = dut.model()
        lockstep_chunks(dut, model, [200], name=f"delay {delay}")
        assert model.csr("mcause") == 1 << 31 | 7
        at_first_instruction += model.x[8] == RAM_BASE + 0x1000 + 36 * vectored
    assert at_first_instruction == 1


def test_trap_loop_counts_steps() -> None:
    """mtvec at an illegal word: every step is a trap, and the clock goes on."""
    a = Asm()
    a.la(5, "bad")
    a.csrw(0x305, 5)
    a.label("bad")
    a.word(0)
    dut = MachineAdapter.of(Program("trap loop", a.image(), 0))
    model = dut.model()
    lockstep_chunks(dut, model, [1, 7, 500, 3])
    assert model.mtime == 51


# ---- the comparison itself -------------------------------------------------------------------


class WrongSret(NaiveHart):
    """An SRET that keeps SPP."""

    def return_from_s(self) -> None:
        spp = self.mstatus & 0x100
        super().return_from_s()
        self.mstatus |= spp


def test_the_comparison_finds_a_difference() -> None:
    """Break the model in one bit, and lock step says where."""

    def compare_all() -> None:
        for seed in range(100, 110):
            program = machine_kernel(seed)
            dut = MachineAdapter.of(program)
            model = dut.model()
            model.__class__ = WrongSret
            lockstep(dut, model, 3000, full_every=8)

    with pytest.raises(AssertionError, match="mstatus"):
        compare_all()


def test_a_difference_in_ram_is_found() -> None:
    program = user_program(1)
    dut = MachineAdapter.of(program)
    model = dut.model()
    model.ram[0x6000] ^= 1
    with pytest.raises(AssertionError, match="RAM at 0x80006000"):
        lockstep(dut, model, 10)
