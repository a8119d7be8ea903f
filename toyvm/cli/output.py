"""Writing files and reports."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from .errors import fail


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file that becomes `path` when the block ends well, and leaves no trace otherwise.

    So a reader never sees half a file, and an existing file survives a failure.
    """
    folder = path.parent
    if path.is_dir():
        fail(f"{path} is a directory; expected a file name")
    if not folder.is_dir():
        fail(f"cannot write {path}: no such folder: {folder}")
    if path.exists() and not path.is_file():
        # A device or a pipe (/dev/stdout, /dev/null) is written to, not replaced.
        with path.open("wb") as stream:
            yield stream
        return
    try:
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=folder)
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
    temporary = Path(name)
    try:
        with os.fdopen(number, "wb") as stream:
            yield stream
        _usual_rights(temporary, path)
        temporary.replace(path)
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _usual_rights(temporary: Path, path: Path) -> None:
    """mkstemp makes private files: give the rights that the file had, or that open() gives."""
    if path.exists():
        temporary.chmod(path.stat().st_mode & 0o7777)
        return
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)


def write_file(path: Path, data: bytes) -> None:
    """Write `data` to `path`, all of it or nothing."""
    with replacing(path) as stream:
        stream.write(data)


def print_json(data: Any, stream: Any = None) -> None:
    """One JSON object on one line (default: stdout)."""
    out = sys.stdout if stream is None else stream
    out.write(json.dumps(data, ensure_ascii=False, default=str) + "\n")
    out.flush()


def forget_stdout() -> None:
    """Nothing can be written any more: let the interpreter's last flush go nowhere."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return
