"""Lab files: several guests, their virtual hardware and the switches between them.

    clock = "guest"            # each guest's time is its own: time lost to others is invisible;
                               # "lab": all see the time of the physical machine
    harts = 1                  # physical harts that the guests share
    slice = 50000              # steps of a slice of weight 100

    [switch.lan]
    pcap = "lan.pcap"          # optional

    [vm.alpha]
    image = "teachos"          # a guest's name, an ELF file, a flat binary or a .s source
    ram = "16M"                # 64K to 2G
    bios = "sbi"               # or "none", or a firmware file; default: what the image needs
    drive = ["temp:1M"]        # see toyvm.control.specs
    net = ["lan"]
    device = ["virtio-rng"]    # see toyvm.control.devices; a console leads to stdio or null
    weight = 100               # share of the host, 1 to 10000
    cap = 50                   # at most this many percent of a physical hart
    reservation = 20           # at least this many percent, whatever the others do
    append = "quiet"           # the kernel's arguments
    virtio = "legacy"          # or "modern"
    vcpus = 1                  # harts, 1 to 8
    pmp = 16                   # PMP entries, 0 to 16
    sstc = false               # harts have the stimecmp register
    ad = "hardware"            # or "fault": who sets A and D in page tables
    tier = 2                   # 1: interpret everything, 2: translate hot code as well

Relative paths are taken from the folder of the lab file. Every error names file, line, key and
what was expected.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toyvm.platform import MAX_HARTS
from toyvm.ui.text import did_you_mean

from .devices import DeviceSpec, parse_device
from .specs import DriveSpec, NetSpec, SpecError, parse_drive, parse_net, parse_ram, valid_name

DEFAULT_RAM = 128 << 20
DEFAULT_WEIGHT = 100
MAX_VMS = 64
MAX_SLOTS = 8

_TOP_KEYS = ("clock", "harts", "slice", "switch", "vm")
_SWITCH_KEYS = ("pcap",)
_VM_KEYS = (
    "image",
    "ram",
    "vcpus",
    "bios",
    "drive",
    "net",
    "device",
    "weight",
    "cap",
    "reservation",
    "append",
    "virtio",
    "pmp",
    "sstc",
    "ad",
    "tier",
)
_CLOCKS = ("guest", "lab")
DEFAULT_SLICE = 50_000


class LabError(ValueError):
    """A lab file that cannot be used; the message names the place and what was expected."""


@dataclass(frozen=True)
class SwitchSpec:
    """One `[switch.NAME]`."""

    name: str
    pcap: Path | None = None


@dataclass(frozen=True)
class VmSpec:
    """One `[vm.NAME]`. `ram` in bytes; `bios` None means what the image asks for."""

    name: str
    image: str
    ram: int = DEFAULT_RAM
    bios: str | None = None
    drives: tuple[DriveSpec, ...] = ()
    nets: tuple[NetSpec, ...] = ()
    devices: tuple[DeviceSpec, ...] = ()
    weight: int = DEFAULT_WEIGHT
    cap: int | None = None
    reservation: int = 0
    append: str = ""
    virtio: str = "legacy"
    pmp: int = 16
    vcpus: int = 1
    sstc: bool = False
    ad: str = "hardware"
    tier: int = 0
    """0: the usual one."""
    places: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where `image`, `drive` and `net` stand in the file, such as "lab.toml:3: vm.a.image"."""


@dataclass(frozen=True)
class Lab:
    """A checked lab file."""

    path: Path
    vms: tuple[VmSpec, ...]
    switches: tuple[SwitchSpec, ...] = ()
    clock: str = "guest"
    harts: int = 1
    slice_steps: int = DEFAULT_SLICE

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self.path.parent


@dataclass
class _Place:
    """Where we are in the file, for messages."""

    path: Path
    text: str
    table: str = ""
    keys: list[str] = field(default_factory=list)

    def error(self, key: str, message: str) -> LabError:
        return LabError(f"{self.where(key)}: {message}")

    def where(self, key: str) -> str:
        """The file, the line and the whole key, for the beginning of a message."""
        dotted = ".".join(filter(None, (self.table, key)))
        line = self.line(key)
        where = f"{self.path}:{line}" if line else f"{self.path}"
        return f"{where}: {dotted}" if dotted else where

    def line(self, key: str) -> int | None:
        """The line of `key` in the present table, by reading the text (tomllib keeps none)."""
        here = not self.table
        for number, line in enumerate(self.text.splitlines(), 1):
            bare = line.strip()
            if bare.startswith("["):
                name = re.sub(r'["\'\s]', "", bare.split("#")[0]).strip("[]")
                here = name == self.table
                if here and not key:
                    return number
            elif here and re.match(rf'["\']?{re.escape(key)}["\']?\s*=', bare):
                return number
        return self.line("") if key and self.table else None


def shipped_labs() -> dict[str, Path]:
    """The labs that come with toyvm, by the name that pages and messages use for them."""
    import toyvm

    package = Path(toyvm.__file__).parent
    for folder in (package / "control" / "data" / "labs", package.parent / "labs"):
        if folder.is_dir():
            return {f"labs/{path.name}": path for path in sorted(folder.glob("*.toml"))}
    return {}


def load_lab(path: str | Path) -> Lab:
    """Read and check a lab file; LabError names the first thing that is wrong.

    A shipped lab is found by its name, `labs/demo.toml`, where there is no checkout.
    """
    path = Path(path)
    if not path.exists():
        path = shipped_labs().get(path.as_posix(), path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise LabError(f"no such lab file: {path}") from None
    except OSError as error:
        raise LabError(f"cannot read {path}: {error.strerror}") from None
    return parse_lab(raw, path)


def parse_lab(raw: bytes, path: Path) -> Lab:
    """As `load_lab`, with the file's bytes already read."""
    try:
        text = raw.decode()
        data = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise LabError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"{path}: not valid TOML: {error}") from None
    place = _Place(path, text)
    _known_keys(data, _TOP_KEYS, place)
    clock = _choice(data, "clock", _CLOCKS, "guest", place)
    switches = tuple(
        _switch(name, body, _Place(path, text, f"switch.{name}"))
        for name, body in _tables(data, "switch", place)
    )
    names = tuple(switch.name for switch in switches)
    vms = tuple(
        _vm(name, body, names, _Place(path, text, f"vm.{name}"))
        for name, body in _tables(data, "vm", place)
    )
    if not vms:
        raise LabError(f'{path}: no guests: expected at least one [vm.NAME] with image = "..."')
    if len(vms) > MAX_VMS:
        raise LabError(f"{path}: {len(vms)} guests: expected at most {MAX_VMS}")
    harts = _whole(data, "harts", 1, 64, 1, place)
    slice_steps = _whole(data, "slice", 1_000, 20_000_000, DEFAULT_SLICE, place)
    promised = sum(vm.reservation for vm in vms)
    if promised > 100 * harts:
        raise place.error(
            "harts",
            f"the guests' reservations are {promised} percent, but {harts} physical "
            f"hart{'s' if harts > 1 else ''} can promise only {100 * harts}",
        )
    lab = Lab(path, vms, switches, clock, harts, slice_steps)
    _no_shared_disks(lab, text)
    _no_shared_macs(lab, text)
    return lab


def _known_keys(data: Mapping[str, Any], known: tuple[str, ...], place: _Place) -> None:
    for key in data:
        if key not in known:
            raise place.error(
                key, f"unknown key{did_you_mean(key, known)} (expected {', '.join(known)})"
            )


def _tables(data: Mapping[str, Any], key: str, place: _Place) -> list[tuple[str, dict[str, Any]]]:
    group = data.get(key, {})
    if not isinstance(group, dict) or not all(isinstance(body, dict) for body in group.values()):
        raise place.error(key, f"expected tables [{key}.NAME]")
    for name in group:
        if not valid_name(name):
            raise place.error(
                key, f'"{name}" is no name: expected a letter, then letters, digits, - or _'
            )
    return list(group.items())


def _typed(
    data: Mapping[str, Any], key: str, kind: type, default: Any, place: _Place, hint: str
) -> Any:
    value = data.get(key, default)
    if value is default:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise place.error(key, f"expected {hint}, found {value!r}")
    return value


def _choice(
    data: Mapping[str, Any], key: str, choices: tuple[str, ...], default: str, place: _Place
) -> str:
    value = data.get(key, default)
    if value not in choices:
        wanted = " or ".join(f'"{choice}"' for choice in choices)
        raise place.error(key, f"expected {wanted}, found {value!r}")
    return str(value)


def _whole(
    data: Mapping[str, Any], key: str, low: int, high: int, default: int, place: _Place
) -> int:
    value = _typed(data, key, int, default, place, f"a whole number from {low} to {high}")
    if not low <= value <= high:
        raise place.error(key, f"expected a whole number from {low} to {high}, found {value}")
    return int(value)


def _texts(data: Mapping[str, Any], key: str, place: _Place, hint: str) -> list[str]:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise place.error(key, f"expected a list of strings such as {hint}, found {value!r}")
    return value


def _each(items: list[str], read: Callable[[str], Any], key: str, place: _Place) -> tuple[Any, ...]:
    try:
        return tuple(read(item) for item in items)
    except SpecError as error:
        raise place.error(key, str(error)) from None


def _switch(name: str, data: dict[str, Any], place: _Place) -> SwitchSpec:
    _known_keys(data, _SWITCH_KEYS, place)
    pcap = _typed(data, "pcap", str, None, place, "the name of a capture file")
    if name in ("none", "socket", "listen"):
        raise place.error("", f'"{name}" means something else in net = [...]; choose another name')
    if pcap is None:
        return SwitchSpec(name)
    target = place.path.parent / Path(pcap).expanduser()
    if not target.parent.is_dir():
        raise place.error("pcap", f"no such folder: {target.parent}")
    return SwitchSpec(name, target)


def _lab_device(text: str) -> DeviceSpec:
    """A device of a lab's guest: nobody serves lines that lead out of the lab."""
    spec = parse_device(text)
    if spec.serial is not None and spec.serial.kind not in ("stdio", "null"):
        raise SpecError(f'device "{text}": in a lab a console leads to stdio or null')
    return spec


def _vm(name: str, data: dict[str, Any], switches: tuple[str, ...], place: _Place) -> VmSpec:
    base = place.path.parent
    _known_keys(data, _VM_KEYS, place)
    image = _typed(data, "image", str, None, place, "a guest's name or a file")
    if not image:
        raise place.error("image", "missing: expected a guest's name or a file")
    ram = data.get("ram", DEFAULT_RAM)
    if isinstance(ram, bool) or not isinstance(ram, (int, str)):
        raise place.error("ram", f'expected a size such as "128M", found {ram!r}')
    try:
        ram = parse_ram(ram)
    except SpecError as error:
        raise place.error("ram", str(error)) from None
    drives = _each(
        _texts(data, "drive", place, '["temp:1M"]'), lambda t: parse_drive(t, base), "drive", place
    )
    nets = _each(
        _texts(data, "net", place, '["lan"]'), lambda t: parse_net(t, base, switches), "net", place
    )
    devices = _each(_texts(data, "device", place, '["virtio-rng"]'), _lab_device, "device", place)
    if len(drives) + len(nets) + len(devices) > MAX_SLOTS:
        more = f" and {len(devices)} devices" if devices else ""
        raise place.error(
            "drive",
            f"{len(drives)} drives{',' if more else ' and'} {len(nets)} nets{more}: the board has "
            f"{MAX_SLOTS} slots",
        )
    vcpus = _whole(data, "vcpus", 1, MAX_HARTS, 1, place)
    cap = _whole(data, "cap", 1, 100 * vcpus, 100 * vcpus, place)
    reservation = _whole(data, "reservation", 0, cap, 0, place)
    bios = _typed(data, "bios", str, None, place, '"sbi", "none" or a file')
    if bios not in (None, "sbi", "none") and not (base / bios).is_file():
        raise place.error("bios", f'expected "sbi", "none" or a file; no such file: {base / bios}')
    return VmSpec(
        name=name,
        image=image,
        ram=ram,
        bios=bios,
        drives=drives,
        nets=nets,
        devices=devices,
        weight=_whole(data, "weight", 1, 10_000, DEFAULT_WEIGHT, place),
        cap=cap if "cap" in data else None,
        reservation=reservation,
        append=_typed(data, "append", str, "", place, "a string"),
        virtio=_choice(data, "virtio", ("legacy", "modern"), "legacy", place),
        pmp=_whole(data, "pmp", 0, 16, 16, place),
        vcpus=vcpus,
        sstc=_typed(data, "sstc", bool, False, place, "true or false"),
        ad=_choice(data, "ad", ("hardware", "fault"), "hardware", place),
        tier=_whole(data, "tier", 1, 2, 1, place) if "tier" in data else 0,
        places={key: place.where(key) for key in ("image", "drive", "net")},
    )


def _no_shared_disks(lab: Lab, text: str) -> None:
    users: dict[Path, tuple[str, bool]] = {}
    for vm in lab.vms:
        for drive in vm.drives:
            if drive.kind != "file" or drive.path is None:
                continue
            real = drive.path.resolve()
            first = users.get(real)
            if first is not None and not (first[1] and drive.read_only):
                raise _Place(lab.path, text, f"vm.{vm.name}").error(
                    "drive",
                    f"{drive.path} is also a drive of {first[0]}: two guests would corrupt it; "
                    'give each its own file, or mark both ",ro"',
                )
            users[real] = (vm.name, drive.read_only)


def _no_shared_macs(lab: Lab, text: str) -> None:
    users: dict[str, str] = {}
    for vm in lab.vms:
        for net in vm.nets:
            if net.mac and net.mac in users:
                raise _Place(lab.path, text, f"vm.{vm.name}").error(
                    "net", f"{net.mac} is also the address of a card of {users[net.mac]}"
                )
            users[net.mac] = vm.name
