"""The same guest on a bare machine, in a VM and on the slow model, compared as it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import Any

import numpy as np

from tests.hypervisor.guests import RAM
from tests.hypervisor.naive_computer import NaiveComputer
from tests.naive import COMPARED_CSRS
from tests.support.compare import same_bytes
from toyvm.hart import state as s
from toyvm.hypervisor import Vm
from toyvm.isa.csr import CSRS
from toyvm.machine import Computer, Machine, Stop
from toyvm.machine.memory import PAGE, UNTOUCHED
from toyvm.platform import RAM_BASE
from toyvm.storage import MemoryDisk

#: Fields of a record that a guest can find out about: everything but results and caches.
VISIBLE = np.array(
    [*range(s.PC, s.INSTRET_OFFSET + 1), *range(s.PMPCFG, s.PMPCFG + 16)]
    + [*range(s.PMPADDR, s.PMPADDR + 16)]
)
FIELD_NAMES = {
    value: name for name, value in vars(s).items() if name.isupper() and isinstance(value, int)
}
VARIANTS = [("u", "lazy"), ("u", "protect"), ("s", "lazy"), ("s", "protect")]
"""Every technique with every way to keep the shadow true."""
VARIANT = ["u", "lazy"]
"""The one that twins use now; see `variant` in conftest."""
MODE_NUMBERS = {"U": 0, "S": 1, "M": 3}
DISK = 64 << 10


class Difference(AssertionError):
    """Two computers disagree."""


def reservation(computer: Computer) -> int:
    """Guest-physical address of the reserved word, -1 if there is none."""
    offset = int(computer.hart.p[s.RESERVATION])
    if offset < 0:
        return -1
    (page,) = np.flatnonzero(computer.memory.fmap == offset // PAGE)
    return RAM_BASE + int(page) * PAGE + offset % PAGE


def csrs(computer: Computer) -> dict[str, int]:
    """Every CSR there is, by name."""
    return {row.name: computer.csr(row.number) for row in CSRS}


def ram(computer: Computer) -> bytes:
    data = computer.read_phys(RAM_BASE, computer.memory.size)
    assert data is not None
    return data


def whole(computer: Computer) -> dict[str, Any]:
    """All that is to be equal at the end, RAM apart."""
    return {
        "stopped": computer.stopped,
        "pc": computer.pc,
        "mode": computer.mode,
        "steps": computer.steps,
        "instret": computer.instret,
        "mtime": computer.mtime(),
        "waiting": computer.waiting,
        "reservation": reservation(computer),
        **{f"x{i}": int(computer.x[i]) for i in range(32)},
        **csrs(computer),
        "console": computer.console_output,
    }


def _table(ours: dict[str, Any], theirs: dict[str, Any], names: tuple[str, str]) -> str:
    lines = [f"{'':16}{names[0]:>24}{names[1]:>24}"]
    for name, value in ours.items():
        if value != theirs[name]:
            a, b = (f"{v:#x}" if isinstance(v, int) else str(v) for v in (value, theirs[name]))
            lines.append(f"{name:16}{a:>24}{b:>24}")
    return "\n".join(lines)


def check_quick(bare: Machine, vm: Computer) -> None:
    """Records, registers, reservation: cheap enough for every step."""
    same = (
        np.array_equal(bare.record[VISIBLE], vm.record[VISIBLE])
        and np.array_equal(bare.x[:32], vm.x[:32])
        and bare.waiting == vm.waiting
        and reservation(bare) == reservation(vm)
        and bare.stopped == vm.stopped
    )
    if same:
        return
    fields = [
        {FIELD_NAMES.get(int(i), f"field {i}"): int(c.record[i]) for i in VISIBLE}
        for c in (bare, vm)
    ]
    # Two computers of one kind are compared as well: the tiers of the interpreter.
    names = (
        ("bare", "virtualised") if isinstance(vm, Vm) != isinstance(bare, Vm) else ("one", "two")
    )
    raise Difference(
        f"{' and '.join(names)} differ after {bare.steps} and {vm.steps} steps\n"
        + _table(whole(bare) | fields[0], whole(vm) | fields[1], names)
        + "\n"
        + "\n".join(vm.last_exits() if isinstance(vm, Vm) else ())
    )


def check_whole(bare: Machine, vm: Computer) -> None:
    """Everything: all CSRs, console, RAM."""
    check_quick(bare, vm)
    ours, theirs = whole(bare), whole(vm)
    if ours != theirs:
        raise Difference(_table(ours, theirs, ("bare", "virtualised")))
    if not same_ram(bare, vm):
        explain_ram("virtualised", ram(bare), ram(vm))


def same_ram(one: Computer, two: Computer) -> bool:
    """Every byte, where it lies: most guests have hardly touched their RAM, and a copy would."""
    memories = one.memory, two.memory
    maps = [memory.fmap.astype(np.int64) for memory in memories]
    assert len(maps[0]) == len(maps[1])
    assert all((fmap >= UNTOUCHED).all() for fmap in maps), "RAM has a hole"
    joined = [np.diff(fmap) == np.where(fmap[1:] < 0, 0, 1) for fmap in maps]
    starts = [0, *(np.flatnonzero(~(joined[0] & joined[1])) + 1).tolist()]
    for first, last in zip(starts, [*starts[1:], len(maps[0])], strict=True):
        parts = [
            memory.ram[int(fmap[first]) * PAGE :][: (last - first) * PAGE]
            for memory, fmap in zip(memories, maps, strict=True)
            if fmap[first] >= 0
        ]
        if len(parts) == 1 and parts[0].any():
            return False
        if len(parts) == 2 and not same_bytes(*parts):
            return False
    return True


def explain_ram(who: str, bare: bytes, other: bytes) -> None:
    """Raise: where RAM differs first."""
    at = next(i for i in range(len(bare)) if bare[i] != other[i])
    raise Difference(f"RAM at {RAM_BASE + at:#x}: bare {bare[at]:#x}, {who} {other[at]:#x}")


def model_state(model: NaiveComputer) -> dict[str, Any]:
    return model.hart.state()


def machine_state(computer: Computer) -> dict[str, Any]:
    """The same names as NaiveHart.state."""
    state: dict[str, Any] = {"pc": computer.pc, "mode": MODE_NUMBERS[computer.mode]}
    for i in range(1, 32):
        state[f"x{i}"] = int(computer.x[i])
    for name in COMPARED_CSRS:
        state[name] = computer.csr(name)
    state["mcycle"] = computer.csr("mcycle") | computer.csr("mcycleh") << 32
    state["minstret"] = computer.csr("minstret") | computer.csr("minstreth") << 32
    state["steps"] = computer.steps
    state["mtime"] = computer.mtime()
    return state


class Twin:
    """One guest on three machines: bare, in a VM, and on the model if `judged`."""

    def __init__(
        self,
        image: Any,
        bios: Any = "none",
        ram_size: int = RAM,
        drives: int = 0,
        judged: bool = True,
        pmp: int = 16,
        virtio: str = "legacy",
        technique: str = "",
        shadow_mode: str = "",
        reserved: bool = False,
    ) -> None:
        def disks() -> list[MemoryDisk]:
            return [MemoryDisk(DISK) for _ in range(drives)]

        self.bare = Machine(ram_size, bios=bios, pmp=pmp, drives=disks(), virtio=virtio)
        self.vm = Vm(
            "twin",
            ram_size,
            bios=bios,
            pmp=pmp,
            drives=disks(),
            virtio=virtio,
            technique=technique or VARIANT[0],
            shadow_mode=shadow_mode or VARIANT[1],
            reserved=reserved,
        )
        self.bare.load(image)
        self.vm.load(image)
        self.model: NaiveComputer | None = None
        if judged:
            self.model = NaiveComputer(self.bare, disks(), virtio)
        self._runs = 0

    def run(self, steps: int) -> Stop:
        """Exactly `steps` steps on each, unless the guest ends; then compare."""
        before = self.bare.steps
        stops = []
        for computer in (self.bare, self.vm):
            stop = computer.run(steps)
            if computer.waiting and stop.reason == "budget":
                # The model sleeps as part of the wfi.
                slept = computer.run(0)
                if slept.reason != "budget":
                    stop = slept
            stops.append(stop)
        if stops[0] != stops[1]:
            raise Difference(f"bare stops with {stops[0]}, virtualised with {stops[1]}")
        done = self.bare.steps - before
        if stops[0].reason == "budget" and done != steps:
            raise Difference(f"a run of {steps} steps made {done}")
        check_quick(self.bare, self.vm)
        if self.model:
            self.model.run(done)
            self._check_model_often()
        return stops[0]

    def _check_model_often(self) -> None:
        """Registers after each run; CSRs after longer runs, traps and CSR writes, and at times."""
        assert self.model
        hart, bare = self.model.hart, self.bare
        self._runs += 1
        same = (
            bare.pc == hart.pc
            and MODE_NUMBERS[bare.mode] == hart.mode
            and bare.steps == hart.steps
            and bare.x[:32].tolist() == hart.x
        )
        special = hart.last_cause is not None or hart.csr_writes
        if not same or special or self._runs % 16 == 0:
            self.check_model()

    def check_model(self) -> None:
        assert self.model
        ours, theirs = machine_state(self.bare), model_state(self.model)
        if ours != theirs:
            raise Difference(_table(ours, theirs, ("bare", "model")))

    def check_whole(self) -> None:
        """Everything, on all."""
        check_whole(self.bare, self.vm)
        assert not self.vm.errors + self.bare.errors, self.vm.report + self.bare.report
        assert self.vm.host.intruders() == []
        if self.model:
            self.check_model()
            if not self.model.same_ram(self.bare):
                explain_ram("model", ram(self.bare), bytes(self.model.hart.ram))
            assert self.model.console.output == self.bare.console_output

    def to_the_end(self, sizes: Iterable[int] = (), limit: int = 100_000) -> Stop:
        """Run in chunks of these sizes (the last one for ever) until something ends the guest."""
        stop = Stop("budget")
        for size in chunks(sizes, limit):
            stop = self.run(size)
            if stop.reason != "budget":
                break
        self.check_whole()
        return stop


def chunks(sizes: Iterable[int], limit: int) -> Iterator[int]:
    """The sizes, then the last one again and again, `limit` steps in all."""
    left = limit
    last = 1009
    given = list(sizes)
    if given:
        last = given[-1]
    for size in chain(given, repeat(last)):
        size = min(size, left)
        if size <= 0:
            return
        left -= size
        yield size


def agree(
    image: Any,
    sizes: Iterable[int] = (1,) * 200 + (7, 61, 499),
    limit: int = 100_000,
    **options: Any,
) -> Twin:
    """Run a guest on all three, compare all along, and return the machines at its end.

    The guest must end by itself within `limit` steps; its code is `twin.code`.
    """
    twin = Twin(image, **options)
    stop = twin.to_the_end(sizes, limit)
    assert stop.reason == "exit", stop
    return twin
