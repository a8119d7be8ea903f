"""The language of `--device`: virtio devices besides drives and network cards.

virtio-console[,SERIAL]     a console; SERIAL as in `--serial`, without one stdio
virtio-rng[,seed=N|,host]   randomness: the same bytes in every run (seed 0), or the host's
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toyvm.devices.virtio_console import VirtioConsole
from toyvm.devices.virtio_rng import SeededBytes, VirtioRng
from toyvm.ui.text import did_you_mean, either

from .serial import SerialSpec, parse_serial
from .specs import SpecError

DEVICES: Final = ("virtio-console", "virtio-rng")


@dataclass(frozen=True)
class DeviceSpec:
    """One device: `kind` is one of DEVICES; a console has `serial`, an rng `seed` (None: host)."""

    kind: str
    serial: SerialSpec | None = None
    seed: int | None = 0


def parse_device(text: str, base: Path = Path()) -> DeviceSpec:
    """Read a device spec; SpecError says what was expected."""
    kind, comma, rest = text.partition(",")
    if kind not in DEVICES:
        raise SpecError(
            f'--device "{text}": expected {either(DEVICES)}{did_you_mean(kind, DEVICES)}'
        )
    if kind == "virtio-console":
        return DeviceSpec(kind, parse_serial(rest or "stdio", base, "--device virtio-console"))
    if not comma:
        return DeviceSpec(kind)
    if rest == "host":
        return DeviceSpec(kind, seed=None)
    name, _, value = rest.partition("=")
    if name != "seed" or not (value.isascii() and value.isdigit()) or len(value) > 20:
        raise SpecError(f'--device "{text}": unknown option "{rest}"; expected seed=N or host')
    return DeviceSpec(kind, seed=int(value))


def make_device(
    spec: DeviceSpec, sink: Callable[[bytes], None] | None = None
) -> VirtioConsole | VirtioRng:
    """The device of a spec; what a console on stdio writes goes to `sink`."""
    if spec.serial is None:
        return make_rng(spec)
    heard = sink if spec.serial.kind == "stdio" else None
    return VirtioConsole(heard or (lambda data: None))


def make_rng(spec: DeviceSpec) -> VirtioRng:
    """The entropy device of a spec."""
    return VirtioRng(os.urandom if spec.seed is None else SeededBytes(spec.seed))
