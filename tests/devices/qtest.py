"""A client for QEMU's qtest protocol: reads and writes of a real ``virt`` board, without a guest.

The machine is stopped (-S) and never runs an instruction, so every access is ours.  Some of QEMU's
devices move data only while the machine runs; for them the hart can sleep in a loop instead.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType

import pytest

QEMU = "qemu-system-riscv32"
SECONDS = 20.0
WFI = 0x1050_0073
JUMP_BACK = 0xFFDF_F06F

needs_qemu = pytest.mark.skipif(
    shutil.which(QEMU) is None, reason=f"{QEMU} is not installed; no board to compare with"
)


class QTest:
    """A QEMU board whose bus and RAM can be read and written.

    With ``running`` the hart executes ``wfi`` for ever in the first two words of RAM.
    """

    def __init__(self, directory: Path, *args: str, running: bool = False) -> None:
        path = str(directory / "qtest.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(SECONDS)
        command = [QEMU, "-M", "virt", "-bios", "none", "-m", "32"]
        command += ["-display", "none", "-monitor", "none"]
        if running:
            for address, word in ((0x8000_0000, WFI), (0x8000_0004, JUMP_BACK)):
                command += ["-device", f"loader,addr={address},data={word},data-len=4"]
        else:
            command += ["-S"]
        command += ["-serial", "null", "-qtest", f"unix:{path}", "-qtest-log", "/dev/null", *args]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            self._socket, _ = listener.accept()
        except TimeoutError:
            self._process.kill()
            raise AssertionError(f"QEMU did not start: {self._process.communicate()[1]}") from None
        finally:
            listener.close()
        self._socket.settimeout(SECONDS)
        self._lines = self._socket.makefile("r")

    def ask(self, command: str) -> str:
        self._socket.sendall(command.encode() + b"\n")
        while True:
            line = self._lines.readline().strip()
            if line.startswith("IRQ "):
                continue
            assert line.startswith("OK"), f"qtest answered {line!r} to {command!r}"
            return line[2:].strip()

    def load(self, address: int, width: int) -> int:
        return int(self.ask(f"read{'_bw_l'[width]} {address:#x}"), 16)

    def store(self, address: int, width: int, value: int) -> None:
        self.ask(f"write{'_bw_l'[width]} {address:#x} {value:#x}")

    def read_memory(self, address: int, size: int) -> bytes:
        return bytes.fromhex(self.ask(f"read {address:#x} {size:#x}").removeprefix("0x"))

    def write_memory(self, address: int, data: bytes) -> None:
        self.ask(f"write {address:#x} {len(data):#x} 0x{data.hex()}")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> QTest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
