"""Exit codes, and how errors become one line and a code.

    0  ok
    1  the guest or a check failed
    2  wrong usage or input
    3  the budget is spent
    4  an internal error: a bug of ours

Besides, 130 says that Ctrl-C ended the command, as everywhere on Unix.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path
from typing import NoReturn

OK, FAILED, USAGE, SPENT, INTERNAL = 0, 1, 2, 3, 4
INTERRUPTED = 130


class CliError(Exception):
    """An error for the user: shown as `toyvm: error: ...`, without a traceback."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code


def fail(message: str, code: int = USAGE) -> NoReturn:
    """Raise CliError."""
    raise CliError(message, code)


def say(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"toyvm: {message}\n")
    sys.stderr.flush()


def input_errors() -> tuple[type[BaseException], ...]:
    """The exception types that mean "your input is wrong", as far as they are loaded.

    Modules that were never imported cannot have raised anything.
    """
    names = (
        ("assembler.diagnostics", "AssemblyError"),
        ("assembler.objread", "ObjectError"),
        ("guestos.listing", "GuestError"),
        ("lessons.course", "CourseError"),
        ("toyvm.control.labs", "LabError"),
        ("toyvm.control.serial", "SerialError"),
        ("toyvm.control.specs", "SpecError"),
        ("toyvm.debugger.errors", "DebugError"),
        ("toyvm.machine.loader", "LoadError"),
        ("toyvm.network.socket_peer", "PeerError"),
        ("toyvm.storage.disk", "DiskError"),
    )
    found = []
    for module, name in names:
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type) and issubclass(kind, BaseException):
            found.append(kind)
    return tuple(found)


def state_folder() -> Path:
    """Where logs are kept; TOYVM_STATE_DIR overrides it."""
    override = os.environ.get("TOYVM_STATE_DIR")
    if override:
        return Path(override)
    import platformdirs

    return Path(platformdirs.user_state_dir("toyvm", "toyvm"))


def log_text(text: str) -> Path | None:
    """Keep `text` (a traceback) in a file of the state folder; None if that is impossible."""
    head = f"{time.strftime('%Y-%m-%d %H:%M:%S')}  toyvm {' '.join(sys.argv[1:])}\n"
    try:
        folder = state_folder()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        path.write_text(head + text, encoding="utf-8")
    except OSError:
        return None
    return path


def internal_error(error: BaseException) -> int:
    """Report a bug of ours in one line; the exit code."""
    path = log_text("".join(traceback.format_exception(error)))
    kept = f"; the traceback is in {path}" if path else ""
    summary = str(error).splitlines()[0] if str(error) else ""
    kind = type(error).__name__
    say(f"internal error: {kind}{': ' + summary if summary else ''}; please report it{kept}")
    return INTERNAL
