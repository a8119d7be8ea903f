"""VMs with several vCPUs: the same run as the bare machine, booked and scheduled as one guest."""

from __future__ import annotations

import pytest

from guestos import build
from toyvm.hypervisor import Hypervisor, Vm
from toyvm.machine import Machine

RAM = 16 << 20


def run_pieces(computer: Machine | Vm, pieces: tuple[int, ...]) -> list[tuple[object, ...]]:
    """What every hart looks like after each piece of a run."""
    seen: list[tuple[object, ...]] = []
    for size in pieces:
        computer.run(size)
        for hart in range(len(computer.harts)):
            computer.select(hart)
            values = [computer.csr(name) for name in ("mstatus", "mepc", "mip", "minstret", "satp")]
            seen.append((hart, computer.pc, computer.mode, computer.x[:32].tolist(), *values))
        seen.append((computer.steps, computer.mtime(), computer.console_output))
    return seen


@pytest.mark.parametrize("turn", [37, 5_000])
@pytest.mark.parametrize(("guest", "bios"), [("probe-smp", "none"), ("probe-hsm", "sbi")])
def test_a_vm_is_the_bare_machine_at_any_step(guest: str, bios: str, turn: int) -> None:
    pieces = (1, 10, 100, 999, 5_000, 20_000, 3, 50_000)
    machine = Machine(ram=RAM, bios=bios, harts=4, turn=turn)
    vm = Vm(ram=RAM, bios=bios, vcpus=4, turn=turn)
    for computer in (machine, vm):
        computer.load(build(guest))
    assert run_pieces(machine, pieces) == run_pieces(vm, pieces)


def test_one_run_or_many_is_the_same() -> None:
    whole, pieces = (Vm(ram=RAM, bios="none", vcpus=4, turn=41) for _ in range(2))
    for vm in (whole, pieces):
        vm.load(build("probe-smp"))
    whole.run(3_000)
    for _ in range(3_000):
        pieces.run(1)
    assert run_pieces(whole, (0,)) == run_pieces(pieces, (0,))


def test_the_ledger_counts_all_vcpus() -> None:
    vm = Vm(ram=RAM, bios="none", vcpus=4)
    told: list[str] = []
    vm.load(build("probe-smp"))
    vm.trace_exits(told.append)
    assert vm.run(1_000_000).code == 0
    assert vm.ledger.total == len(told)
    assert sum(vm.ledger.by_outcome().values()) == vm.ledger.total
    assert all(int(vcpu.control[: len(vm.ledger)].sum()) > 0 for vcpu in vm.harts)
    assert vm.host.intruders() == []


def test_vcpus_beside_other_guests() -> None:
    """Alone or in slices beside another guest: the same, and nobody writes elsewhere."""
    alone = Vm(ram=RAM, bios="sbi", vcpus=4)
    alone.load(build("probe-hsm"))
    alone.run(10_000_000)
    hypervisor = Hypervisor([RAM, RAM], slice_steps=1_000, vcpus=[4, 1])
    guest = hypervisor.create("harts", RAM, bios="sbi", vcpus=4)
    guest.load(build("probe-hsm"))
    other = hypervisor.create("hello", RAM, bios="sbi")
    other.load(build("hello"))
    stops = hypervisor.run()
    assert stops["harts"].code == 0
    assert (guest.steps, guest.mtime()) == (alone.steps, alone.mtime())
    assert guest.console_output == alone.console_output == b"probe hsm: ok\n"
    assert b"ello" in other.console_output
    assert hypervisor.host.intruders() == []


def test_what_does_not_fit_is_refused() -> None:
    for harts in (0, 9):
        with pytest.raises(ValueError, match=f"{harts} harts: expected 1 to 8"):
            Vm(ram=RAM, vcpus=harts)
        with pytest.raises(ValueError, match=f"{harts} harts: expected 1 to 8"):
            Machine(ram=RAM, harts=harts)
    with pytest.raises(ValueError, match="a turn of 0 steps"):
        Machine(ram=RAM, harts=2, turn=0)
    with pytest.raises(ValueError, match="harts 0 to 1"):
        Machine(ram=RAM, harts=2).select(2)


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_breakpoints_are_those_of_the_machine(kind: type) -> None:
    """Every hart comes to it, one after the other, and goes on."""
    computer = kind(ram=RAM, bios="none", **{"harts" if kind is Machine else "vcpus": 4})
    program = build("probe-smp")
    computer.load(program)
    address = program.symbols["code"]
    computer.add_breakpoint(address)
    stopped = []
    while True:
        stop = computer.resume(1_000_000)
        if stop.reason != "breakpoint":
            break
        assert computer.pc == address
        stopped.append(computer.hart_id)
        computer.select(0)  # looking elsewhere changes nothing
    assert stop.code == 0
    assert sorted(stopped) == [1, 1, 2, 2, 3, 3]
