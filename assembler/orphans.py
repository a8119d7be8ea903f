"""Where sections go that a linker script does not name, and what kinds of sections there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from .layout import Output
from .script_nodes import Assert, Assign, OutputSection
from .sections import (
    FOR_LINKERS,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHT_NOBITS,
    SHT_PROGBITS,
    Section,
)

DISCARD = "/DISCARD/"
"""The output section of a script whose content is left away."""
_USUAL = (".text", ".rodata", ".data", ".bss")
Item: TypeAlias = OutputSection | Assign | Assert | Output


def with_orphans(
    given: Iterable[OutputSection | Assign | Assert],
    orphans: Iterable[Output],
    wanted: Mapping[int, Sequence[Section]],
) -> list[Item]:
    """The script's sections with the orphans behind others of their kind.

    ``wanted`` has the sections of each input statement.
    """
    items: list[Item] = list(given)
    for orphan in orphans:
        flags = flags_of(orphan.sections)
        if not flags & SHF_ALLOC:
            items.append(orphan)
            continue
        kind = _kind(flags, orphan.type)
        best, score = len(items), -1
        named = [
            i for i, item in enumerate(items)
            if isinstance(item, OutputSection) and item.name == _USUAL[kind]
        ]  # fmt: skip
        if named:
            # Behind the section of the usual name, and what went there before.
            best = named[0] + 1
            while best < len(items) and isinstance(items[best], Output):
                best += 1
            items.insert(_behind(items, best), orphan)
            continue
        for index, item in enumerate(items):
            if isinstance(item, OutputSection) and item.name != DISCARD:
                members = [s for st in item.statements for s in wanted.get(id(st), ())]
            elif isinstance(item, Output):
                members = item.sections
            else:
                continue
            if not members or not flags_of(members) & SHF_ALLOC:
                continue
            nobits = all(s.nobits for s in members)
            rank = _likeness(kind, _kind(flags_of(members), SHT_NOBITS if nobits else 1))
            if rank >= score:
                best, score = index + 1, rank
        items.insert(_behind(items, best), orphan)
    return items


def _behind(items: Sequence[Item], at: int) -> int:
    """Assignments at the end of the script belong to the section before them."""
    end = at
    while end < len(items) and isinstance(items[end], Assign | Assert):
        end += 1
    return end if end == len(items) else at


def flags_of(members: Iterable[Section]) -> int:
    """The flags of an output section of these."""
    flags = 0
    for section in members:
        flags |= section.flags & ~FOR_LINKERS
    return flags


def type_of(members: Iterable[Section]) -> int:
    """The type of an output section of these."""
    kinds = [s.type for s in members if s.size]
    if all(kind == SHT_NOBITS for kind in kinds) and kinds:
        return SHT_NOBITS
    others = [kind for kind in kinds if kind != SHT_NOBITS]
    return others[0] if others and len(set(others)) == 1 else SHT_PROGBITS


def _kind(flags: int, type_: int) -> int:
    """0 code, 1 read-only data, 2 data, 3 zeros."""
    if flags & SHF_EXECINSTR:
        return 0
    if not flags & SHF_WRITE:
        return 1
    return 3 if type_ == SHT_NOBITS else 2


def _likeness(kind: int, other: int) -> int:
    """How well a section stands behind one of another kind."""
    if kind == other:
        return 10
    return 5 - (kind - other) if other < kind else -1


def pattern_of(value: int) -> bytes:
    """The bytes of a fill value, most significant first, as GNU ld puts them."""
    size = 4 if abs(value) < 1 << 32 else 8
    return (value & ((1 << 8 * size) - 1)).to_bytes(size, "big")
