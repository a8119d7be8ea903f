"""The comparison itself: one wrong bit on any of the machines is found and named."""

from __future__ import annotations

import pytest

from tests.hypervisor.guests import guest
from tests.hypervisor.twin import Difference, Twin, check_quick
from toyvm.machine import Machine
from toyvm.platform import RAM_BASE

#: A page that the guest never touches, and the one that its code is in.
PLACES = [RAM_BASE + 0x9_0123, RAM_BASE + 0x123]


@pytest.fixture
def twin() -> Twin:
    twin = Twin(guest("loop: addi a0, a0, 1\n j loop\n"))
    twin.run(100)
    twin.check_whole()
    return twin


@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("who", ["bare", "vm"])
def test_one_byte_of_ram(twin: Twin, who: str, at: int) -> None:
    assert getattr(twin, who).write_phys(at, b"\x80")
    with pytest.raises(Difference, match=f"RAM at {at:#x}: bare .*, virtualised "):
        twin.check_whole()


@pytest.mark.parametrize("at", PLACES)
def test_one_byte_of_the_model_s_ram(twin: Twin, at: int) -> None:
    assert twin.model
    twin.model.hart.ram[at - RAM_BASE] ^= 0x80
    with pytest.raises(Difference, match=f"RAM at {at:#x}: bare .*, model "):
        twin.check_whole()


def test_a_register(twin: Twin) -> None:
    twin.vm.set_x(10, 7)
    with pytest.raises(Difference, match=r"bare and virtualised differ after 100 and 100 steps"):
        twin.check_whole()


def test_two_machines_of_one_kind() -> None:
    """As the tiers of the interpreter are compared."""
    program = guest("loop: addi a0, a0, 1\n j loop\n")
    one, two = (Machine(1 << 20, bios="none") for _ in range(2))
    for machine in (one, two):
        machine.load(program)
        machine.run(9)
    check_quick(one, two)
    two.set_x(11, 1)
    with pytest.raises(Difference, match=r"one and two differ after 9 and 9 steps\n.*\n *x11|x11"):
        check_quick(one, two)
