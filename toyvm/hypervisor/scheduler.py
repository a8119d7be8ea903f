"""Who gets how much of the physical harts: weights, caps, reservations.

Times are in steps of one physical hart.  Everything is exact: shares are fractions, and what a
round cannot hand out in whole steps is carried over to the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

NORMAL: Final = 100
"""The weight of a guest that asks for nothing special."""


@dataclass(frozen=True)
class Share:
    """What one guest may have of the physical harts.

    `weight` is its part of what is contended, relative to other guests.  `cap` bounds it and
    `reservation` is promised to it whatever the others do, both in percent of one physical hart;
    a guest with several vCPUs can use that many hundred.  None is no cap.
    """

    weight: int = NORMAL
    cap: int | None = None
    reservation: int = 0
    vcpus: int = 1

    def __post_init__(self) -> None:
        most = 100 * self.vcpus
        if self.weight < 1:
            raise ValueError(f"weight {self.weight}: expected 1 or more")
        if self.cap is not None and not 1 <= self.cap <= most:
            raise ValueError(
                f"cap {self.cap}: expected 1 to {most} percent of a hart ({self.vcpus} vCPUs)"
            )
        if not 0 <= self.reservation <= (most if self.cap is None else self.cap):
            raise ValueError(
                f"reservation {self.reservation}: expected 0 to "
                f"{most if self.cap is None else self.cap} percent of a hart"
            )

    @property
    def most(self) -> Fraction:
        """The upper bound in physical harts."""
        return Fraction(self.vcpus * 100 if self.cap is None else self.cap, 100)


def check_reservations(shares: Sequence[Share], harts: int) -> None:
    """ValueError if more is promised than `harts` physical harts can give."""
    promised = sum(share.reservation for share in shares)
    if promised > 100 * harts:
        raise ValueError(
            f"reservations of {promised} percent: {harts} physical hart"
            f"{'s' if harts > 1 else ''} can promise {100 * harts}"
        )


def divide(shares: Sequence[Share], harts: int) -> list[Fraction]:
    """The part of a hart that each guest gets, in physical harts, when all of them want to run.

    Weights decide, within the bounds: nobody gets less than its reservation or more than its
    cap, and nothing is left idle that somebody may still use.  That is the vector of
    clamp(level x weight, reservation, cap) whose sum is what there is; the level is found exactly.
    """
    low = [Fraction(share.reservation, 100) for share in shares]
    high = [share.most for share in shares]
    there_is = min(Fraction(harts), sum(high, Fraction(0)))
    weights = [share.weight for share in shares]

    def at(level: Fraction) -> list[Fraction]:
        return [min(max(level * w, lo), hi) for w, lo, hi in zip(weights, low, high, strict=True)]

    # The sum grows with the level and bends only where a guest leaves its reservation or meets
    # its cap: find the last bend below, then go on straight.
    bends = sorted(
        {Fraction(0)}
        | {bound / w for w, lo, hi in zip(weights, low, high, strict=True) for bound in (lo, hi)}
    )
    below = Fraction(0)
    for bend in bends:
        if sum(at(bend)) > there_is:
            break
        below = bend
    parts = at(below)
    rising = [i for i, w in enumerate(weights) if below * w >= low[i] and parts[i] < high[i]]
    left = there_is - sum(parts)
    slope = sum(weights[i] for i in rising)
    if slope and left > 0:
        for i in rising:
            parts[i] += left * weights[i] / slope
    return parts


@dataclass(frozen=True)
class _Plan:
    """One round of a certain set of guests: its length, and each guest's part, in steps."""

    period: int | Fraction
    parts: list[Fraction]
    whole: list[int] | None
    """The parts, if all are whole steps: nothing is carried then."""


class Rounds:
    """Turns shares into whole steps, round after round.

    A round hands out `slice_steps` steps for each hundred of weight of the guests that want to
    run.  Without caps and reservations on one physical hart a guest's slice is thus always
    `slice_steps * weight / 100`, whoever else runs.
    """

    def __init__(self, slice_steps: int, harts: int = 1) -> None:
        self.slice_steps = slice_steps
        self.harts = harts
        self.shares: dict[str, Share] = {}
        self._owed: dict[str, Fraction] = {}
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def add(self, name: str, share: Share) -> None:
        """One more guest."""
        self.shares[name] = share
        self._owed[name] = Fraction(0)

    def remove(self, name: str) -> None:
        """A guest that is gone."""
        del self.shares[name], self._owed[name]
        self._plans.clear()

    def _plan(self, names: tuple[str, ...]) -> _Plan:
        plan = self._plans.get(names)
        if plan is None:
            shares = [self.shares[name] for name in names]
            weights = sum(share.weight for share in shares)
            period = Fraction(self.slice_steps * weights, NORMAL * self.harts)
            parts = [part * period for part in divide(shares, self.harts)]
            exact = all(part.denominator == 1 and part >= 1 for part in parts)
            plan = _Plan(
                int(period) if period.denominator == 1 else period,
                parts,
                [int(part) for part in parts] if exact else None,
            )
            if len(self._plans) > 256:
                self._plans.clear()
            self._plans[names] = plan
        return plan

    def slices(self, names: Sequence[str], rounds: int = 1) -> tuple[int | Fraction, list[int]]:
        """The next `rounds` rounds of the guests that want to run, as one.

        Their length in steps of physical time, and whole steps for each guest, at least one.
        """
        plan = self._plan(tuple(names))
        if plan.whole is not None:
            return plan.period * rounds, [part * rounds for part in plan.whole]
        whole = []
        for name, part in zip(names, plan.parts, strict=True):
            due = self._owed[name] + part * rounds
            steps = max(1, int(due))
            self._owed[name] = due - steps
            whole.append(steps)
        return plan.period * rounds, whole
