"""A guest's console: the terminal and its keys, serial lines, reboots."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import ECHO, HELLO, SLEEP, environment, program

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals need Unix")

BARE = ("--bios", "none", "--ram", "1M")
# Echoes, and says B for a break, which it knows by the line status.
BREAKS = ECHO.replace(
    "    andi t1, t1, 1\n", "    andi t2, t1, 0x10\n    bnez t2, broken\n    andi t1, t1, 1\n"
).replace(
    "stop:\n", "broken:\n    lbu a0, 0(t0)\n    li a0, 'B'\n    sb a0, 0(t0)\n    j poll\nstop:\n"
)
# Counts its starts in RAM that nobody loads; resets three times, then ends with the count.
REBOOT = """
    .globl _start
_start:
    li   t0, 0x80080000
    lw   t1, 0(t0)
    addi t1, t1, 1
    sw   t1, 0(t0)
    li   t2, 0x10000000
    addi t3, t1, '0'
    sb   t3, 0(t2)
    li   t0, 0x100000
    li   t3, 0x7777
    li   t4, 4
    bne  t1, t4, 1f
    li   t3, 0x5555
1:  sw   t3, 0(t0)
stop:
    j    stop
"""


@pytest.fixture
def terminal(tmp_path, compiled):
    """`toyvm run` on a pseudo-terminal of its own session."""
    pexpect = pytest.importorskip("pexpect", reason="pexpect drives terminals")
    running = []

    def start(*arguments: object):
        command = program("run", *arguments)
        child = pexpect.spawn(
            command[0],
            command[1:],
            env={**environment(), "TERM": "xterm", "NO_COLOR": "1"},
            cwd=str(tmp_path),
            timeout=40,
        )
        running.append(child)
        return child

    yield start
    for child in running:
        child.close(force=True)


def settings(child) -> list:
    import termios

    return termios.tcgetattr(child.child_fd)


def raw(child) -> bool:
    import termios

    return not settings(child)[3] & termios.ICANON


def until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ended(child) -> int:
    import pexpect

    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus if child.exitstatus is not None else -child.signalstatus


def test_keys_reach_the_guest_untouched(terminal, source):
    child = terminal(source(ECHO), *BARE)
    until(lambda: raw(child))
    for text in ("ä€😀".encode(), b"\xff\xfe\x80", b"\x04\x11\x13\x16\x1c\x7f"):
        child.send(text)
        child.expect_exact(text)
    child.send(b"\r")
    child.expect_exact(b"\r")
    child.send(b"\x01\x01")
    child.expect_exact(b"\x01")
    child.send(b"\x01z")
    child.expect_exact(b"\x1a")
    child.send(b"\x01h")
    child.expect_exact(b"Ctrl-A X")
    child.send(b"q")
    assert ended(child) == 0


def test_a_break(terminal, source):
    child = terminal(source(BREAKS), *BARE)
    until(lambda: raw(child))
    child.send(b"a")
    child.expect_exact(b"a")
    child.send(b"\x01b")
    child.expect_exact(b"B")
    child.send(b"\x01x")
    assert ended(child) == 0


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (b"\x01x", 0),
        (b"\x03", 130),
        (signal.SIGTERM, -signal.SIGTERM),
        (signal.SIGHUP, -signal.SIGHUP),
        (signal.SIGQUIT, -signal.SIGQUIT),
    ],
)
def test_the_terminal_is_given_back(terminal, source, how, code):
    child = terminal(source(ECHO), *BARE)
    before = settings(child)
    until(lambda: raw(child))
    child.send(b"x")
    child.expect_exact(b"x")
    if isinstance(how, bytes):
        child.send(how)
    else:
        child.kill(how)
    after = []

    def restored() -> bool:
        after[:] = settings(child)
        return after[3] == before[3]

    until(restored)
    assert after == before
    assert ended(child) == code


def test_the_terminal_is_given_back_after_an_error(terminal, source):
    """The serial line's file is full at the first letter: an error ends the run."""
    child = terminal(
        source(SLEEP), *BARE, "--device", "virtio-console", "--serial", "file:/dev/full"
    )
    before = settings(child)
    child.expect_exact(b"No space left on device")
    assert ended(child) == 2
    assert before[3] & 2  # ICANON: what we compare with is no raw terminal


def test_stopped_behind_its_back_and_continued(terminal, source):
    """What a shell does then: it takes the terminal, and gives it back with SIGCONT."""
    import termios

    child = terminal(source(ECHO), *BARE)
    before = settings(child)
    until(lambda: raw(child))
    os.kill(child.pid, signal.SIGSTOP)
    termios.tcsetattr(child.child_fd, termios.TCSANOW, before)
    os.kill(child.pid, signal.SIGCONT)
    until(lambda: raw(child))
    child.send(b"2")
    child.expect_exact(b"2")
    child.send(b"\x01x")
    assert ended(child) == 0


@pytest.mark.parametrize("how", ["key", "signal"])
def test_suspended_from_a_shell_and_back(source, tmp_path, compiled, how):
    """Only a process below a shell with job control can be suspended by Ctrl-Z."""
    pexpect = pytest.importorskip("pexpect", reason="pexpect drives terminals")
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed; no shell with job control")
    shell = pexpect.spawn(
        bash,
        ["--norc", "--noprofile", "--noediting", "-i"],
        env={**environment(), "TERM": "dumb", "NO_COLOR": "1", "PS1": "ready> "},
        cwd=str(tmp_path),
        timeout=40,
        encoding="utf-8",
    )
    try:
        shell.expect_exact("ready> ")
        shell.sendline(shlex.join(program("run", source(ECHO), *BARE)))
        until(lambda: raw(shell))
        shell.send("@@")
        shell.expect_exact("@@")
        if how == "key":
            shell.send("\x1a")
        else:
            os.kill(os.tcgetpgrp(shell.child_fd), signal.SIGTSTP)
        shell.expect_exact("Stopped")
        shell.expect_exact("ready> ")
        shell.sendline("stty -a")
        assert shell.expect([r"[^-]icanon", "-icanon"]) == 0
        shell.expect_exact("ready> ")
        shell.sendline("fg")
        until(lambda: raw(shell))
        shell.send("##")
        shell.expect_exact("##")
        shell.send("\x01x")
        shell.expect_exact("ready> ")
        shell.sendline("echo code $?; exit")
        shell.expect_exact("code 0\r")
    finally:
        shell.close(force=True)


# -- serial lines ------------------------------------------------------------------------------


def test_serial_into_a_file(cli, hello, tmp_path):
    path = tmp_path / "log"
    result = cli("run", hello, *BARE, "--serial", f"file:{path}", "--json")
    assert (result.code, result.out, path.read_bytes()) == (0, "", b"hello\n")
    assert json.loads(result.err)["console_bytes"] == 6


def test_serial_to_nobody(cli, hello):
    assert cli("run", hello, *BARE, "--serial", "null").out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--serial", "tty"], 'did you mean "pty"?'),
        (["--serial", "file:/nosuch/log"], "no such folder: /nosuch"),
        (["--serial", "file:/proc/nosuch"], "cannot be written"),
        (["--serial", "socket:127.0.0.1:1"], "start the other side first"),
        (["--device", "virtio-gpu"], "expected virtio-console or virtio-rng"),
        (["--device", "virtio-console,file:"], "expected file:PATH"),
        (["--initrd", "nosuch"], "nosuch: no such file"),
        (["--dtb", "nosuch"], "nosuch: no such file"),
        (["--device", "virtio-rng"] * 9, "8 virtio slots"),
    ],
)
def test_bad_lines_are_one_line_and_code_2(cli, hello, arguments, message):
    result = cli("run", hello, *BARE, *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1


def test_a_full_disk_under_a_serial_file(cli, hello):
    result = cli("run", hello, *BARE, "--serial", "file:/dev/full")
    assert result.code == 2
    assert result.err == (
        "toyvm: error: serial file /dev/full: cannot be written: No space left on device\n"
    )


def start(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        program("run", *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )


def test_serial_on_a_pseudo_terminal(source, compiled):
    """Keys of another terminal reach the guest, though the end of stdin came long ago."""
    child = start(source(ECHO), *BARE, "--serial", "pty")
    try:
        told = child.stderr.readline().decode()
        name = told.split()[-1]
        assert told == f"toyvm: serial line on {name}\n"
        fd = os.open(name, os.O_RDWR | os.O_NOCTTY)
        os.write(fd, "grüß".encode())
        got = b""
        while len(got) < 6:
            got += os.read(fd, 100)
        assert got.decode() == "grüß"
        os.write(fd, b"q")
        out, err = child.communicate(timeout=60)
        os.close(fd)
    finally:
        child.kill()
    assert (child.returncode, out, err) == (0, b"", b"")


@pytest.mark.parametrize("vm", [(), ("--vm",)])
def test_serial_on_a_socket(source, compiled, tmp_path, vm):
    path = tmp_path / "line"
    child = start(source(ECHO), *BARE, *vm, "--serial", f"unix:{path},server")
    try:
        until(path.exists)
        with socket.socket(socket.AF_UNIX) as peer:
            until(lambda: peer.connect_ex(str(path)) == 0)
            peer.sendall(b"\x01x\x00")
            got = b""
            while len(got) < 3:
                got += peer.recv(100)
            assert got == b"\x01x\x00"
            peer.sendall(b"q")
            assert child.wait(60) == 0
    finally:
        child.kill()
        child.communicate()


def test_devices_and_their_counters(cli, tmp_path):
    path = tmp_path / "line"
    more = ["--device", f"virtio-console,file:{path}", "--device", "virtio-rng,seed=5", "--json"]
    result = cli("run", "probe-console", *more)
    console, rng = json.loads(result.err)["devices"]
    assert (result.code, path.read_bytes()) == (0, "Ea line, and ä\n".encode())
    assert console == {"id": 3, "requests": 1, "bytes_in": 0, "bytes_out": 16, "errors": 0}
    assert rng["id"] == 4
    assert rng["requests"] == 0


# -- reboots -----------------------------------------------------------------------------------


@pytest.mark.parametrize("vm", [(), ("--vm",)])
def test_a_reset_starts_the_machine_again(cli, source, vm):
    result = cli("run", source(REBOOT), *BARE, *vm, "--json")
    facts = json.loads(result.err)
    assert (result.code, result.out, facts["reboots"]) == (0, "1234", 3)


def test_no_reboot(cli, source):
    result = cli("run", source(REBOOT), *BARE, "--no-reboot", "--json")
    facts = json.loads(result.err)
    assert (result.code, result.out, facts["reboots"], facts["detail"]) == (0, "1", 0, "reset")


def test_the_budget_counts_all_starts(cli, source):
    again = HELLO.format(finish="0x7777")
    result = cli("run", source(again), *BARE, "--max-insns", "200")
    assert result.code == 3
    assert result.out.startswith("hello\nhello\n")
    assert result.out.count("hello") < 10
