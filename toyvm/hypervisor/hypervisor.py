"""The hypervisor: several VMs on one machine, in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from toyvm.hypervisor.frames import HostMemory
from toyvm.hypervisor.vm import Vm, host_size
from toyvm.machine.computer import BUDGET, ERROR, IDLE, Stop
from toyvm.platform import VIRTIO_SLOTS

SLICE: Final = 50_000
"""Steps of a slice of weight 100: half a millisecond of guest time."""


class Hypervisor:
    """Runs VMs in rounds of slices; the same every time.

    A round gives each VM a slice in the order of creation, then lets the switches hand over the
    frames, which so arrive at the receiver's next slice.  A VM that idles moves its clock one
    slice a round; when all idle, all clocks jump by the smallest distance to a timer.
    """

    def __init__(self, ram: Sequence[int], slice_steps: int = SLICE) -> None:
        self.host = HostMemory(host_size(list(ram)))
        self.slice_steps = slice_steps
        self.vms: list[Vm] = []
        self.switches: list[Any] = []
        self.rounds = 0
        self.finished: Callable[[Vm, Stop], None] | None = None
        """Hears of each VM that ends."""

    def create(self, name: str, ram: int, **configuration: Any) -> Vm:
        """A new VM on this host; its arguments are those of Vm."""
        if any(vm.name == name for vm in self.vms):
            raise ValueError(f"two VMs called {name!r}: names must differ")
        # Two cards on one switch must not share an address.
        configuration.setdefault("first_mac", len(self.vms) * VIRTIO_SLOTS)
        vm = Vm(name, ram, host=self.host, **configuration)
        self.vms.append(vm)
        return vm

    @property
    def running(self) -> list[Vm]:
        """VMs that have not ended."""
        return [vm for vm in self.vms if vm.stopped is None]

    def round(self) -> bool:
        """One slice for everybody; False when nothing can happen any more."""
        self.rounds += 1
        active = self.running
        asleep = 0
        for vm in active:
            stop = vm.run_slice(max(1, self.slice_steps * vm.weight // 100))
            if vm.stopped is None and stop.reason == IDLE:
                asleep += 1
        moved = sum(switch.deliver() for switch in self.switches)
        # A VM can end while frames are delivered, too: its card may raise.
        for vm in active:
            if vm.stopped is not None and self.finished:
                self.finished(vm, vm.stopped)
        active = self.running
        if not active:
            return False
        if asleep == len(active) and not moved and not any(vm.hart_pending() for vm in active):
            return self._jump(active)
        return True

    def _jump(self, asleep: list[Vm]) -> bool:
        """All VMs sleep: move all clocks to the first timer.  False if there is none."""
        distances = [d for vm in asleep if (d := vm.sleep_distance()) is not None]
        if not distances:
            return False
        for vm in asleep:
            vm.sleep(min(distances))
        return True

    def run(self, max_rounds: int | None = None) -> dict[str, Stop]:
        """Rounds until all have ended or sleep for ever, or `max_rounds`; the Stop of each VM."""
        done = 0
        while (max_rounds is None or done < max_rounds) and self.round():
            done += 1
        waiting = Stop(IDLE) if max_rounds is None or done < max_rounds else Stop(BUDGET)
        return {vm.name: vm.stopped or waiting for vm in self.vms}

    def deaths(self) -> list[str]:
        """The reports of VMs that ended with an error."""
        return [vm.death() for vm in self.vms if vm.stopped and vm.stopped.reason == ERROR]
