"""Colour decisions and the few styles the project uses.

Nothing is ever said by colour alone: a style only repeats what a mark or a word already says.
NO_COLOR (https://no-color.org), TERM=dumb and a stream that is no terminal all give plain text.
"""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

#: Style name -> SGR parameters. Only the eight basic colours: they follow the user's own palette,
#: so they are readable on light and dark terminals alike.
SGR = {
    "title": "1",
    "changed": "1;31",
    "dim": "2",
    "addr": "36",
    "symbol": "33",
    "pc": "1;32",
    "break": "1;31",
    "error": "1;31",
    "warn": "33",
    "ok": "32",
    "string": "32",
    "mode": "1;35",
}


def is_tty(stream: Any) -> bool:
    """True when `stream` is an open terminal."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError, OSError):
        return False


def colour_wanted(stream: Any) -> bool:
    """True when colour may be written to `stream`."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("TERM", "") == "dumb":
        return False
    return is_tty(stream)


def live_wanted(stream: Any) -> bool:
    """True when a display that redraws itself may be used on `stream`."""
    return is_tty(stream) and os.environ.get("TERM", "") not in ("", "dumb")


class Painter:
    """Wraps text in a style, or leaves it alone.

    >>> Painter(False).paint("pc", "=>")
    '=>'
    """

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    @classmethod
    def for_stream(cls, stream: Any) -> Painter:
        """A painter that colours only when `stream` wants it."""
        return cls(colour_wanted(stream))

    def paint(self, style: str, text: str) -> str:
        """`text` in `style`; an unknown style is an error in the caller (KeyError)."""
        code = SGR[style]
        if not self.enabled or not text:
            return text
        return f"\x1b[{code}m{text}\x1b[0m"


def rich_console(stream: IO[str] | None = None) -> Console:
    """A rich Console on `stream` (default stdout) that follows the same colour decision."""
    from rich.console import Console

    out = sys.stdout if stream is None else stream
    return Console(
        file=out,
        no_color=not colour_wanted(out),
        highlight=False,
        force_terminal=live_wanted(out),
    )
