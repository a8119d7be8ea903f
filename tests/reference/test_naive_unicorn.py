"""The reference model against Unicorn (QEMU's translator) on user-level code."""

from __future__ import annotations

import pytest

from tests.naive import NaiveHart
from tests.support.programs import RAM_BASE, RAM_SIZE, user_program

unicorn = pytest.importorskip("unicorn", reason="Unicorn is missing: pip install unicorn")
riscv = pytest.importorskip("unicorn.riscv_const")


def machine(image: bytes) -> unicorn.Uc:
    """A 32-bit Unicorn with the image in RAM."""
    uc = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
    uc.mem_map(RAM_BASE, RAM_SIZE)
    uc.mem_write(RAM_BASE, image)
    return uc


def registers(uc: unicorn.Uc) -> list[int]:
    return [uc.reg_read(riscv.UC_RISCV_REG_X0 + i) & 0xFFFF_FFFF for i in range(32)]


@pytest.mark.parametrize("seed", range(1000, 1040))
def test_registers_after_every_instruction(seed: int) -> None:
    program = user_program(seed)
    uc = machine(program.image)
    hart = NaiveHart(RAM_SIZE)
    hart.load_program(program.image)
    for step in range(program.steps):
        pc = hart.pc
        uc.emu_start(pc, 0xFFFF_FFFC, count=1)
        hart.step()
        where = f"step {step}, pc {pc:#x}, word {hart.last_word:#010x}"
        assert hart.last_cause is None, where
        assert registers(uc) == hart.x, where
        assert uc.reg_read(riscv.UC_RISCV_REG_PC) & 0xFFFF_FFFF == hart.pc, where
    assert bytes(uc.mem_read(RAM_BASE, RAM_SIZE)) == bytes(hart.ram)
