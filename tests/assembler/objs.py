"""What a relocatable object says, in a form that does not depend on the order of its tables."""

from __future__ import annotations

import io
import struct
from collections import Counter

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection


def described(data: bytes, content: bool = True) -> dict[str, object]:
    """Sections, relocations (with what their symbols mean) and symbols of an object."""
    elf = ELFFile(io.BytesIO(data))
    names = [s.name for s in elf.iter_sections()]
    # Sections of one name are told apart by their order.
    keys: list[str] = []
    for name in names:
        same = names[: len(keys)].count(name)
        keys.append(f"{name}#{same}" if same and name != ".group" else name)
    symtab = elf.get_section_by_name(".symtab")
    symbols = list(symtab.iter_symbols()) if symtab else []

    def where(symbol) -> str:
        index = symbol["st_shndx"]
        return keys[index] if isinstance(index, int) else index

    def identity(number: int) -> tuple:
        if number == 0:
            return ("*ABS*", 0, "")
        symbol = symbols[number]
        return symbol.name, symbol["st_value"], where(symbol)

    sections: dict[str, tuple] = {}
    relocations: dict[str, list] = {}
    groups: list[tuple] = []
    for number, section in enumerate(elf.iter_sections()):
        if section["sh_type"] == "SHT_GROUP":
            flag, *members = struct.unpack(f"<{section['sh_size'] // 4}I", section.data())
            signature = symbols[section["sh_info"]].name
            groups.append((signature, flag, sorted(keys[member] for member in members)))
        elif isinstance(section, RelocationSection):
            found = []
            for r in section.iter_relocations():
                name, value, place = identity(r["r_info_sym"])
                addend = r["r_addend"]
                if name == ".L0 ":
                    # A nameless place: only the sum says where it is.
                    value, addend = value + addend, 0
                found.append((r["r_offset"], r["r_info_type"], name, value, place, addend))
            relocations[keys[section["sh_info"]]] = found
        elif section["sh_flags"] & 2 or section.name.startswith((".debug", ".eh_frame", ".riscv")):
            body = section.data() if section["sh_type"] != "SHT_NOBITS" and content else b""
            sections[keys[number]] = (
                section["sh_type"], section["sh_flags"], section["sh_size"],
                # Code is always aligned here; GNU as leaves that to the source.
                max(section["sh_addralign"], 4 if section["sh_flags"] & 4 else 0),
                section["sh_entsize"], body,
            )  # fmt: skip
    table = Counter(
        (
            s.name, s["st_value"], s["st_size"], s["st_info"]["type"], s["st_info"]["bind"],
            s["st_other"]["visibility"], where(s),
        )
        for s in symbols
        if s.name != ".L0 " and where(s) != ".group"
    )  # fmt: skip
    return {
        "sections": sections, "relocations": relocations, "symbols": table,
        "groups": {signature: rest for signature, *rest in groups},
    }  # fmt: skip


def object_differences(ours: bytes, gnu: bytes) -> list[str]:
    """What differs, in words; empty if nothing."""
    a, b = described(ours), described(gnu)
    out = []
    for part in ("sections", "relocations", "groups"):
        first, second = a[part], b[part]
        for name in sorted(set(first) | set(second)):
            x, y = first.get(name), second.get(name)
            if x == y:
                continue
            if part == "relocations" and x and y:
                out += [f"{name}: ours {p}, GNU {q}" for p, q in zip(x, y, strict=False) if p != q][
                    :3
                ]
                out += [f"{name}: {len(x)} relocations, GNU {len(y)}"] * (len(x) != len(y))
            else:
                out.append(f"{part} {name}: ours {x}, GNU {y}")
    missing = b["symbols"] - a["symbols"]
    extra = a["symbols"] - b["symbols"]
    out += [f"symbol missing: {s}" for s in sorted(missing)]
    out += [f"symbol too much: {s}" for s in sorted(extra)]
    return out
