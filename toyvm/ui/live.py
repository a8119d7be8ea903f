"""The live view of a lab: one console pane per guest and a table of their exits.

Elsewhere than on a terminal the same facts come as lines `name | text`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from .tables import grouped
from .text import LineSplitter, Tail
from .theme import Painter, live_wanted, rich_console

#: More consoles than this do not fit side by side.
MAX_PANES = 4


@dataclass
class GuestRow:
    """What the views show of one guest at one moment."""

    name: str
    state: str
    instructions: int
    exits: Mapping[str, int] = field(default_factory=dict)
    sectors: int | None = None
    frames: int | None = None

    @property
    def total_exits(self) -> int:
        """Exits of all causes together."""
        return sum(self.exits.values())

    @property
    def per_exit(self) -> int | None:
        """Instructions per exit, None before the first exit."""
        return self.instructions // self.total_exits if self.total_exits else None


def top_exits(exits: Mapping[str, int], count: int) -> str:
    """The most frequent causes as `cause 12, cause 3`; the rest is summed up."""
    ordered = sorted(exits.items(), key=lambda item: (-item[1], item[0]))
    ordered = [(cause, number) for cause, number in ordered if number]
    shown = [f"{cause} {grouped(number)}" for cause, number in ordered[:count]]
    rest = sum(number for _, number in ordered[count:])
    if rest:
        shown.append(f"others {grouped(rest)}")
    return ", ".join(shown) or "none"


class PlainView:
    """Console lines with the guest's name in front."""

    def __init__(self, names: Sequence[str], stream: IO[str]) -> None:
        self._out = stream
        paint = Painter.for_stream(stream)
        width = max([len(name) for name in names], default=0)
        self._splitters = {
            name: LineSplitter(self._writer(paint.paint("symbol", name.ljust(width))))
            for name in names
        }

    def _writer(self, prefix: str) -> Any:
        def write(line: str) -> None:
            self._out.write(f"{prefix} | {line}".rstrip() + "\n")

        return write

    def console(self, name: str, data: bytes) -> None:
        """Guest `name` wrote `data`."""
        self._splitters[name].feed(data)
        self._out.flush()

    def update(self, rows: Sequence[GuestRow], clock: str) -> None:
        """Counters changed: nothing to show line by line."""

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *_exc: object) -> None:
        for splitter in self._splitters.values():
            splitter.finish()
        self._out.flush()


class LiveView:
    """Panes on a terminal, redrawn a few times a second; the last picture stays."""

    def __init__(self, names: Sequence[str], stream: IO[str]) -> None:
        from rich.live import Live

        self._names = list(names)
        self._tails = {name: Tail() for name in names}
        self._rows: list[GuestRow] = []
        self._clock = ""
        self._console = rich_console(stream)
        self._live = Live(
            get_renderable=self._picture,
            console=self._console,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def console(self, name: str, data: bytes) -> None:
        """Guest `name` wrote `data`."""
        self._tails[name].feed(data)

    def update(self, rows: Sequence[GuestRow], clock: str) -> None:
        """Show these counters from the next redraw on."""
        self._rows, self._clock = list(rows), clock

    def _picture(self) -> Any:
        from rich.console import Group
        from rich.layout import Layout
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text

        height = max(8, self._console.size.height - len(self._names) - 6)
        panes = Layout(size=height)
        states = {row.name: row.state for row in self._rows}
        columns = []
        for name in self._names:
            text = Text("\n".join(self._tails[name].lines(height - 2)), overflow="crop")
            title = f"{name}: {states.get(name, 'starting')}"
            columns.append(Layout(Panel(text, title=title, title_align="left", height=height)))
        panes.split_row(*columns)
        table = Table(box=None, pad_edge=False, expand=True)
        for head in ("guest", "instructions", "per exit", "sectors", "frames"):
            table.add_column(head, justify="left" if head == "guest" else "right")
        table.add_column("exits by cause", ratio=1, no_wrap=True, overflow="ellipsis")
        for row in self._rows:
            table.add_row(
                row.name,
                grouped(row.instructions),
                grouped(row.per_exit),
                grouped(row.sectors),
                grouped(row.frames),
                top_exits(row.exits, 5),
            )
        return Group(_Fixed(panes, height), table, Text(self._clock, style="dim"))

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._live.stop()


class _Fixed:
    """A renderable held to a number of lines: a Layout alone would fill the whole screen."""

    def __init__(self, inner: Any, height: int) -> None:
        self._inner, self._height = inner, height

    def __rich_console__(self, console: Any, options: Any) -> Any:
        yield from console.render(self._inner, options.update(height=self._height))


def lab_view(
    names: Sequence[str], stream: IO[str] | None = None, live: bool | None = None
) -> PlainView | LiveView:
    """The view that fits `stream` (default stdout) and the guests; `live` forces the choice."""
    out = sys.stdout if stream is None else stream
    if live is None:
        live = live_wanted(out) and len(names) <= MAX_PANES
    if live:
        return LiveView(names, out)
    return PlainView(names, out)
