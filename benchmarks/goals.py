"""The goals, one row each: what was wanted, what was measured in the same run."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Goals:
    """Rows of goal, wanted, measured, and whether it was reached."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def at_least(self, what: str, measured: float, wanted: float, unit: str = "") -> None:
        """A figure that should be `wanted` or more."""
        self._add(what, f"≥ {wanted:g}{unit}", f"{measured:,.3g}{unit}", measured >= wanted)

    def at_most(self, what: str, measured: float, wanted: float, unit: str = "") -> None:
        """A figure that should be `wanted` or less."""
        self._add(what, f"≤ {wanted:g}{unit}", f"{measured:,.3g}{unit}", measured <= wanted)

    def _add(self, what: str, wanted: str, measured: str, good: bool) -> None:
        self.rows.append((what, wanted, measured, "met" if good else "missed"))

    def lines(self) -> list[str]:
        """A Markdown table."""
        return [
            "| goal | wanted | measured | |",
            "|---|--:|--:|---|",
            *(
                f"| {what} | {wanted} | {got} | {verdict} |"
                for what, wanted, got, verdict in self.rows
            ),
            "",
        ]
