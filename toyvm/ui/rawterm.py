"""The one door to termios: a terminal that hands keys to a guest, always given back as it was.

Off Unix there is no termios; then `raw_mode` does nothing and the console works line by line.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

try:
    import termios
except ImportError:  # Windows
    termios = None  # type: ignore[assignment]

#: Ctrl-A, the escape key of QEMU's console.
ESCAPE = 0x01
SUSPEND = 0x1A

HELP = """\
Ctrl-A H       this help
Ctrl-A X       leave: stop the guest and end toyvm
Ctrl-A C       pause the guest and open the debugger; `quit` there comes back
Ctrl-A B       send a break on the serial line
Ctrl-A Z       send Ctrl-Z to the guest
Ctrl-A Ctrl-A  send Ctrl-A to the guest
Ctrl-Z         suspend toyvm; `fg` in the shell comes back
Ctrl-C         stop the guest and end toyvm
"""


def available() -> bool:
    """True where terminals can be put into raw mode."""
    return termios is not None


def in_foreground(fd: int) -> bool:
    """True when this process may read the terminal `fd` without being stopped by job control."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except (OSError, AttributeError):
        return False


def _guest_settings(settings: list[Any]) -> list[Any]:
    """Terminal settings under which keys reach the guest one by one.

    Output processing stays on (guests end lines with a bare newline) and so do Ctrl-C and Ctrl-Z:
    they must work whatever the guest does.
    """
    assert termios is not None
    iflag, oflag, cflag, lflag, ispeed, ospeed, cc = settings
    iflag &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.IXON | termios.ISTRIP)
    lflag &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
    lflag |= termios.ISIG
    cc = list(cc)
    disabled = b"\0" if sys.platform.startswith("linux") else b"\xff"
    for name in ("VDSUSP", "VQUIT", "VLNEXT", "VDISCARD"):
        if hasattr(termios, name):
            cc[getattr(termios, name)] = disabled
    cc[termios.VMIN], cc[termios.VTIME] = 1, 0
    return [iflag, oflag, cflag, lflag, ispeed, ospeed, cc]


@contextmanager
def raw_mode(fd: int) -> Iterator[bool]:
    """Put terminal `fd` into the guest's mode for the duration of the block.

    Yields True if it did. The old settings come back on leaving, on an exception, when the
    process is ended by SIGTERM, SIGHUP or SIGQUIT, and while it is suspended by Ctrl-Z (SIGTSTP).
    """
    if termios is None or not os.isatty(fd) or not in_foreground(fd):
        yield False
        return
    saved = termios.tcgetattr(fd)

    def restore() -> None:
        with suppress(termios.error, OSError):
            termios.tcsetattr(fd, termios.TCSADRAIN, saved)

    def enter() -> None:
        # In the background the terminal belongs to somebody else: changing it would stop us.
        if in_foreground(fd):
            with suppress(termios.error, OSError):
                termios.tcsetattr(fd, termios.TCSADRAIN, _guest_settings(saved))

    def on_suspend(number: int, _frame: FrameType | None) -> None:
        restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # Here the process stands still until SIGCONT.
        signal.signal(number, on_suspend)
        enter()

    def on_continue(_number: int, _frame: FrameType | None) -> None:
        enter()

    def on_end(number: int, _frame: FrameType | None) -> None:
        restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    old: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for ending in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            old[int(ending)] = signal.signal(ending, on_end)
        old[int(signal.SIGTSTP)] = signal.signal(signal.SIGTSTP, on_suspend)
        old[int(signal.SIGCONT)] = signal.signal(signal.SIGCONT, on_continue)
    try:
        termios.tcsetattr(fd, termios.TCSADRAIN, _guest_settings(saved))
        yield True
    finally:
        restore()
        for number, handler in old.items():
            signal.signal(number, handler)


class EscapeFilter:
    """Separates Ctrl-A commands from the bytes meant for the guest."""

    def __init__(self) -> None:
        self._armed = False

    def feed(self, data: bytes) -> tuple[bytes, list[str]]:
        """Return (bytes for the guest, commands): "leave", "debug", "break" and "help".

        Bytes after "leave" are dropped: nobody is left to read them.
        """
        out = bytearray()
        commands: list[str] = []
        for byte in data:
            if not self._armed:
                if byte == ESCAPE:
                    self._armed = True
                else:
                    out.append(byte)
                continue
            self._armed = False
            key = chr(byte).lower()
            if byte == ESCAPE:
                out.append(byte)
            elif key == "x":
                commands.append("leave")
                break
            elif key == "c":
                commands.append("debug")
            elif key == "b":
                commands.append("break")
            elif key == "z":
                out.append(SUSPEND)
            else:
                commands.append("help")
        return bytes(out), commands
