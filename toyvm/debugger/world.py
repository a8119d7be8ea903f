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
    """One machine or one VM, made by `build` at the start and at every restart."""

    def __init__(self, title: str, build: Callable[[], Guest]) -> None:
        self.title = title
        self._build = build
        self.guests = [build()]

    def run(self, steps: int, selected: Target) -> tuple[Target, StopLike]:
        """Run the one target at most `steps` steps."""
        return selected, selected.run(steps)

    def step(self, steps: int, selected: Target) -> StopLike:
        """Run the one target at most `steps` steps."""
        return selected.run(steps)

    def restart(self) -> None:
        """Build the machine anew: memory, disks' temporary copies and clock start over."""
        self.guests = [self._build()]


def find_guest(world: World, name: str) -> Guest:
    """The guest called `name`; DebugError lists the others."""
    for guest in world.guests:
        if guest.target.name == name:
            return guest
    names = ", ".join(guest.target.name for guest in world.guests)
    raise DebugError(f'No VM "{name}": there is {names}')
