"""Raw disk images: byte n of the file is byte n of the disk."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path
from typing import Final

from toyvm.storage.disk import SECTOR_SIZE, DiskError, check_range, whole_sectors

_MIB: Final = 1 << 20


class RawDisk:
    """A disk in a file of the host.

    Raises DiskError, with advice, if the file is missing, is no file, may not be opened, is empty,
    or is not a whole number of sectors.  Data is handed to the host at once (there is no buffer
    here); :meth:`flush` makes it durable.  The size is fixed when the disk is opened.
    """

    def __init__(self, path: str | os.PathLike[str], read_only: bool = False) -> None:
        self.path = Path(path)
        self.name = str(path)
        self.read_only = read_only
        self._file = self._open()
        try:
            self.sectors = self._capacity()
        except DiskError:
            self._file.close()
            raise

    def _open(self) -> FileIO:
        try:
            # Asked before opening: opening a pipe would wait for its other end.
            kind = self.path.stat().st_mode
            if stat.S_ISDIR(kind) or stat.S_ISFIFO(kind) or stat.S_ISCHR(kind):
                raise DiskError(f"disk image {self.name}: expected a file with a raw image")
            return FileIO(self.path, "rb" if self.read_only else "rb+")
        except FileNotFoundError:
            raise DiskError(
                f"disk image {self.name}: no such file; expected a raw image.  Check the path, or "
                f"create an empty disk of 1 MiB: {_create_command(self.name, _MIB)}"
            ) from None
        except PermissionError:
            hint = "make it readable" if self.read_only else "make it writable or open it read-only"
            raise DiskError(f"disk image {self.name}: permission denied; {hint}") from None
        except DiskError:
            raise
        except (OSError, ValueError) as trouble:
            raise DiskError(f"disk image {self.name}: cannot open: {trouble}") from None

    def _capacity(self) -> int:
        try:
            size = self._file.seek(0, os.SEEK_END)
        except OSError as trouble:
            raise DiskError(f"disk image {self.name}: has no size: {trouble}") from None
        sectors, rest = divmod(size, SECTOR_SIZE)
        if size == 0:
            raise DiskError(
                f"disk image {self.name}: is empty, expected at least one sector of {SECTOR_SIZE} "
                f"bytes.  Give it a size: {_create_command(self.name, _MIB)}"
            )
        if rest:
            padded = (sectors + 1) * SECTOR_SIZE
            raise DiskError(
                f"disk image {self.name}: size is {size} bytes, expected a multiple of "
                f"{SECTOR_SIZE}.  If it is a raw image, pad it with zeros to {padded} bytes: "
                f"{_create_command(self.name, padded)}"
            )
        return sectors

    def read(self, sector: int, count: int) -> bytes:
        check_range(self.name, self.sectors, sector, count)
        wanted = count * SECTOR_SIZE
        parts = []
        try:
            self._file.seek(sector * SECTOR_SIZE)
            while wanted:
                part = self._file.read(wanted)
                if not part:
                    raise DiskError(
                        f"{self.name}: ends before sector {sector + count}: the file was "
                        "shortened while it was open"
                    )
                parts.append(part)
                wanted -= len(part)
        except (OSError, ValueError) as trouble:
            raise self._trouble("read", sector, trouble) from None
        return b"".join(parts)

    def write(self, sector: int, data: bytes) -> None:
        count = whole_sectors(self.name, data)
        check_range(self.name, self.sectors, sector, count)
        if self.read_only:
            raise DiskError(f"{self.name}: read-only, cannot write sector {sector}")
        rest = memoryview(data)
        try:
            self._file.seek(sector * SECTOR_SIZE)
            while rest:
                rest = rest[self._file.write(rest) :]
        except (OSError, ValueError) as trouble:
            raise self._trouble("write", sector, trouble) from None

    def flush(self) -> None:
        if self.read_only:
            return
        try:
            os.fsync(self._file.fileno())
        except (OSError, ValueError) as trouble:
            raise DiskError(f"{self.name}: cannot flush: {trouble}") from None

    def close(self) -> None:
        self._file.close()

    def _trouble(self, what: str, sector: int, trouble: Exception) -> DiskError:
        if isinstance(trouble, DiskError):
            return trouble
        return DiskError(f"{self.name}: cannot {what} sector {sector}: {trouble}")


def _create_command(name: str, size: int) -> str:
    """A command, the same on every host, that makes or grows a file to ``size`` bytes."""
    return f"""python3 -c "open({name!r}, 'ab').truncate({size})\""""
