"""Bar charts in text, for numbers that people would rather see than read."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import IO

from .theme import Painter, colour_wanted, is_tty

_EIGHTHS = " ▏▎▍▌▋▊▉"


def _bar(cells: float, blocks: bool) -> str:
    """A bar of so many characters; with block characters to an eighth of one."""
    if not blocks:
        return "#" * max(1, round(cells))
    whole = int(cells)
    part = int((cells - whole) * 8)
    return "█" * whole + (_EIGHTHS[part] if part else "") or "▏"


def bars(
    rows: Sequence[tuple[str, float]],
    width: int = 40,
    unit: str = "",
    blocks: bool = True,
    emphasis: str = "",
) -> list[str]:
    """Lines of `label bar value`; the longest bar has `width` characters.

    `emphasis` names a row that gets a mark as well.  Negative and missing values draw no bar.
    """
    if not rows:
        return []
    longest = max(len(label) for label, _ in rows)
    most = max([value for _, value in rows] + [1e-12])
    lines = []
    for label, value in rows:
        bar = _bar(width * value / most, blocks) if value > 0 else ""
        mark = "*" if label == emphasis else " "
        shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
        lines.append(f"{label.ljust(longest)} {mark} {bar} {shown}{unit}".rstrip())
    return lines


def print_bars(
    title: str,
    rows: Sequence[tuple[str, float]],
    unit: str = "",
    stream: IO[str] | None = None,
    emphasis: str = "",
) -> None:
    """Write a chart to `stream` (default stdout), as wide as a terminal is."""
    out = sys.stdout if stream is None else stream
    encoding = (getattr(out, "encoding", None) or "ascii").lower()
    blocks = encoding.startswith("utf") and os.environ.get("TERM") != "dumb"
    longest = max((len(label) for label, _ in rows), default=0)
    columns = shutil.get_terminal_size().columns if is_tty(out) else 80
    width = max(10, min(60, columns - longest - len(unit) - 14))
    paint = Painter(colour_wanted(out)).paint
    out.write(paint("title", title) + "\n")
    for line in bars(rows, width, unit, blocks, emphasis):
        out.write(f"  {line}\n")
    out.flush()
