"""What a disk is to its device, and the disk that lives in host memory."""

from __future__ import annotations

from hashlib import sha256
from typing import Final, Protocol

SECTOR_SIZE: Final = 512
"""Bytes in a sector; sector numbers and counts everywhere are in this unit."""

_HASH_SECTORS: Final = 2048


class DiskError(OSError):
    """A disk cannot do what was asked; the text names the disk, the place and what to do.

    The block device turns it into an error status for the guest; the commands that open disks show
    it and end with exit code 2.
    """


class Disk(Protocol):
    """A backend: numbered sectors of 512 bytes.

    All methods raise :class:`DiskError` for a range outside the disk, for a write to a read-only
    disk and for trouble on the host.
    """

    sectors: int
    """Capacity in sectors."""
    read_only: bool

    def read(self, sector: int, count: int) -> bytes:
        """``count`` sectors from ``sector`` on: exactly ``count`` * 512 bytes."""

    def write(self, sector: int, data: bytes) -> None:
        """Store ``data``, whole sectors, from ``sector`` on."""

    def flush(self) -> None:
        """Return when everything written is safe on the host's medium."""

    def close(self) -> None:
        """Release the host's resources; using the disk afterwards is an error."""


def check_range(name: str, sectors: int, sector: int, count: int) -> None:
    """Raise DiskError unless ``count`` sectors from ``sector`` on are on a disk of ``sectors``."""
    if sector < 0 or count < 0 or sector + count > sectors:
        raise DiskError(
            f"{name}: sectors {sector} to {sector + count - 1} are not on the disk: "
            f"expected 0 to {sectors - 1}"
        )


def whole_sectors(name: str, data: bytes) -> int:
    """The number of sectors in ``data``; raises DiskError if the last one is incomplete."""
    count, rest = divmod(len(data), SECTOR_SIZE)
    if rest:
        raise DiskError(f"{name}: {len(data)} bytes are not whole sectors of {SECTOR_SIZE}")
    return count


class MemoryDisk:
    """A disk in host memory; it vanishes with the process.

    ``content`` is the initial content, or a size in bytes for a disk of zeros.  Raises DiskError
    if that is not whole sectors, or none.
    """

    def __init__(
        self, content: bytes | bytearray | int, read_only: bool = False, name: str = "memory disk"
    ) -> None:
        size = content if isinstance(content, int) else len(content)
        if size <= 0 or size % SECTOR_SIZE:
            raise DiskError(
                f"{name}: size is {size} bytes, expected a positive multiple of {SECTOR_SIZE}"
            )
        self.name = name
        self.read_only = read_only
        self.sectors = size // SECTOR_SIZE
        self._data = bytearray(content)

    def read(self, sector: int, count: int) -> bytes:
        check_range(self.name, self.sectors, sector, count)
        return bytes(self._data[sector * SECTOR_SIZE : (sector + count) * SECTOR_SIZE])

    def write(self, sector: int, data: bytes) -> None:
        count = whole_sectors(self.name, data)
        check_range(self.name, self.sectors, sector, count)
        if self.read_only:
            raise DiskError(f"{self.name}: read-only, cannot write sector {sector}")
        self._data[sector * SECTOR_SIZE : (sector + count) * SECTOR_SIZE] = data

    def flush(self) -> None:
        """Nothing to do: there is no medium behind the memory."""

    def close(self) -> None:
        """Nothing to release."""


def disk_sha256(disk: Disk) -> str:
    """SHA-256 of the whole content, as 64 hexadecimal digits.

    For a raw image it equals what ``sha256sum`` says about the file.
    """
    digest = sha256()
    for sector in range(0, disk.sectors, _HASH_SECTORS):
        digest.update(disk.read(sector, min(_HASH_SECTORS, disk.sectors - sector)))
    return digest.hexdigest()
