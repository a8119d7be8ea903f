"""Where sections go: output sections in the order and at the addresses GNU ld would choose.

The order follows GNU ld's default script for elf32lriscv with ``-Ttext``: code from
``text_base``, then read-only data, then, on a fresh page but at the same offset in it, the
writable sections, and last what takes no bytes of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .sections import (
    FOR_LINKERS,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHT_NOBITS,
    SHT_PROGBITS,
    Section,
)

PAGE = 0x1000
"""Segments with different permissions never share a page of this size."""


@dataclass(eq=False)
class Output:
    """One section of the program: input sections of one name, one after the other.

    Its content is loaded ``load_offset`` bytes away from ``address`` (a ROM image of data in
    RAM); ``fill`` is the pattern between the parts, zeros if empty.
    """

    name: str
    flags: int
    type: int
    parts: list[tuple[tuple[int, str], Section]] = field(default_factory=list)
    address: int = 0
    size: int = 0
    load_offset: int = 0
    fill: bytes = b""

    @property
    def align(self) -> int:
        """The largest alignment of its parts."""
        return max((s.align for _, s in self.parts), default=1)

    @property
    def nobits(self) -> bool:
        """Whether it takes no bytes of the file."""
        return self.type == SHT_NOBITS

    @property
    def sections(self) -> list[Section]:
        """The input sections in order."""
        return [s for _, s in self.parts]

    def content(self) -> bytes:
        """The bytes, gaps between parts filled; empty for NOBITS."""
        if self.nobits:
            return b""
        out = bytearray(self.size)
        end = 0
        for section in self.sections:
            start = section.address - self.address
            self._fill(out, end, start)
            out[start : start + len(section.data)] = section.data
            end = max(end, start + section.size)
        self._fill(out, end, self.size)
        return bytes(out)

    def _fill(self, out: bytearray, start: int, end: int) -> None:
        """Put the pattern into a gap; it begins anew in each."""
        if self.fill and end > start:
            count = end - start
            out[start:end] = (self.fill * (count // len(self.fill) + 1))[:count]


# Families: output section, then the groups of input names in their order; a name ending in
# ".*" stands for everything that begins with it.
_FAMILIES: dict[str, tuple[tuple[str, ...], ...]] = {
    ".text": (
        (".text.unlikely", ".text.unlikely.*"),
        (".text.exit", ".text.exit.*"),
        (".text.startup", ".text.startup.*"),
        (".text.hot", ".text.hot.*"),
        (".text.sorted.*",),
        (".text", ".stub", ".text.*"),
    ),
    ".rodata": ((".rodata", ".rodata.*"),),
    ".preinit_array": ((".preinit_array",),),
    ".init_array": ((".init_array.*",), (".init_array",)),
    ".fini_array": ((".fini_array.*",), (".fini_array",)),
    ".data.rel.ro": ((".data.rel.ro.local.*",), (".data.rel.ro", ".data.rel.ro.*")),
    ".data": ((".data", ".data.*"),),
    ".sdata": ((".srodata", ".srodata.*"), (".sdata", ".sdata.*")),
    ".sbss": ((".sbss", ".sbss.*"),),
    ".bss": ((".bss", ".bss.*"), ("COMMON",)),
}
_SORTED = frozenset([".text.sorted.*", ".init_array.*", ".fini_array.*"])

# Output sections in address order; orphans of each class follow the section named here.
_ORDER = (
    ".text", ".init", ".fini", "orphan code", ".rodata", ".rodata1", ".sdata2", "orphan rodata",
    ".preinit_array", ".init_array", ".fini_array", ".ctors", ".dtors", ".data.rel.ro",
    ".data", "orphan data", ".data1", ".sdata", ".sbss", ".bss", "orphan bss",
)  # fmt: skip
_RANK = {name: rank for rank, name in enumerate(_ORDER)}


def output_name(name: str) -> tuple[str, int, str]:
    """(output section, group, sort key) for an input section's name."""
    for family in (".data.rel.ro", *_FAMILIES):
        for group, patterns in enumerate(_FAMILIES[family]):
            for pattern in patterns:
                if name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1])):
                    return family, group, name if pattern in _SORTED else ""
    return name, 0, ""


def _rank(output: Output) -> int:
    if output.name in _RANK:
        return _RANK[output.name]
    if output.flags & SHF_EXECINSTR:
        return _RANK["orphan code"]
    if not output.flags & SHF_WRITE:
        return _RANK["orphan rodata"]
    return _RANK["orphan bss" if output.nobits else "orphan data"]


def collect(sections: Iterable[Section]) -> list[Output]:
    """Output sections for all input sections, in order; not yet placed."""
    outputs: dict[str, Output] = {}
    for section in sections:
        name, group, key = output_name(section.name)
        output = outputs.get(name)
        if output is None:
            output = outputs[name] = Output(name, 0, section.type)
        output.parts.append(((group, key), section))
        output.flags |= section.flags & ~FOR_LINKERS
        if output.type == SHT_NOBITS and section.type != SHT_NOBITS and section.size:
            output.type = SHT_PROGBITS
        if len(output.parts) == 1 or not output.sections[0].size:
            output.type = section.type if output.type == SHT_NOBITS else output.type
    for output in outputs.values():
        output.parts.sort(key=lambda part: part[0])
        _unify(output)
    loaded = [o for o in outputs.values() if o.flags & SHF_ALLOC]
    others = [o for o in outputs.values() if not o.flags & SHF_ALLOC]
    loaded.sort(key=_rank)
    return loaded + others


def _unify(output: Output) -> None:
    """Content anywhere in an output section gives all its parts content."""
    kinds = {s.type for s in output.sections if s.size}
    if SHT_NOBITS in kinds and len(kinds) > 1:
        output.type = next(iter(kinds - {SHT_NOBITS}))


def up(value: int, alignment: int) -> int:
    """The next multiple of ``alignment`` (a power of two) at or above ``value``."""
    return (value + alignment - 1) & -alignment


def place(outputs: list[Output], text_base: int, fixed: Mapping[str, int]) -> dict[str, int]:
    """Give every section its address; returns the symbols that GNU ld's script defines."""
    loaded = [o for o in outputs if o.flags & SHF_ALLOC]
    symbols = _walk(loaded, text_base, fixed, close=False)
    writable = [o for o in loaded if o.flags & SHF_WRITE and o.size and o.name not in fixed]
    if writable:
        # GNU ld starts the data on a page border instead when that saves a page.
        base, end = symbols["data segment"], symbols["_end"]
        first, last = -base & (PAGE - 1), end & (PAGE - 1)
        if first and last and base & -PAGE != end & -PAGE and first + last <= PAGE:
            symbols = _walk(loaded, text_base, fixed, close=True)
    for output in outputs:
        if not output.flags & SHF_ALLOC:
            output.address = 0
            _place_parts(output)
    del symbols["data segment"]
    return symbols


def _place_parts(output: Output) -> None:
    at = output.address
    for section in output.sections:
        at = up(at, section.align)
        section.set_address(at)
        at += section.size
    # Alignment alone does not make a section.
    output.size = at - output.address if any(s.size for s in output.sections) else 0


def _walk(
    loaded: list[Output], text_base: int, fixed: Mapping[str, int], close: bool
) -> dict[str, int]:
    dot = text_base
    symbols: dict[str, int] = {}
    data_rank = _RANK[".preinit_array"]
    marks = [
        (_RANK[".rodata"], ("__etext", "_etext", "etext")),
        (_RANK[".sbss"], ("_edata", "edata", "__bss_start")),
    ]
    in_data = False
    for output in loaded:
        rank = _rank(output)
        while marks and rank >= marks[0][0]:
            for name in marks.pop(0)[1]:
                symbols[name] = dot
        if rank >= data_rank and not in_data:
            in_data = True
            dot = _data_start(dot, close)
            symbols["data segment"] = dot
        if output.name in fixed:
            dot = fixed[output.name]
        elif any(s.size for s in output.sections):
            dot = up(dot, output.align)
        output.address = dot
        _place_parts(output)
        if output.size or output.name in fixed:
            dot += output.size
        if output.name == ".data":
            symbols["__DATA_BEGIN__"] = output.address
        if output.name == ".sdata":
            symbols["__SDATA_BEGIN__"] = output.address
        if output.name == ".bss" and output.size:
            output.size += -dot % 4
            dot = up(dot, 4)
    if not in_data:
        symbols["data segment"] = dot = _data_start(dot, close)
    for _, names in marks:
        for name in names:
            symbols[name] = dot
    dot = up(dot, 4)
    symbols["__BSS_END__"] = dot
    symbols["_end"] = symbols["end"] = dot
    data = symbols.setdefault("__DATA_BEGIN__", symbols["_edata"])
    small = symbols.setdefault("__SDATA_BEGIN__", symbols["_edata"])
    symbols["__global_pointer$"] = min(small + 0x800, max(data + 0x800, dot - 0x800))
    return symbols


def _data_start(dot: int, close: bool) -> int:
    """DATA_SEGMENT_ALIGN: the next page, at the same offset unless ``close``."""
    return up(dot, PAGE) + (0 if close else dot & (PAGE - 1))
