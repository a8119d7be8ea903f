"""Packet captures in the classic pcap format with nanosecond timestamps.

The format is the one of libpcap ("pcap-savefile"): a 24-byte header, then each frame behind a
16-byte header.  Wireshark, tshark, tcpdump and scapy read it.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import BinaryIO, Final

MAGIC_NANOSECONDS: Final = 0xA1B2_3C4D
LINKTYPE_ETHERNET: Final = 1
SNAPLEN: Final = 65_535
"""Bytes kept of a frame; longer ones are cut, with their true length noted."""

_FILE: Final = Struct("<IHHiIII")
_RECORD: Final = Struct("<IIII")
_SECOND: Final = 1_000_000_000


class PcapWriter:
    """Writes a capture to ``target``: a path (replaced if it exists) or an open binary file.

    Raises OSError if the file cannot be made.  If a later write fails, the capture ends there
    and ``error`` says why: a full disk must not stop the machine that is being captured.
    """

    def __init__(self, target: str | os.PathLike[str] | BinaryIO) -> None:
        if isinstance(target, str | os.PathLike):
            self._file: BinaryIO = open(target, "wb")  # noqa: SIM115 - closed by close()
            self._owned = True
        else:
            self._file = target
            self._owned = False
        self.frames = 0
        """Frames written."""
        self.error = ""
        """Why the capture stopped; empty while it has not."""
        self._write(_FILE.pack(MAGIC_NANOSECONDS, 2, 4, 0, 0, SNAPLEN, LINKTYPE_ETHERNET))

    def _write(self, data: bytes) -> bool:
        if self.error:
            return False
        try:
            self._file.write(data)
        except (OSError, ValueError) as trouble:
            self.error = f"capture stopped after {self.frames} frames: {trouble}"
            return False
        return True

    def write(self, frame: bytes, time_ns: int = 0) -> None:
        """Append ``frame`` at guest time ``time_ns`` (nanoseconds since the machine started)."""
        seconds, nanoseconds = divmod(max(time_ns, 0), _SECOND)
        kept = frame[:SNAPLEN]
        head = _RECORD.pack(seconds & 0xFFFF_FFFF, nanoseconds, len(kept), len(frame))
        if self._write(head + kept):
            self.frames += 1

    def flush(self) -> None:
        """Hand everything written so far to the host."""
        try:
            self._file.flush()
        except (OSError, ValueError) as trouble:
            self.error = self.error or f"capture stopped after {self.frames} frames: {trouble}"

    def close(self) -> None:
        """Flush, and close the file if it was opened here."""
        self.flush()
        if self._owned:
            try:
                self._file.close()
            except OSError as trouble:
                self.error = self.error or str(trouble)

    def __enter__(self) -> PcapWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
