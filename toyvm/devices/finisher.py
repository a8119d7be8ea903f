"""The test finisher: a guest ends the machine by one store (SiFive's test device)."""

from __future__ import annotations

from collections.abc import Callable

from toyvm.platform import FINISHER_FAIL, FINISHER_PASS, FINISHER_RESET, FINISHER_SIZE


class Finisher:
    """Write-only device at offset 0; bits 15:0 say what, bits 31:16 carry the code of a failure.

    ``on_exit(kind, code)`` hears "pass" with 0, "fail" with the guest's code (0 to 65535), or
    "reset" with 0.  Other values and offsets do nothing; byte accesses fault, as on QEMU.
    """

    size = FINISHER_SIZE

    def __init__(self, on_exit: Callable[[str, int], None]) -> None:
        self._on_exit = on_exit

    def reset(self) -> None:
        """Nothing to do: the device has no state."""

    def read(self, offset: int, width: int) -> int | None:
        return 0 if _legal(offset, width) else None

    def write(self, offset: int, width: int, value: int) -> bool:
        if not _legal(offset, width):
            return False
        if offset == 0:
            kind = value & 0xFFFF
            code = value >> 16 & 0xFFFF if width == 4 else 0
            if kind == FINISHER_PASS:
                self._on_exit("pass", 0)
            elif kind == FINISHER_FAIL:
                self._on_exit("fail", code)
            elif kind == FINISHER_RESET:
                self._on_exit("reset", 0)
        return True


def _legal(offset: int, width: int) -> bool:
    return width in (2, 4) and not offset & (width - 1) and 0 <= offset < FINISHER_SIZE
