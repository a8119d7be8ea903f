"""`toyvm` commands without a start of the interpreter each: forked from one that has it all.

Starting Python and importing Numba takes a command most of its time, and tests run hundreds of
them.  `program(folder)` writes a `toyvm` into a folder; what it runs is `toyvm.cli.main.main` in a
process of its own, forked from a server that has done nothing but import the project.  It has the
caller's streams, folder and environment; signals and exit codes pass through.

Where that is not the same (no fork, other settings of the compiler) the interpreter is started.
Tests of the start itself, of terminals and of the installed program do not come here.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import shlex
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
CLIENT = Path(__file__).with_name("forked_client.py")
PACKAGES = ("toyvm", "assembler", "guestos", "lessons")
STREAMS = 3


def program(folder: Path) -> Path:
    """An executable `toyvm` in a folder."""
    start = f'exec {shlex.quote(sys.executable)} -m toyvm.cli.main "$@"\n'
    if sys.platform == "linux":
        client = shlex.join([sys.executable, "-I", "-S", str(CLIENT), _server()])
        # The compiler's settings count when it is imported.
        start = f'if env | grep -q ^NUMBA_; then\n{start}fi\nexec {client} "$@"\n'
    path = folder / "toyvm"
    path.write_text(f"#!/bin/sh\n{start}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@cache
def _server() -> str:
    """Start the server; where it listens.  It ends when this process does."""
    place = tempfile.TemporaryDirectory(prefix="toyvm-")
    path = f"{place.name}/socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        running = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked", str(listener.fileno())],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )

    def end() -> None:
        assert running.stdin
        running.stdin.close()
        running.wait(timeout=60)
        place.cleanup()

    atexit.register(end)
    return path


# ---- the server ------------------------------------------------------------------------------


def prepare() -> None:
    """Import the project, and have a machine and a VM run: that loads the compiled code."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    from guestos import build
    from toyvm.hypervisor import Vm
    from toyvm.machine import Machine

    for kind in (Machine, Vm):
        computer = kind(16 << 20)
        computer.load(build("hello"))
        computer.run(2_000)
    gc.collect()
    gc.freeze()


def serve(listener: socket.socket) -> None:
    """Fork for each caller, until standard input is closed; returns in the forked processes."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listener, 0], [], [])
        if 0 in ready:
            sys.exit()
        caller, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return _accompany(caller)
        caller.close()


def _accompany(caller: socket.socket) -> None:
    """Fork the command (it returns) and stay with it: signals to it, its end to the caller."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, streams, _, _ = socket.recv_fds(caller, 8, STREAMS)
    size = int.from_bytes(request, "little")
    message = b""
    while len(message) < size:
        message += caller.recv(size - len(message))
    told, wake = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told)
        caller.close()
        return _become(json.loads(message), streams)
    for stream in (*streams, wake):
        os.close(stream)
    # The pipe closes when the command ends: what it starts does not inherit it.
    while told not in (ready := select.select([caller, told], [], [])[0]):
        if ready and (number := caller.recv(1)):
            os.kill(child, number[0])
        else:
            os.kill(child, signal.SIGKILL)
            break
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    try:
        caller.sendall(code.to_bytes(4, "little", signed=True))
    finally:
        os._exit(0)


def _become(request: dict[str, object], streams: list[int]) -> None:
    """This process is the caller's command from here on."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    os.chdir(str(request["folder"]))
    sys.argv = ["toyvm", *request["arguments"]]  # type: ignore[misc]
    sys.path[0] = os.getcwd()


def _main() -> NoReturn:
    prepare()
    serve(socket.socket(fileno=int(sys.argv[1])))
    from toyvm.cli.main import main

    code: object = 1
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    # As the interpreter ends, but for clearing away every module it has imported.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    _main()
