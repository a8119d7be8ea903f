"""Letting the guests run and stopping them again.

Everything here works through `World.run` with a budget of steps, so that Ctrl-C is looked at
many times a second and a guest in a trap loop can be stopped like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

from toyvm.ui.pace import Interrupt, Pacer

from .breakpoints import Breakpoint
from .errors import DebugError
from .expr import evaluate
from .session import Session
from .target import StopLike, Target

Done = Callable[[], bool]


@dataclass
class Stopped:
    """Why everything stands still. `reason`: "steps", "breakpoint", "reached", "interrupted",
    "exit", "idle", "error"."""

    target: Target
    reason: str
    points: list[Breakpoint] = field(default_factory=list)
    stop: StopLike | None = None
    notes: list[str] = field(default_factory=list)


def go(
    session: Session,
    steps: int | None = None,
    stop_at: int | None = None,
    done: Done | None = None,
    alone: bool = False,
) -> Stopped:
    """Run until something stops the guests.

    `steps` is the most that the selected target may do; `stop_at` an address of the selected
    target where `done` (default: always) decides whether the run is over. `alone`: the other
    guests of a lab stand still.
    """
    selected = session.target
    _must_live(session, selected, alone or stop_at is not None)
    shown = hart_of(selected)
    for guest in session.world.guests:
        # Who runs is the hart whose turn it is, whichever was looked at.
        show_hart(guest.target, None)
    session.remember()
    end = None if steps is None else selected.steps + steps
    pacer = Pacer()
    notes: list[str] = []

    def wanted(target: Target) -> set[int]:
        addresses = session.breakpoints.addresses(target.name)
        if target is selected and stop_at is not None:
            addresses.add(stop_at)
        return addresses

    guests = [selected] if alone else [guest.target for guest in session.world.guests]
    # Who stands on a stop that was reported moves off it by one step with its stops off.
    standing = []
    for target in guests:
        if target.name in session.ended or target.pc not in wanted(target):
            continue
        if target is not selected and session.reported.get(target.name) != target.steps:
            points = _hit(session, target, notes)
            if points:
                return _stopped(session, Stopped(target, "breakpoint", points, notes=notes))
        standing.append(target)
    keyboard = session.keys if steps is None else None
    source = keyboard() if keyboard is not None else nullcontext()
    with Interrupt() as interrupt, source as keys:
        while True:
            left = None if end is None else end - selected.steps
            if left is not None and left <= 0:
                return Stopped(selected, "steps", notes=notes + _switch(selected, shown))
            if standing:
                who = standing.pop()
                if who.name in session.ended:
                    continue
                session.armed(who).want(set())
                stop = session.world.step(1, who)
            else:
                for target in guests:
                    session.armed(target).want(wanted(target))
                budget = pacer.next(left)
                if alone:
                    who, stop = selected, session.world.step(budget, selected)
                else:
                    who, stop = session.world.run(budget, selected)
                pacer.done(budget if stop.reason == "budget" else 0)
            session.drain()
            waits = stop.reason == "idle" and keys is not None
            if not waits:
                result = _look(session, selected, who, stop, stop_at, done, notes)
                if result is not None:
                    result.notes += _switch(selected, shown)
                    return _stopped(session, result)
            if who.pc in wanted(who) and who not in standing:
                standing.append(who)
            typed = keys.poll(0.1 if waits else 0.0) if keys is not None else b""
            if typed:
                selected.feed(typed)
            if interrupt.take() or (keys is not None and keys.take_command()):
                return Stopped(who, "interrupted", notes=notes)


def hart_of(target: Target) -> int:
    """Number of the hart that is shown; 0 where there is one only."""
    return int(getattr(target, "hart_id", 0))


def show_hart(target: Target, number: int | None) -> None:
    """Show another hart of a target, None: the one whose turn it is."""
    select = getattr(target, "select_hart", None)
    if select is not None:
        select(number)


def _switch(target: Target, shown: int) -> list[str]:
    """What to say if another hart than the one last shown has run."""
    now = hart_of(target)
    return [] if now == shown else [f"[Switching to hart {now}]"]


def _stopped(session: Session, result: Stopped) -> Stopped:
    session.reported[result.target.name] = result.target.steps
    return result


def _must_live(session: Session, target: Target, this_one: bool) -> None:
    """DebugError if nothing is left to run (or not `this_one`)."""
    stop = session.ended.get(target.name)
    if stop is None:
        return
    if this_one or all(g.target.name in session.ended for g in session.world.guests):
        raise DebugError(f"{target.name} has ended ({ending(stop)}). `run` starts it again.")


def ending(stop: StopLike) -> str:
    """An end in words."""
    if stop.reason == "exit":
        text = f"exited with code {stop.code}"
        return f"{text}: {stop.detail}" if stop.detail else text
    return f"{stop.reason}: {stop.detail}" if stop.detail else stop.reason


def _look(
    session: Session,
    selected: Target,
    who: Target,
    stop: StopLike,
    stop_at: int | None,
    done: Done | None,
    notes: list[str],
) -> Stopped | None:
    """Decide whether a finished slice ends the run."""
    if stop.reason in ("exit", "error"):
        session.ended[who.name] = stop
        return Stopped(who, stop.reason, stop=stop, notes=notes)
    if stop.reason == "idle":
        return Stopped(who, "idle", stop=stop, notes=notes)
    points = _hit(session, who, notes)
    if points:
        return Stopped(who, "breakpoint", points, stop, notes)
    if who is selected and stop_at is not None and selected.pc == stop_at:
        if done is None or done():
            return Stopped(who, "reached", stop=stop, notes=notes)
    return None


def _hit(session: Session, who: Target, notes: list[str]) -> list[Breakpoint]:
    """The breakpoints at `who`'s pc that want to stop; temporary ones are used up."""
    fired = []
    was, session.selected = session.selected, who.name
    try:
        for point in session.breakpoints.at(who.name, who.pc):
            if point.condition:
                try:
                    if not evaluate(session, point.condition):
                        continue
                except DebugError as error:
                    notes.append(f"Error in the condition of breakpoint {point.number}: {error}")
            point.hits += 1
            if point.ignore > 0:
                point.ignore -= 1
                continue
            fired.append(point)
            if point.temporary:
                session.breakpoints.delete(point.number)
    finally:
        session.selected = was
    return fired
