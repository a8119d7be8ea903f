"""Tables: aligned plain text everywhere, a rich table on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

from .theme import colour_wanted, rich_console


@dataclass
class Table:
    """Rows of text under headings. `right` names the headings whose column holds numbers."""

    headings: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    right: Sequence[str] = ()
    title: str = ""

    def add(self, *cells: object) -> None:
        """Append one row; every cell becomes text, None becomes a dash."""
        row = ["-" if cell is None else str(cell) for cell in cells]
        if len(row) != len(self.headings):
            raise ValueError(f"{len(row)} cells for {len(self.headings)} headings")
        self.rows.append(row)

    def plain(self) -> str:
        """The table as aligned text, without boxes, one line a row; ends with a newline."""
        widths = [
            max([len(head)] + [len(row[i]) for row in self.rows])
            for i, head in enumerate(self.headings)
        ]
        lines = [self.title] if self.title else []
        for row in [list(self.headings), *self.rows]:
            cells = [
                cell.rjust(width) if head in self.right else cell.ljust(width)
                for cell, width, head in zip(row, widths, self.headings, strict=True)
            ]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines) + "\n"


def print_table(table: Table, stream: IO[str] | None = None) -> None:
    """Write `table` to `stream` (default stdout), in the form the stream can show."""
    out = sys.stdout if stream is None else stream
    if not colour_wanted(out):
        out.write(table.plain())
        out.flush()
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    view = RichTable(
        title=table.title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    for head in table.headings:
        view.add_column(head, justify="right" if head in table.right else "left")
    for row in table.rows:
        view.add_row(*(Text(cell) for cell in row))
    rich_console(out).print(view)


def grouped(number: int | None) -> str:
    """A whole number with thousands separated, or a dash: 1234567 -> '1,234,567'."""
    return "-" if number is None else f"{number:,}"


def size_text(count: int) -> str:
    """Bytes in the largest binary unit that keeps it whole: 134217728 -> '128M'."""
    for shift, letter in ((30, "G"), (20, "M"), (10, "K")):
        if count and count % (1 << shift) == 0:
            return f"{count >> shift}{letter}"
    return f"{count} bytes"
