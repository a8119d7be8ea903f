"""Sources: their text, where include files may come from, and the jail around them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .diagnostics import Problem
from .limits import Limits


@dataclass(frozen=True)
class Source:
    """A source that is not (or not only) a file: a name for messages and its text."""

    name: str
    text: str


def decode(data: bytes) -> str:
    """Source text from bytes; bytes that are no UTF-8 survive into strings unchanged."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The bytes of a piece of source text."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


class Files:
    """Finds and reads source, include and binary files.

    A name is looked for beside the including file, then in ``include_dirs``, then in the
    current directory, where GNU as looks first.  With a ``jail`` only files inside that
    directory can be read by ``.include`` and ``.incbin``; links are followed before the test.
    """

    def __init__(self, include_dirs: Sequence[Path], jail: Path | None, limits: Limits) -> None:
        self.include_dirs = [Path(d) for d in include_dirs]
        self.jail = None if jail is None else Path(os.path.realpath(jail))
        self.limits = limits
        self.bytes_read = 0
        self._texts: dict[str, str] = {}

    def find(self, name: str, including: str) -> Path:
        """The path for an ``.include`` or ``.incbin`` name; Problem if there is none."""
        if "\0" in name or not name:
            raise Problem("this is not a file name", operand=0)
        wanted = Path(name)
        places = [Path(including).parent, *self.include_dirs, Path()]
        tried: list[str] = []
        for directory in [Path()] if wanted.is_absolute() else places:
            candidate = directory / wanted
            try:
                exists = candidate.is_file()
            except (OSError, ValueError):
                exists = False
            if self.jail is not None and not self._inside(candidate):
                if exists or len(places) == 1:
                    raise self._outside(name)
                continue
            if exists:
                return candidate
            tried.append(str(directory))
        if self.jail is not None and not tried:
            raise self._outside(name)
        raise Problem(
            f"cannot find the file `{name}`",
            operand=0,
            notes=["searched in " + ", ".join(dict.fromkeys(tried))] if tried else (),
            hint="check the name, or add its directory to the include directories",
        )

    def _inside(self, path: Path) -> bool:
        assert self.jail is not None
        try:
            real = Path(os.path.realpath(path))
        except (OSError, ValueError):
            return False
        return real == self.jail or self.jail in real.parents

    @staticmethod
    def _outside(name: str) -> Problem:
        return Problem(
            f"`{name}` is outside the directory that this source may read",
            operand=0,
            hint="move the file beside the source and name it without `..`",
        )

    def read_bytes(self, path: Path, skip: int = 0, count: int | None = None) -> bytes:
        """Bytes of a file, bounded; Problem if it cannot be read."""
        room = self.limits.image_bytes
        try:
            if not path.is_file():
                raise Problem(f"`{path}` is not a regular file", operand=0)
            with path.open("rb") as handle:
                handle.seek(skip)
                data = handle.read(room + 1 if count is None else min(count, room + 1))
        except (OSError, OverflowError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise Problem(f"cannot read `{path}`: {reason}", operand=0) from None
        if len(data) > room:
            raise Problem(f"`{path}` is larger than {room} bytes", operand=0)
        return data

    def read_text(self, path: Path) -> str:
        """The text of a source or include file; read from disk once."""
        key = str(path)
        text = self._texts.get(key)
        if text is None:
            data = self.read_bytes(path)
            self.bytes_read += len(data)
            if self.bytes_read > self.limits.source_bytes:
                raise Problem(
                    f"the sources are larger than {self.limits.source_bytes} bytes", operand=0
                )
            text = self._texts[key] = decode(data)
        return text
