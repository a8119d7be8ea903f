"""virtio block device (VIRTIO 1.2, section 5.2), with any :class:`toyvm.storage.Disk` behind it.

devices and storage are neighbours, so this file knows the backend by its shape only.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, Protocol

from toyvm.devices.virtio import ID_BLOCK, VirtioDevice
from toyvm.devices.virtqueue import Chain, RingError, VirtQueue

SECTOR_SIZE: Final = 512

F_SIZE_MAX: Final = 1 << 1
F_SEG_MAX: Final = 1 << 2
F_GEOMETRY: Final = 1 << 4
F_RO: Final = 1 << 5
F_BLK_SIZE: Final = 1 << 6
F_FLUSH: Final = 1 << 9
F_TOPOLOGY: Final = 1 << 10
F_CONFIG_WCE: Final = 1 << 11
F_DISCARD: Final = 1 << 13
F_WRITE_ZEROES: Final = 1 << 14

T_IN: Final = 0
T_OUT: Final = 1
T_FLUSH: Final = 4
T_GET_ID: Final = 8
T_DISCARD: Final = 11
T_WRITE_ZEROES: Final = 13

S_OK: Final = 0
S_IOERR: Final = 1
S_UNSUPP: Final = 2

ID_BYTES: Final = 20
SIZE_MAX: Final = 32 << 10
"""Most bytes in one buffer: QEMU names no limit here, and we want one."""
SEG_MAX: Final = 254
REQUEST_MAX: Final = 8 << 20
"""Most data bytes in one request; SIZE_MAX and SEG_MAX keep an honest driver below it."""
KICK_MAX: Final = 32 << 20
"""Data bytes after which a notification's work is interrupted and left for the next poll."""
ZERO_SECTORS_MAX: Final = REQUEST_MAX // SECTOR_SIZE
"""Most sectors in one discard or write-zeroes request."""
UNMAP: Final = 1

_HEADER: Final = Struct("<IIQ")
_RANGE: Final = Struct("<QII")
_CONFIG: Final = Struct("<QIIHBBI8xBxHIIIIIB")
WCE: Final = 32
"""Offset of the cache mode in the configuration space."""
HEADS: Final = 16
TRACK_SECTORS: Final = 63
CYLINDERS: Final = (2, 16383)


class BlockBackend(Protocol):
    """The shape of a disk; OSError means trouble on the host."""

    sectors: int
    read_only: bool

    def read(self, sector: int, count: int) -> bytes: ...
    def write(self, sector: int, data: bytes) -> None: ...
    def flush(self) -> None: ...


class VirtioBlk(VirtioDevice):
    """A disk of 512-byte sectors with one request queue.

    ``serial`` is what GET_ID answers: at most 20 ASCII characters.
    A request without room for a status byte breaks the queue; every other mistake is answered:
    IOERR for ranges outside the disk, data that is not whole sectors, writes to a read-only disk,
    oversized requests and trouble on the host, UNSUPP for types and flags that are not offered.
    """

    device_id = ID_BLOCK
    queue_count = 1

    def __init__(self, disk: BlockBackend, serial: str = "toyvm") -> None:
        super().__init__()
        self.disk = disk
        self._serial = serial.encode("ascii", "replace")[:ID_BYTES]
        self._moved = 0
        self._cached = True
        """False: each write is durable before it is answered."""
        self._config = _CONFIG.pack(
            disk.sectors,
            SIZE_MAX,
            SEG_MAX,
            min(max(disk.sectors // (HEADS * TRACK_SECTORS), CYLINDERS[0]), CYLINDERS[1]),
            HEADS,
            TRACK_SECTORS,
            SECTOR_SIZE,
            0,  # the cache mode is put in when it is read
            1,  # queues
            ZERO_SECTORS_MAX,
            1,
            1,
            ZERO_SECTORS_MAX,
            1,
            1,
        )

    @property
    def offered(self) -> int:
        always = F_SIZE_MAX | F_SEG_MAX | F_BLK_SIZE | F_FLUSH
        always |= F_GEOMETRY | F_TOPOLOGY | F_CONFIG_WCE
        return always | (F_RO if self.disk.read_only else F_DISCARD | F_WRITE_ZEROES)

    def config(self) -> bytes:
        return self._config[:WCE] + bytes([self._cached]) + self._config[WCE + 1 :]

    def write_config(self, offset: int, data: bytes) -> None:
        chosen = self.transport is not None and self.transport.features & F_CONFIG_WCE
        if chosen and offset == WCE:
            self._cached = bool(data[0])
            if not self._cached:
                self._flush()

    def reset(self) -> None:
        self._cached = True

    def _flush(self) -> bool:
        """Make everything durable; False if the host cannot."""
        try:
            self.disk.flush()
        except OSError:
            self.stats.errors += 1
            return False
        return True

    def process(self, index: int, queue: VirtQueue) -> bool:
        self._moved = 0
        for _ in range(queue.size):
            chain = queue.pop()
            if chain is None:
                return False
            written = self._serve(chain)
            self.stats.requests += 1
            queue.push(chain, written)
            if self._moved >= KICK_MAX:
                break
        return True

    def _serve(self, chain: Chain) -> int:
        """Do one request; returns the number of bytes stored from the first writable byte on."""
        room = chain.writable_size - 1
        if room < 0:
            raise RingError(f"block request {chain.head} has no room for its status")
        data = b""
        try:
            status, data = self._execute(chain, room)
        except OSError:
            status = S_IOERR
        if status != S_OK:
            self.stats.errors += 1
            data = b""
        if data:
            chain.scatter(0, data)
        chain.scatter(room, bytes([status]))
        # With nothing stored in front of the status byte, the count from the start is zero.
        return room + 1 if len(data) == room else 0

    def _execute(self, chain: Chain, room: int) -> tuple[int, bytes]:
        """Status and, if it is OK, the data for the guest."""
        header = chain.gather(0, _HEADER.size)
        size = chain.readable_size - _HEADER.size
        if size < 0 or size > REQUEST_MAX or room > REQUEST_MAX:
            return S_IOERR, b""
        kind, _, sector = _HEADER.unpack(header)
        self._moved += size + room
        if kind == T_IN:
            return self._read(sector, room)
        if kind == T_OUT:
            return self._write(sector, chain, size)
        if kind == T_FLUSH:
            self.disk.flush()
            self.stats.flushes += 1
            return S_OK, b""
        if kind == T_GET_ID:
            return S_OK, self._serial.ljust(room, b"\0")[:room]
        if kind in (T_DISCARD, T_WRITE_ZEROES):
            return self._zero(kind, chain, size), b""
        return S_UNSUPP, b""

    def _on_disk(self, sector: int, size: int) -> bool:
        count, rest = divmod(size, SECTOR_SIZE)
        return not rest and sector + count <= self.disk.sectors

    def _read(self, sector: int, room: int) -> tuple[int, bytes]:
        if not self._on_disk(sector, room):
            return S_IOERR, b""
        count = room // SECTOR_SIZE
        data = self.disk.read(sector, count)
        self.stats.sectors_read += count
        return S_OK, data

    def _write(self, sector: int, chain: Chain, size: int) -> tuple[int, bytes]:
        if self.disk.read_only or not self._on_disk(sector, size):
            return S_IOERR, b""
        self.disk.write(sector, chain.gather(_HEADER.size, size))
        if not self._cached:
            self.disk.flush()
        self.stats.sectors_written += size // SECTOR_SIZE
        return S_OK, b""

    def _zero(self, kind: int, chain: Chain, size: int) -> int:
        """Discard or write zeroes.  A discarded range reads as zeros here, which is one of the
        contents that the specification allows and the only one that is always the same."""
        if self.disk.read_only:
            return S_IOERR
        wanted = F_DISCARD if kind == T_DISCARD else F_WRITE_ZEROES
        if self.transport is None or not self.transport.features & wanted:
            return S_UNSUPP
        if size != _RANGE.size:
            return S_IOERR
        sector, count, flags = _RANGE.unpack(chain.gather(_HEADER.size, size))
        if flags & ~UNMAP or (flags and kind == T_DISCARD):
            return S_UNSUPP
        if count > ZERO_SECTORS_MAX or sector + count > self.disk.sectors:
            return S_IOERR
        self._moved += count * SECTOR_SIZE
        self.disk.write(sector, bytes(count * SECTOR_SIZE))
        self.stats.sectors_written += count
        return S_OK
