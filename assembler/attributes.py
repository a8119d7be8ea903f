"""The attributes of an object (.riscv.attributes) as GNU as works them out.

Sources: RISC-V ELF psABI, "Attributes"; binutils 2.40 for which extensions imply which, the
versions it takes when none is given, and when the privileged specification is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from toyvm.isa.op import Op
from toyvm.isa.table import BY_OP

from .elfstrings import ARCH, TAG_ARCH, TAG_PRIV_SPEC
from .lexer import parse_statement, split_line

if TYPE_CHECKING:
    from .unit import Unit

_SINGLE = "iegmafdqlcbkjtpvnh"
_IMPLIED = {
    "m": ("zmmul",), "g": ("i", "m", "a", "f", "d", "zicsr", "zifencei"), "d": ("f",),
    "f": ("zicsr",), "q": ("d",), "h": ("zicsr",),
}  # fmt: skip
_VERSIONS = {"i": "2p1", "e": "1p9", "m": "2p0", "a": "2p1", "f": "2p2", "d": "2p2", "q": "2p2",
             "zicsr": "2p0", "zifencei": "2p0"}  # fmt: skip
_PART = re.compile(r"([a-z][a-z0-9]*?)(?:(\d+)p(\d+))?$")
_LETTER = re.compile(r"([a-z])(?:(\d+)(?:p(\d+))?)?")
# GNU as follows version 1.11 of the privileged specification unless it is told otherwise.
_PRIV_SPEC = {TAG_PRIV_SPEC: 1, TAG_PRIV_SPEC + 2: 11}
_PRIVILEGED = frozenset(BY_OP[op].match for op in (Op.MRET, Op.SRET, Op.WFI))
_FENCE = BY_OP[Op.SFENCE_VMA]
_SYSTEM = BY_OP[Op.ECALL].match
_OPCODE, _FUNCT3 = 0x7F, 7 << 12


def canonical_arch(text: str) -> str:
    """The architecture with all that it implies, with versions, in the order of the manual."""
    found: dict[str, str] = {}
    rest = text.lower().removeprefix("rv32")
    for part in rest.split("_"):
        if part[:1] in ("z", "s", "x") and (match := _PART.match(part)):
            found.setdefault(match[1], _version(match[1], match[2], match[3]))
            continue
        for match in _LETTER.finditer(part):
            found.setdefault(match[1], _version(match[1], match[2], match[3]))
    if found.get("i") == "2p0":
        # Both were part of the base instruction set then.
        for name in ("zicsr", "zifencei"):
            found.setdefault(name, _version(name, None, None))
    waiting = list(found)
    while waiting:
        for name in _IMPLIED.get(waiting.pop(), ()):
            if name not in found:
                found[name] = _version(name, None, None)
                waiting.append(name)
    found.pop("g", None)
    single = "".join(n + found[n] for n in _SINGLE if n in found)
    longer = sorted((n for n in found if len(n) > 1), key=_rank)
    if not single:
        return text
    pieces = re.findall(r"[a-z]\d+p\d+", single) + [n + found[n] for n in longer]
    return "rv32" + "_".join(pieces)


def _version(name: str, major: str | None, minor: str | None) -> str:
    if major is None:
        return _VERSIONS.get(name, "1p0")
    return f"{major}p{minor or 0}"


def _rank(name: str) -> tuple[int, int, str]:
    """Standard user extensions by the letter that they belong to, then supervisor, then others."""
    group = "zsx".find(name[0])
    return group, _SINGLE.find(name[1]) if group == 0 else 0, name


def object_attributes(unit: Unit) -> Mapping[int, int | str]:
    """What the attributes section of the unit's object says: tag -> value."""
    given = dict(unit.attributes)
    arch = given.get(TAG_ARCH, ARCH)
    if isinstance(arch, str):
        given[TAG_ARCH] = canonical_arch(arch)
    if not any(given.get(tag) for tag in range(TAG_PRIV_SPEC, TAG_PRIV_SPEC + 6, 2)):
        if _is_privileged(unit):
            given.update(_PRIV_SPEC)
    return {tag: value for tag, value in given.items() if value}


def _is_privileged(unit: Unit) -> bool:
    """Whether an instruction of the unit is privileged or names a CSR."""
    for section in unit.sections.values():
        if not section.code or section.nobits:
            continue
        data, plain = bytes(section.data), frozenset(section.data_rows)
        for row, offset in enumerate(section.row_offsets):
            if data[offset : offset + 1] == b"\x73" and row not in plain:
                word = int.from_bytes(data[offset : offset + 4], "little")
                if _counts(word, unit, section.row_places[row]):
                    return True
    return False


def _counts(word: int, unit: Unit, place: int) -> bool:
    if word & _OPCODE != _SYSTEM or not (
        word & _FUNCT3 or word in _PRIVILEGED or word & _FENCE.mask == _FENCE.match
    ):
        return False
    op = parse_statement(split_line(unit.positions.text(place))[-1]).op
    name = op.text.lower() if op else ""
    return name != ".insn" and not name.startswith("rd")
