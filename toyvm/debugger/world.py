"""What runs when the user says `continue`: one machine, or all guests of a lab together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .errors import DebugError
from .symbols import Symbols
from .target import StopLike, Target


@dataclass
class Guest:
    """A target with its symbols."""

    target: Target
    symbols: Symbols


class World(Protocol):
    """Everything under the debugger; `restart` replaces the guests by fresh ones."""

    title: str
    guests: list[Guest]

    def run(self, steps: int, selected: Target) -> tuple[Target, StopLike]:
        """Let time pass for about `steps` steps; the target that stopped, and why."""
        ...

    def step(self, steps: int, selected: Target) -> StopLike:
        """Exactly `steps` steps of the selected target alone."""
        ...

    def restart(self) -> None: ...


class SingleWorld:
    """One machine or one VM, made by `build` at the start and at every restart.

    `fixed`: the machine belongs to somebody else and cannot be started again.
    """

    def __init__(self, title: str, build: Callable[[], Guest], fixed: bool = False) -> None:
        self.title = title
        self._build = build
        self._fixed = fixed
        self.guests = [build()]

    def run(self, steps: int, selected: Target) -> tuple[Target, StopLike]:
        """Run the one target at most `steps` steps."""
        return selected, selected.run(steps)

    def step(self, steps: int, selected: Target) -> StopLike:
        """Run the one target at most `steps` steps."""
        return selected.run(steps)

    def restart(self) -> None:
        """Build the machine anew: memory, temporary disks and clock start over."""
        if self._fixed:
            raise DebugError("This machine is running already; start it with `toyvm debug`.")
        self.guests = [self._build()]


class RunningLab(Protocol):
    """A lab under the hypervisor, as `toyvm.control.labrun` runs it."""

    def run(self, steps: int) -> tuple[str, StopLike] | None:
        """Let all guests run for about `steps` steps each; the guest that stopped, and why."""
        ...


@dataclass(frozen=True)
class _Budget:
    reason: str = "budget"
    code: int = 0
    detail: str = ""


class LabWorld:
    """All guests of a lab: time passes for all of them, steps are made by one."""

    def __init__(self, title: str, build: Callable[[], tuple[RunningLab, list[Guest]]]) -> None:
        self.title = title
        self._build = build
        self._lab, self.guests = build()

    def run(self, steps: int, selected: Target) -> tuple[Target, StopLike]:
        """Run the whole lab; the guest that stopped, or the selected one."""
        found = self._lab.run(steps)
        if found is None:
            return selected, _Budget()
        name, stop = found
        return find_guest(self, name).target, stop

    def step(self, steps: int, selected: Target) -> StopLike:
        """Run one guest alone."""
        return selected.run(steps)

    def restart(self) -> None:
        """Build the lab anew."""
        self._lab, self.guests = self._build()


def find_guest(world: World, name: str) -> Guest:
    """The guest called `name`; DebugError lists the others."""
    for guest in world.guests:
        if guest.target.name == name:
            return guest
    names = ", ".join(guest.target.name for guest in world.guests)
    raise DebugError(f'No VM "{name}": there is {names}')
