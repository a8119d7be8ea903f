"""Tables: aligned plain text everywhere, a rich table on a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

from .theme import colour_wanted, is_tty, rich_console

#: A column of text is not folded to less than this; the longest words of the tables fit.
NARROWEST = 12
PAGE = 100


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

    def plain(self, columns: int | None = None) -> str:
        """The table as aligned text, without boxes; ends with a newline.

        One line a row; with `columns` long texts are folded so that lines stay within them.
        """
        widths = [
            max([len(head)] + [len(row[i]) for row in self.rows])
            for i, head in enumerate(self.headings)
        ]
        if columns is not None:
            self._narrow(widths, columns)
        lines = [self.title] if self.title else []
        for row in [list(self.headings), *self.rows]:
            folded = [
                textwrap.wrap(cell, width) if len(cell) > width else [cell]
                for cell, width in zip(row, widths, strict=True)
            ]
            for number in range(max(map(len, folded))):
                cells = [
                    part.rjust(width) if head in self.right else part.ljust(width)
                    for part, width, head in zip(
                        (part[number] if number < len(part) else "" for part in folded),
                        widths,
                        self.headings,
                        strict=True,
                    )
                ]
                lines.append("  ".join(cells).rstrip())
        return "\n".join(lines) + "\n"

    def _narrow(self, widths: list[int], columns: int) -> None:
        """Take from the widest column of text, again and again, until the table fits."""
        texts = [i for i, head in enumerate(self.headings) if head not in self.right]
        while sum(widths) + 2 * (len(widths) - 1) > columns:
            widest = max(texts, key=lambda i: widths[i], default=None)
            if widest is None or widths[widest] <= NARROWEST:
                return
            widths[widest] -= 1


def print_table(table: Table, stream: IO[str] | None = None) -> None:
    """Write `table` to `stream` (default stdout), in the form the stream can show."""
    out = sys.stdout if stream is None else stream
    if not colour_wanted(out):
        out.write(table.plain(shutil.get_terminal_size().columns if is_tty(out) else None))
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


def paragraph(text: str, stream: IO[str] | None = None) -> str:
    """`text` folded to the width of the terminal, to a page's width elsewhere."""
    out = sys.stdout if stream is None else stream
    columns = PAGE
    if is_tty(out):
        columns = min(PAGE, shutil.get_terminal_size().columns)
    return textwrap.fill(text, max(NARROWEST, columns - 1))


def grouped(number: int | None) -> str:
    """A whole number with thousands separated, or a dash: 1234567 -> '1,234,567'."""
    return "-" if number is None else f"{number:,}"


def size_text(count: int) -> str:
    """Bytes in the largest binary unit that keeps it whole: 134217728 -> '128M'."""
    for shift, letter in ((30, "G"), (20, "M"), (10, "K")):
        if count and count % (1 << shift) == 0:
            return f"{count >> shift}{letter}"
    return f"{count} bytes"
