"""Where the frames of a VM go when it ends, dies or is taken away."""

from __future__ import annotations

import pytest

from tests.hypervisor.guests import BASE, guest
from toyvm.hypervisor import Hypervisor, Vm
from toyvm.machine import Stop
from toyvm.machine.memory import PAGE

RAM = 1 << 20
#: Touches 100 pages and ends as the text after it says.
TOUCH = """
    li   s0, 100
    li   s1, 0x80020000
    li   s2, 4096
1:  sw   s0, 0(s1)
    add  s1, s1, s2
    addi s0, s0, -1
    bnez s0, 1b
"""
DYING = TOUCH + "    csrw mtvec, zero\n    .word 0\n"
ENDLESS = "1:  addi s0, s0, 1\n    j 1b\n"


def fleet(*texts: str) -> Hypervisor:
    hypervisor = Hypervisor([RAM] * len(texts), slice_steps=1_000)
    for number, text in enumerate(texts):
        hypervisor.create(f"vm{number}", RAM, bios="none").load(guest(text))
    return hypervisor


def test_a_vm_that_died_gives_its_frames_back_after_its_report() -> None:
    hypervisor = fleet(DYING, ENDLESS)
    seen: list[tuple[str, int, str]] = []

    def finished(vm: Vm, stop: Stop) -> None:
        seen.append((stop.reason, hypervisor.host.owners[vm.name], vm.death()))

    hypervisor.finished = finished
    for _ in range(200):
        hypervisor.round()
        if seen:
            break
    ((reason, frames, report),) = seen
    assert reason == "error"
    assert frames >= 100, "its memory is still there when it is reported"
    assert "trap loop" in report
    assert "vm0" not in hypervisor.host.owners
    assert hypervisor.deaths() == [report], "and the report needs no memory"
    assert hypervisor.vms[0].read_phys(BASE + 0x2_0000, 4) == bytes(4)
    # A device that is late finds no memory, and takes none.
    assert not hypervisor.vms[0].memory.write(BASE, b"late")
    assert hypervisor.vms[0].run(10).reason == "error"
    assert "vm0" not in hypervisor.host.owners
    assert hypervisor.host.intruders() == []
    # Who looks for the cause of a death keeps the memory.
    kept = fleet(DYING)
    kept.keep_dead = True
    kept.run(max_rounds=200)
    assert kept.vms[0].read_phys(BASE + 0x2_0000, 4) == (100).to_bytes(4, "little")


def test_many_generations_live_on_one_host() -> None:
    """VMs that come, die or are destroyed: ten times as many as the host could hold at once."""
    hypervisor = Hypervisor([RAM, RAM], slice_steps=1_000)
    total = len(hypervisor.host.ram) // PAGE
    taken = 0
    for number in range(60):
        name = f"vm{number}"
        vm = hypervisor.create(name, RAM, bios="none")
        vm.load(guest(DYING if number % 2 else TOUCH + ENDLESS))
        for _ in range(3):
            hypervisor.round()
        taken += hypervisor.host.owners.get(name, 100)
        hypervisor.destroy(name)
        assert hypervisor.host.owners == {}
        assert hypervisor.vms == []
    assert taken > 5 * total
    assert hypervisor.host.intruders() == []
    with pytest.raises(KeyError, match="no VM called 'vm0'"):
        hypervisor.destroy("vm0")


def test_the_others_go_on_where_one_is_taken_away() -> None:
    def progress(destroyed: bool) -> list[int]:
        hypervisor = fleet(ENDLESS, ENDLESS, ENDLESS)
        hypervisor.round()
        if destroyed:
            hypervisor.destroy("vm1")
        for _ in range(5):
            hypervisor.round()
        return [vm.steps for vm in hypervisor.vms if vm.name != "vm1"]

    assert progress(True) == progress(False) == [6_000, 6_000]


def test_a_released_vm_can_be_loaded_again() -> None:
    hypervisor = fleet(DYING)
    hypervisor.run(max_rounds=200)
    vm = hypervisor.vms[0]
    vm.load(guest(TOUCH + "    pass\n"))
    assert vm.run(10_000).reason == "exit"
    assert vm.read_phys(BASE + 0x2_0000, 4) == (100).to_bytes(4, "little")
