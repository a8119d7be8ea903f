"""Subsections: parts of a section that are written in turns and stand in the order of their
numbers.

Each part is a ``Section`` of its own while the source is read.  At the end ``merge`` appends
the parts to their section, 0 first, and what pointed into them points into the section.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .diagnostics import Problem
from .sections import Section

if TYPE_CHECKING:
    from .unit import Unit

LARGEST = 8192
"""The highest number, as in the manual of GNU as."""


def subsection(unit: Unit, section: Section, number: int) -> Section:
    """The part of that number; Problem if the number is out of range."""
    root = section.parent or section
    if not 0 <= number <= LARGEST:
        raise Problem(
            f"the subsection {number} is out of range", operand=-2, expected=f"0 to {LARGEST}"
        )
    if number == 0:
        return root
    part = root.parts.get(number)
    if part is None:
        part = Section(root.name, root.flags, root.type, root.index, root.entsize)
        part.parent = root
        root.parts[number] = part
    return part


def common_room(section: Section, align: int) -> Section:
    """Where the next .lcomm of that alignment goes: behind the first subsection, as in GNU as.

    A part whose own alignment is as large has no gaps that depend on where it comes to stand.
    """
    if not section.commons or section.commons[-1].align < align:
        part = Section(section.name, section.flags, section.type, section.index, align=align)
        part.parent = section
        section.commons.append(part)
    return section.commons[-1]


def merge(unit: Unit) -> None:
    """Append all parts to their sections."""
    moved = False
    for root in unit.sections.values():
        parts = [root.parts[number] for number in sorted(root.parts)]
        behind = sum(number <= 1 for number in root.parts)
        for part in [*parts[:behind], *root.commons, *parts[behind:]]:
            _append(root, part)
            moved = True
    if not moved:
        return
    for symbol in (*unit.symbols.values(), *unit.part_labels):
        section = symbol.section
        if section is not None and section.parent is not None:
            symbol.section, symbol.value = section.parent, symbol.value + section.shift
    debug = unit.debug
    for i, row in enumerate(debug.locations):
        if row.section.parent is not None:
            debug.locations[i] = replace(
                row, section=row.section.parent, offset=row.offset + row.section.shift
            )
    for frame in debug.frames:
        part = frame.section
        if part.parent is not None:
            frame.section = part.parent
            frame.start, frame.end = frame.start + part.shift, frame.end + part.shift
            frame.ops = [replace(op, offset=op.offset + part.shift) for op in frame.ops]


def _append(root: Section, part: Section) -> None:
    # Alignments inside the part must hold where it comes to stand.
    root.align = max(root.align, part.align)
    root.pad_to(part.align, None)
    part.shift = shift = root.size
    root.reserved += part.reserved
    root.data += part.data
    rows = len(root.row_offsets)
    root.data_rows.extend(row + rows for row in part.data_rows)
    root.marks += [(offset + shift, name) for offset, name in part.marks]
    root.row_offsets.extend(offset + shift for offset in part.row_offsets)
    root.row_places.extend(part.row_places)
    root.label_offsets.extend(offset + shift for offset in part.label_offsets)
    for fixup in part.fixups:
        fixup.offset += shift
    root.fixups += part.fixups
