"""The list of guests: guestos/manifest.toml, read and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

KINDS = ("kernel", "firmware", "benchmark", "probe", "hostile")
PROBE_PREFIX = "probe-"
HOSTILE_PREFIX = "hostile-"
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class GuestError(ValueError):
    """An unknown guest, or a manifest that makes no sense."""


@dataclass(frozen=True)
class Guest:
    """One guest.

    ``sources`` are paths below the package, in link order; ``base`` is the address of .text;
    ``mode`` is "M" or "S", ``bios`` "none" or "sbi"; ``ram`` is in bytes; ``drives`` and ``nets``
    count what it can use; ``agrees`` names the programs outside this project ("qemu", "spike") on
    which it says the same.  It needs ``harts`` harts, with stimecmp if ``sstc``; ``ad`` is
    "hardware", or "fault" if it sets A and D bits itself.  ``elf`` is the file of a guest that a C
    compiler has built, below the package; it has no ``sources`` then.
    """

    name: str
    kind: str
    sources: tuple[str, ...]
    base: int
    mode: str
    bios: str
    ram: int
    drives: int
    nets: int
    summary: str
    teaches: str
    agrees: tuple[str, ...]
    elf: str = ""
    harts: int = 1
    sstc: bool = False
    ad: str = "hardware"


@cache
def manifest() -> dict[str, Guest]:
    """All guests by name, in the manifest's order: kernels first, then probes.

    Raises GuestError if the manifest is broken.
    """
    data = tomllib.loads((files(__package__) / "manifest.toml").read_text("utf-8"))
    return read(data)


def read(data: Mapping[str, Any]) -> dict[str, Guest]:
    """The guests of a parsed manifest; GuestError names the entry and what is wrong with it."""
    library = data.get("library", {})
    guests: dict[str, Guest] = {}
    for name, row in data.get("guest", {}).items():
        guests[name] = _guest(name, row, library)
    guests |= _family("probe", PROBE_PREFIX, "checks itself", data, library)
    guests |= _family("hostile", HOSTILE_PREFIX, "what a guest may try", data, library)
    return guests


def _family(
    kind: str,
    prefix: str,
    teaches: str,
    data: Mapping[str, Any],
    library: Mapping[str, Sequence[str]],
) -> dict[str, Guest]:
    """Guests that share most of their row: tables below [probe] and [hostile]."""
    found: dict[str, Guest] = {}
    rows = data.get(kind, {})
    defaults = {k: v for k, v in rows.items() if not isinstance(v, dict)}
    for short, row in rows.items():
        if not isinstance(row, dict):
            continue
        merged = {"kind": kind, **defaults, **row}
        merged["sources"] = [
            source.replace("NAME", short) for source in merged.get("sources", [])
        ] + merged.pop("extra", [])
        merged.setdefault("teaches", f"{teaches}: {merged.get('summary', '')}")
        found[prefix + short] = _guest(prefix + short, merged, library)
    return found


def _guest(name: str, row: Mapping[str, Any], library: Mapping[str, Sequence[str]]) -> Guest:
    known = {**row}
    elf = known.pop("elf", "")
    try:
        guest = Guest(
            name=name,
            kind=known.pop("kind"),
            sources=_expand(
                name, known.pop("sources", []) if elf else known.pop("sources"), library
            ),
            base=known.pop("base"),
            mode=known.pop("mode"),
            bios=known.pop("bios"),
            ram=parse_size(known.pop("ram")),
            drives=known.pop("drives", 0),
            nets=known.pop("nets", 0),
            summary=known.pop("summary"),
            teaches=known.pop("teaches"),
            agrees=tuple(known.pop("agrees")),
            elf=elf,
            harts=known.pop("harts", 1),
            sstc=known.pop("sstc", False),
            ad=known.pop("ad", "hardware"),
        )
    except KeyError as missing:
        raise GuestError(f"guest {name}: the manifest does not say its {missing}") from None
    if known:
        raise GuestError(f"guest {name}: the manifest has an unknown key {sorted(known)[0]!r}")
    if guest.kind not in KINDS:
        raise GuestError(f"guest {name}: kind {guest.kind!r}, expected one of {', '.join(KINDS)}")
    if guest.bios not in ("none", "sbi") or guest.mode not in ("M", "S"):
        raise GuestError(f"guest {name}: expected bios none or sbi and mode M or S")
    return guest


def _expand(
    name: str, entries: Sequence[str], library: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """The sources with "@group" replaced by the group's."""
    out: list[str] = []
    for entry in entries:
        if not entry.startswith("@"):
            out.append(entry)
        elif entry[1:] in library:
            out.extend(library[entry[1:]])
        else:
            raise GuestError(f"guest {name}: the manifest has no library {entry[1:]!r}")
    return tuple(out)


def parse_size(text: str) -> int:
    """Bytes of a size such as "16M" (K, M and G are powers of 1024)."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdigit():
        raise GuestError(f"size {text!r}: expected a number with K, M or G, such as 16M")
    return int(number) * _UNITS[unit]
