"""Numbered breakpoints, and their presence in a target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import DebugError

if TYPE_CHECKING:
    from .target import Target


@dataclass
class Breakpoint:
    """One breakpoint. `text` is what the user typed; `vm` the guest that it belongs to."""

    number: int
    address: int
    text: str
    vm: str
    temporary: bool = False
    enabled: bool = True
    condition: str = ""
    ignore: int = 0
    hits: int = 0


class Breakpoints:
    """All breakpoints of a session; numbers are never used twice."""

    def __init__(self) -> None:
        self._all: dict[int, Breakpoint] = {}
        self._next = 1

    def __iter__(self) -> Iterator[Breakpoint]:
        return iter(list(self._all.values()))

    def __len__(self) -> int:
        return len(self._all)

    def add(
        self, address: int, text: str, vm: str, temporary: bool = False, condition: str = ""
    ) -> Breakpoint:
        """Number and keep a new breakpoint."""
        made = Breakpoint(self._next, address, text, vm, temporary, condition=condition)
        self._all[made.number] = made
        self._next += 1
        return made

    def get(self, number: int) -> Breakpoint:
        """The breakpoint of that number; DebugError otherwise."""
        if number not in self._all:
            raise DebugError(f"No breakpoint number {number}.")
        return self._all[number]

    def delete(self, number: int) -> None:
        """Forget one."""
        self.get(number)
        del self._all[number]

    def at(self, vm: str, address: int) -> list[Breakpoint]:
        """The enabled breakpoints of guest `vm` at `address`."""
        return [
            point
            for point in self._all.values()
            if point.enabled and point.vm == vm and point.address == address
        ]

    def addresses(self, vm: str) -> set[int]:
        """Where the target of guest `vm` must stop."""
        return {point.address for point in self._all.values() if point.enabled and point.vm == vm}


class Armed:
    """Keeps a target's own set of stops equal to what is wanted.

    The machine holds one set of addresses; the user's breakpoints and the debugger's own
    temporary stops share it.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._set: set[int] = set()

    def want(self, addresses: set[int]) -> None:
        """Arm exactly these addresses."""
        for address in self._set - addresses:
            self._target.remove_breakpoint(address)
        for address in addresses - self._set:
            self._target.add_breakpoint(address)
        self._set = set(addresses)
