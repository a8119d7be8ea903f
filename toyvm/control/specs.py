"""The small languages of options: sizes, drives and network cards.

The command line and lab files share them, so that a word learned in one place works in the other.

    size    64K, 128M, 2G, or bytes
    drive   FILE[,ro]  |  temp:SIZE  |  temp:FILE
    net     none | socket:HOST:PORT | listen:HOST:PORT | SWITCH   then [,mac=MAC][,pcap=FILE]

`none` is a card without a cable. `socket` and `listen` speak the protocol of QEMU's
`-netdev socket`, so that a guest of QEMU can be the neighbour. SWITCH names a `[switch.NAME]`
of the same lab file. A `temp` drive starts empty or as a copy of FILE and is thrown away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from toyvm.ui.text import did_you_mean

MIN_RAM = 64 << 10
MAX_RAM = 2 << 30
SECTOR = 512

_SIZE = re.compile(r"\s*(0x[0-9a-f]+|[0-9]+)\s*([kmg]?)(?:i?b)?\s*", re.IGNORECASE)
_SHIFT = {"": 0, "k": 10, "m": 20, "g": 30}
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


class SpecError(ValueError):
    """An option that cannot be understood; the message says what was expected."""


@dataclass(frozen=True)
class DriveSpec:
    """A virtual disk: a raw image file, or a temporary one."""

    kind: str  # "file" or "temp"
    path: Path | None = None
    size: int = 0
    read_only: bool = False

    def describe(self) -> str:
        """The spec in its own language."""
        if self.kind == "temp":
            return f"temp:{self.path if self.path else self.size}"
        return f"{self.path}{',ro' if self.read_only else ''}"


@dataclass(frozen=True)
class NetSpec:
    """A virtual network card and what its cable leads to."""

    kind: str  # "none", "socket", "listen" or "switch"
    switch: str = ""
    host: str = ""
    port: int = 0
    mac: str = ""
    pcap: Path | None = None


def parse_size(text: str | int, what: str = "size") -> int:
    """Bytes of `128M`, `64K`, `1G`, `0x10000` or a plain number; SpecError otherwise."""
    match = _SIZE.fullmatch(str(text))
    if match is None:
        raise SpecError(f'{what} "{text}": expected a number with K, M or G, such as 128M')
    number, letter = match.groups()
    return int(number, 0) << _SHIFT[letter.lower()]


def parse_ram(text: str | int) -> int:
    """Bytes of guest RAM: 64K to 2G in whole 4 KiB pages; SpecError otherwise."""
    size = parse_size(text, "RAM size")
    if not MIN_RAM <= size <= MAX_RAM:
        hint = ""
        if 0 < size < MIN_RAM and re.fullmatch(r"\s*[0-9]+\s*", str(text)):
            hint = f"; did you mean {str(text).strip()}M?"
        raise SpecError(f'RAM size "{text}" does not fit: expected 64K to 2G{hint}')
    if size % 4096:
        raise SpecError(
            f'RAM size "{text}" is no whole number of 4 KiB pages: '
            f"the nearest are {size // 4096 * 4}K and {(size // 4096 + 1) * 4}K"
        )
    return size


def parse_drive(text: str, base: Path = Path()) -> DriveSpec:
    """Read a drive spec; relative paths are taken from `base`. The file must exist."""
    body, _, options = text.partition(",")
    if not body:
        raise SpecError(f'drive "{text}": expected FILE[,ro], temp:SIZE or temp:FILE')
    read_only = False
    for option in filter(None, options.split(",")):
        if option != "ro":
            raise SpecError(f'drive "{text}": unknown option "{option}"; expected "ro"')
        read_only = True
    if body.startswith("temp:"):
        rest = body.removeprefix("temp:")
        if read_only:
            raise SpecError(f'drive "{text}": a temporary disk cannot be read-only')
        if _SIZE.fullmatch(rest) and not (base / rest).is_file():
            size = parse_size(rest, "disk size")
            if not 0 < size <= 1 << 30 or size % SECTOR:
                raise SpecError(
                    f'drive "{text}": expected 512 bytes to 1G in whole sectors of 512 bytes'
                )
            return DriveSpec("temp", size=size)
        return DriveSpec("temp", path=_disk_file(rest, base, text))
    return DriveSpec("file", path=_disk_file(body, base, text), read_only=read_only)


def _disk_file(name: str, base: Path, text: str) -> Path:
    path = base / Path(name).expanduser()
    if path.is_dir():
        raise SpecError(f'drive "{text}": {path} is a directory, expected a raw disk image')
    if not path.is_file():
        raise SpecError(
            f'drive "{text}": no such file: {path}; expected a raw disk image '
            "(a throw-away disk of 1 MiB is temp:1M, the largest temp:1G)"
        )
    return path


def parse_mac(text: str) -> str:
    """A unicast MAC address in lower case, `52:54:00:12:34:56`; SpecError otherwise."""
    if not _MAC.fullmatch(text):
        raise SpecError(f'MAC address "{text}": expected six bytes such as 52:54:00:12:34:56')
    if int(text[:2], 16) & 1:
        raise SpecError(f'MAC address "{text}" is a group address: bit 0 of its first byte is 1')
    return text.lower()


def parse_net(text: str, base: Path = Path(), switches: tuple[str, ...] | None = None) -> NetSpec:
    """Read a network spec. `switches` are the names a lab offers; None outside of a lab."""
    body, _, options = text.partition(",")
    mac, pcap = "", None
    for option in filter(None, options.split(",")):
        key, equals, value = option.partition("=")
        if key == "mac" and equals:
            mac = parse_mac(value)
        elif key == "pcap" and value:
            pcap = base / Path(value).expanduser()
            if not pcap.parent.is_dir():
                raise SpecError(f'net "{text}": no such folder: {pcap.parent}')
        else:
            raise SpecError(
                f'net "{text}": unknown option "{option}"; expected mac=MAC or pcap=FILE'
            )
    kind, _, rest = body.partition(":")
    if body == "none":
        return NetSpec("none", mac=mac, pcap=pcap)
    if kind in ("socket", "listen"):
        host, _, port = rest.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise SpecError(
                f'net "{text}": expected {kind}:HOST:PORT such as {kind}:127.0.0.1:1234'
            )
        return NetSpec(kind, host=host.strip("[]"), port=int(port), mac=mac, pcap=pcap)
    if switches is None:
        known = ("none", "socket", "listen")
        raise SpecError(
            f'net "{text}": expected none, socket:HOST:PORT or listen:HOST:PORT'
            f"{did_you_mean(kind, known)}"
        )
    if body not in switches:
        offered = ", ".join(switches) or "this lab has none"
        raise SpecError(
            f'net "{text}": no switch of that name (switches: {offered})'
            f"{did_you_mean(body, switches)}"
        )
    return NetSpec("switch", switch=body, mac=mac, pcap=pcap)


def valid_name(text: str) -> bool:
    """True for the name of a guest or switch: a letter, then letters, digits, - and _."""
    return _NAME.fullmatch(text) is not None
