"""`toyvm isolate`: does guest B notice that guest A runs beside it?

Three runs of the same lab, all deterministic.  In the first one everybody runs; in the second one
A is halted before its first instruction.  On B's own clock both must go through the same states.
In the third run A runs alone, and no frame of the host that is not A's may change.

B's state is hashed at checkpoints of its virtual time, whatever the slices are, and whole (memory
and disks too) at its end or at the time asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from toyvm.hypervisor.frames import CANARY
from toyvm.machine import Stop
from toyvm.machine.computer import BUDGET, EXIT
from toyvm.machine.memory import PAGE
from toyvm.proofs.snapshot import light_hash, state_hash

CHECKPOINT: Final = 50_000
"""Steps of B's clock between two hashes of its registers, records and console."""
_FAR: Final = 1 << 62
_CANARY: Final = zlib.crc32(bytes([CANARY]) * PAGE)
#: Starts the lab with every guest loaded and none of them run; has `hypervisor`, `guest(name)`
#: and `close()`.
Start = Callable[[], Any]


@dataclass
class Course:
    """What B went through in one run."""

    hashes: dict[int, str] = field(default_factory=dict)
    """By virtual time in steps."""
    final: str = ""
    clock: int = 0
    ended: Stop | None = None
    errors: int = 0
    intruders: list[str] = field(default_factory=list)


@dataclass
class Isolation:
    """What the three runs have shown."""

    a: str
    b: str
    with_a: Course
    without_a: Course
    frames_outside: int
    frames_written: list[int]

    @property
    def first_difference(self) -> int | None:
        """The first checkpoint of B's clock at which the two runs differ."""
        ours, theirs = self.with_a.hashes, self.without_a.hashes
        common = sorted(ours.keys() | theirs.keys())
        return next((t for t in common if ours.get(t) != theirs.get(t)), None)

    @property
    def intruders(self) -> list[str]:
        """Owners of frames whose canary was written, in any run."""
        return self.with_a.intruders + self.without_a.intruders

    @property
    def errors(self) -> int:
        """Exceptions of devices, in any run."""
        return self.with_a.errors + self.without_a.errors

    @property
    def isolated(self) -> bool:
        return (
            self.first_difference is None
            and self.with_a.final == self.without_a.final
            and not self.frames_written
            and not self.intruders
            and not self.errors
        )


def isolate(
    start: Start,
    a: str,
    b: str,
    until: int,
    report: Callable[[int], None] = lambda steps: None,
) -> Isolation:
    """Run the lab three times; `until` bounds B's virtual time, in steps.

    KeyError names a guest that the lab does not have.
    """
    with_a = follow(start, b, until, (), report)
    without_a = follow(start, b, until, (a,), report)
    frames, written = contained(start, a, until)
    return Isolation(a, b, with_a, without_a, frames, written)


def halt(running: Any, name: str) -> None:
    """Take a guest out of the lab: it stays loaded and never runs."""
    find(running, name)._stop = Stop(EXIT, 0, "halted")


def find(running: Any, name: str) -> Any:
    """The VM of this name; KeyError if there is none."""
    for vm in running.hypervisor.vms:
        if vm.name == name:
            return vm
    raise KeyError(name)


def follow(
    start: Start,
    b: str,
    until: int,
    halted: tuple[str, ...] = (),
    report: Callable[[int], None] = lambda steps: None,
) -> Course:
    """One run of the lab, in which B is looked at."""
    running = start()
    running.hypervisor.keep_dead = True
    try:
        for name in halted:
            halt(running, name)
        vm = find(running, b)
        course = Course()
        _watch(vm, course, until)
        hypervisor = running.hypervisor
        while vm.stopped is None and vm.clock < until and hypervisor.round():
            report(vm.clock)
        # A lab in which all the others wait for ever: B's own time goes on.
        while vm.stopped is None and vm.clock < until:
            before = vm.clock
            vm.run_slice(until - before)
            if vm.clock == before:
                break
        if not course.final:
            course.final, course.clock = state_hash(vm), vm.clock
        course.ended = vm.stopped
        course.errors = sum(guest.errors for guest in hypervisor.vms)
        course.intruders = list(hypervisor.host.intruders())
        return course
    finally:
        running.close()


def _watch(vm: Any, course: Course, until: int) -> None:
    """Cut B's slices and sleeps at the checkpoints, and hash its state there."""
    run_slice, sleep = vm.run_slice, vm.sleep

    def ahead() -> int:
        """Steps to the next checkpoint, or to the end; what comes later is not looked at."""
        if vm.clock >= until:
            return _FAR
        return min(CHECKPOINT - vm.clock % CHECKPOINT, until - vm.clock)

    def note() -> None:
        if vm.clock % CHECKPOINT == 0 and vm.clock <= until:
            course.hashes.setdefault(vm.clock, light_hash(vm))
        if vm.clock == until and not course.final:
            course.final, course.clock = state_hash(vm), vm.clock

    def watched_slice(steps: int) -> Stop:
        end = vm.clock + steps
        while True:
            before = vm.clock
            stop = run_slice(min(end - before, ahead()))
            note()
            if vm.clock >= end or vm.clock == before or stop.reason not in (BUDGET, "idle"):
                return stop

    def watched_sleep(steps: int) -> None:
        while steps > 0:
            part = min(steps, ahead())
            sleep(part)
            note()
            steps -= part

    def never(steps: int) -> bool:
        return False

    vm.run_slice, vm.sleep, vm.doze = watched_slice, watched_sleep, never


def frames_of(host: Any, name: str) -> set[int]:
    """Frames of the host that belong to a VM, its shadow tables included."""
    if hasattr(host, "frames_of"):
        return {int(frame) for frame in host.frames_of(name)}
    own = (name, f"{name} shadow tables")
    return {
        frame
        for owner, first, count in host.owners
        if owner in own
        for frame in range(first, first + count)
    }


def checksums(host: Any) -> list[int]:
    """CRC-32 of every frame of the host."""
    view = memoryview(host.ram)
    return [zlib.crc32(view[at : at + PAGE]) for at in range(0, len(view), PAGE)]


def contained(start: Start, a: str, until: int) -> tuple[int, list[int]]:
    """A alone: how many frames of the host are not A's, and which of them changed."""
    running = start()
    running.hypervisor.keep_dead = True
    try:
        hypervisor = running.hypervisor
        vm = find(running, a)
        for other in hypervisor.vms:
            if other is not vm:
                halt(running, other.name)
        before = checksums(hypervisor.host)
        while vm.stopped is None and vm.clock < until and hypervisor.round():
            pass
        own = frames_of(hypervisor.host, a)
        after = checksums(hypervisor.host)
        written = [
            frame for frame, (x, y) in enumerate(zip(before, after, strict=True))
            if x != y and y != _CANARY and frame not in own
        ]  # fmt: skip
        return len(before) - len(own), written
    finally:
        running.close()
