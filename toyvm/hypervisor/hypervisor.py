"""The hypervisor: several VMs on one machine, in turns."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from fractions import Fraction
from typing import Any, Final

from toyvm.hypervisor.frames import HostMemory
from toyvm.hypervisor.scheduler import NORMAL, Rounds, Share, check_reservations
from toyvm.hypervisor.vm import Vm, host_size
from toyvm.machine.computer import BUDGET, ERROR, IDLE, Stop
from toyvm.network.switch import sender
from toyvm.platform import VIRTIO_SLOTS

SLICE: Final = 50_000
"""Steps of a slice of weight 100: half a millisecond of guest time."""
CLOCKS: Final = ("guest", "lab")


class Hypervisor:
    """Runs VMs in rounds of slices; the same every time.

    A round gives each VM a slice in the order of creation, then lets the switches hand over the
    frames, which so arrive at the receiver's next slice.  How long a slice is, the VM's Share of
    the `harts` physical harts decides.  A VM that idles moves its clock one slice a round; when
    all idle, all clocks jump by the smallest distance to a timer.

    With `clock` "guest" the time that others take is invisible.  With "lab" all clocks show the
    time of the physical machine, and what a guest could not run is stolen from it: `stolen`.

    What passes between VMs waits for the end of the round, and then goes on in the order of
    creation.  So it does not matter whether the VMs of a round run in turn or, with `parallel`,
    on threads of the host side by side: the result is the same.
    """

    #: Rounds that guests without a common switch may run in one go.
    batch = 40
    #: Keep the memory of VMs that died, for who wants to look at it.
    keep_dead = False

    def __init__(
        self,
        ram: Sequence[int],
        slice_steps: int = SLICE,
        harts: int = 1,
        clock: str = "guest",
        parallel: bool = False,
        vcpus: Sequence[int] = (),
    ) -> None:
        if clock not in CLOCKS:
            raise ValueError(f'clock "{clock}": expected "guest" or "lab"')
        if not 1 <= harts <= 64:
            raise ValueError(f"{harts} physical harts: expected 1 to 64")
        self.host = HostMemory(host_size(list(ram), vcpus))
        self.slice_steps = slice_steps
        self.harts = harts
        self.clock = clock
        self.parallel = parallel
        self.vms: list[Vm] = []
        self.switches: list[Any] = []
        self.rounds = 0
        self.time: int | Fraction = 0
        """Steps of physical time that have passed."""
        self.stolen: dict[str, int] = {}
        """Steps by which a VM's clock was moved because others ran (clock "lab")."""
        self.finished: Callable[[Vm, Stop], None] | None = None
        """Hears of each VM that ends."""
        self._plan = Rounds(slice_steps, harts)
        self._threads: ThreadPoolExecutor | None = None

    def create(
        self,
        name: str,
        ram: int,
        weight: int = NORMAL,
        cap: int | None = None,
        reservation: int = 0,
        **configuration: Any,
    ) -> Vm:
        """A new VM on this host; further arguments are those of Vm.

        `weight`, `cap` and `reservation` as in Share.  ValueError if the name is taken, or if
        more would be promised than there is.
        """
        if any(vm.name == name for vm in self.vms):
            raise ValueError(f"two VMs called {name!r}: names must differ")
        share = Share(weight, cap, reservation, int(configuration.get("vcpus", 1)))
        check_reservations([*self._plan.shares.values(), share], self.harts)
        # Two cards on one switch must not share an address.
        configuration.setdefault("first_mac", len(self.vms) * VIRTIO_SLOTS)
        vm = Vm(name, ram, host=self.host, weight=weight, **configuration)
        self.vms.append(vm)
        self._plan.add(name, share)
        self.stolen[name] = 0
        return vm

    @property
    def running(self) -> list[Vm]:
        """VMs that have not ended."""
        return [vm for vm in self.vms if vm.stopped is None]

    def round(self, times: int = 1) -> bool:
        """One slice for everybody, `times` as long; False when nothing can happen any more."""
        self.rounds += times
        active = self.running
        turns = self._turns(active, times)
        asleep = len(active) - len(turns)
        for (vm, _), stop in zip(turns, self._run(active, turns), strict=True):
            asleep += vm.stopped is None and stop.reason == IDLE
        moved = sum(switch.deliver() for switch in self.switches)
        if self.clock == "lab":
            self._steal()
        # A VM can end while frames are delivered, too: its card may raise.
        for vm in active:
            if vm.stopped is not None:
                self._bury(vm, vm.stopped)
        active = self.running
        if not active:
            return False
        if asleep == len(active) and not moved and not any(vm.awake for vm in active):
            return self._jump(active)
        return True

    def _bury(self, vm: Vm, stop: Stop) -> None:
        """Tell that a VM has ended; the frames of one that died are free at once."""
        if self.finished:
            self.finished(vm, stop)
        if stop.reason == ERROR and not self.keep_dead:
            vm.release()

    def destroy(self, name: str) -> None:
        """Take a VM away, running or not; its frames are free.  KeyError if there is none."""
        vm = next((vm for vm in self.vms if vm.name == name), None)
        if vm is None:
            raise KeyError(f"no VM called {name!r}")
        vm.release()
        self.vms.remove(vm)
        self._plan.remove(name)
        del self.stolen[name]

    # ---- who runs how long ----------------------------------------------------------------------

    def _turns(self, active: list[Vm], times: int) -> list[tuple[Vm, int]]:
        """Steps for each VM in this round; those that doze have only moved their clocks."""
        awake = [vm for vm in active if vm.awake]
        period, slices = self._plan.slices([vm.name for vm in awake or active], times)
        self.time += period
        if len(awake) == len(active):
            return list(zip(active, slices, strict=True))
        given = dict(zip([vm.name for vm in awake], slices, strict=False))
        turns = []
        for vm in active:
            steps = given.get(vm.name) or max(1, self.slice_steps * times * vm.weight // NORMAL)
            if not vm.doze(steps):
                turns.append((vm, steps))
        return turns

    def _steal(self) -> None:
        """Move all clocks to the physical time: what others ran is lost."""
        for vm in self.running:
            behind = int(self.time) - vm.clock
            if behind > 0:
                vm.sleep(behind)
                if not vm.waiting:
                    self.stolen[vm.name] += behind

    # ---- running --------------------------------------------------------------------------------

    def _run(self, active: list[Vm], turns: list[tuple[Vm, int]]) -> list[Stop]:
        """Run each VM for its slice, in turn or side by side; the Stop of each."""
        with ExitStack() as barrier:
            for switch in self.switches:
                barrier.enter_context(switch.holding([vm.name for vm in active]))
            if not self.parallel or len(turns) < 2:
                return [self._one(vm, steps) for vm, steps in turns]
            if self._threads is None:
                self._threads = ThreadPoolExecutor(
                    max_workers=max(1, min(len(self.vms), os.cpu_count() or 1) - 1),
                    thread_name_prefix="vm",
                )
            others = [self._threads.submit(self._one, vm, steps) for vm, steps in turns[1:]]
            try:
                first = self._one(*turns[0])
            finally:
                wait(others)
            return [first, *(other.result() for other in others)]

    def _one(self, vm: Vm, steps: int) -> Stop:
        if not self.switches:
            return vm.run_slice(steps)
        with sender(vm.name):
            return vm.run_slice(steps)

    def close(self) -> None:
        """End the threads of a parallel run."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

    def advance(self, rounds: int) -> bool:
        """`rounds` rounds; False when nothing can happen any more.

        Guests that no switch joins cannot notice each other before the end, so they run several
        rounds in one go.
        """
        while rounds > 0:
            times = 1 if self.switches else min(rounds, self.batch)
            rounds -= times
            if not self.round(times):
                return False
        return True

    def _jump(self, asleep: list[Vm]) -> bool:
        """All VMs sleep: move all clocks to the first timer.  False if there is none."""
        distance = self._distance([d for vm in asleep if (d := vm.sleep_distance()) is not None])
        if distance is None:
            return False
        for vm in asleep:
            vm.sleep(distance)
        self.time += distance
        return True

    def _distance(self, timers: list[int]) -> int | None:
        """How far to jump when all sleep, in steps; None if nothing will wake anybody."""
        return min(timers, default=None)

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
