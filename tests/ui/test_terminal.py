"""Keys for a guest: escape commands, input that never blocks, terminals given back as they were."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from toyvm.ui.console import GuestKeys
from toyvm.ui.pace import Interrupt, Pacer
from toyvm.ui.rawterm import EscapeFilter, available, raw_mode
from toyvm.ui.stdin import InputSource

needs_pty = pytest.mark.skipif(not available(), reason="no termios on this system")


def test_escape_commands():
    keys = EscapeFilter()
    assert keys.feed(b"ls\r") == (b"ls\r", [])
    assert keys.feed(b"a\x01") == (b"a", [])
    assert keys.feed(b"xrest") == (b"", ["leave"])
    assert EscapeFilter().feed(b"\x01\x01") == (b"\x01", [])
    assert EscapeFilter().feed(b"\x01C!") == (b"!", ["debug"])
    assert EscapeFilter().feed(b"\x01h\x01?ok") == (b"ok", ["help", "help"])


@pytest.mark.parametrize("threaded", [False, True])
def test_input_is_polled_and_its_end_is_a_fact(threaded):
    if not threaded and sys.platform == "win32":
        pytest.skip("select() reads no pipes here")
    read, write = os.pipe()
    source = InputSource(read, threaded=threaded)
    assert source.poll(0.01) == b""
    assert not source.ended
    os.write(write, b"abc")
    assert source.poll(1.0) == b"abc"
    os.close(write)
    deadline = time.monotonic() + 2
    while not source.ended and time.monotonic() < deadline:
        assert source.poll(0.05) == b""
    assert source.ended
    began = time.monotonic()
    assert source.poll(0.05) == b""
    assert time.monotonic() - began >= 0.04  # waiting is still waiting
    os.close(read)


def test_no_input_at_all():
    source = InputSource(None)
    assert source.ended
    assert source.poll() == b""


def test_bytes_from_a_pipe_are_all_the_guests():
    read, write = os.pipe()
    os.write(write, b"\x01x\x03")
    with GuestKeys(InputSource(read)) as keys:
        assert not keys.interactive
        assert keys.poll(1.0) == b"\x01x\x03"
        assert keys.take_command() == ""
    os.close(write)
    os.close(read)


@needs_pty
def test_raw_mode_restores_the_terminal_even_after_an_error():
    import pty
    import termios

    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if pid == 0:  # its own session, so that the terminal is in its foreground
        code = 1
        try:
            os.setsid()
            import fcntl

            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            try:
                with raw_mode(slave) as raw:
                    inside = termios.tcgetattr(slave)
                    flags = inside[3] & (termios.ICANON | termios.ECHO)
                    keeps_signals = inside[3] & termios.ISIG and inside[1] & termios.OPOST
                    code = 0 if raw and not flags and keeps_signals else 2
                    raise RuntimeError
            except RuntimeError:
                pass
            if termios.tcgetattr(slave) != before:
                code = 3
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(master)
    os.close(slave)


def test_a_pipe_has_no_raw_mode():
    read, write = os.pipe()
    with raw_mode(read) as raw:
        assert raw is False
    os.close(read)
    os.close(write)


def test_ctrl_c_becomes_a_flag_once():
    with Interrupt() as interrupt:
        assert not interrupt.take()
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.take()
        assert not interrupt.take()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_second_unanswered_ctrl_c_raises():
    with Interrupt():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # at once: the same press, as it were
        time.sleep(0.6)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_slices_grow_on_a_fast_machine_and_shrink_on_a_slow_one():
    fast = Pacer(first=1000, seconds=0.03)
    for _ in range(8):
        fast.done(fast.next())
    assert fast.next() > 100_000
    assert fast.next(left=7) == 7
    slow = Pacer(first=10_000, seconds=0.001)
    for _ in range(3):
        steps = slow.next()
        time.sleep(0.005)
        slow.done(steps)
    assert slow.next() < 10_000
