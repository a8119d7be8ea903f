"""Words to assembly text, spelled as GNU objdump and Capstone spell it.

Assembled again at the same address, every line gives the same word; only the ``<symbol>``
notes have to be taken off first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping

from .csr import BY_NAME as CSR_BY_NAME
from .csr import csr_name
from .decode import Decoded, decode
from .op import Op
from .pseudo import Pseudo, single_lines
from .registers import ABI_NAMES, NUMBERS
from .syntax import bind, fill
from .table import BY_MNEMONIC

Namer = Callable[[int], str | None]
"""Address -> the text between < and >, such as "main" or "main+0x8", or None."""

_FENCE_BITS = ((8, "i"), (4, "o"), (2, "r"), (1, "w"))


def disasm(
    word: int, pc: int = 0, symbols: Namer | Mapping[int, str] | None = None, pseudo: bool = True
) -> str:
    """The text of one 32-bit instruction word at address ``pc``.

    Targets of branches and jumps are absolute: ``beqz a0, 0x80000010``.  With ``symbols`` a
    note follows: ``beqz a0, 0x80000010 <loop+0x8>``.  ``symbols`` is a function from an
    address to that note (or None), or a mapping from addresses to names, of which the nearest
    at or below is used; for long listings wrap the mapping once: ``nearest(mapping)``.
    With ``pseudo=False`` only real instructions are shown: ``addi a0, zero, 5``, not ``li``.

    A word that is no instruction gives ``.word 0x...``; one whose ignored fields are not zero
    (a reserved fence) gives that too, with the instruction behind it as a comment.
    """
    word &= 0xFFFF_FFFF
    decoded = decode(word)
    if decoded is None:
        return f".word {word:#010x}"
    if pseudo and word in _BY_WORD:
        return _BY_WORD[word].syntax
    namer = nearest(symbols) if isinstance(symbols, Mapping) else symbols
    text = (_pseudo(decoded, pc, namer) if pseudo else None) or _plain(decoded, pc, namer)
    if any(getattr(decoded, name) for name in _IGNORED.get(decoded.op, ())):
        return f".word {word:#010x} # {text}"
    return text


def nearest(names: Mapping[int, str]) -> Namer:
    """A function that names an address by the nearest symbol at or below it."""
    addresses = sorted(names)

    def name_of(address: int) -> str | None:
        i = bisect_right(addresses, address)
        if i == 0:
            return None
        base = addresses[i - 1]
        return names[base] if base == address else f"{names[base]}+{address - base:#x}"

    return name_of


def fence_set(bits: int) -> str:
    """The letters of a fence's pred or succ (i o r w); "0" for none."""
    return "".join(letter for bit, letter in _FENCE_BITS if bits & bit) or "0"


def parse_fence_set(text: str) -> int:
    """The bits of a fence's pred or succ from its letters; ValueError for anything else."""
    if text == "0":
        return 0
    bits = sum(bit for bit, letter in _FENCE_BITS if letter in text)
    if not text or fence_set(bits) != text:
        raise ValueError(f"'{text}' is not a set of accesses: expected letters of iorw, in order")
    return bits


def _pseudo(decoded: Decoded, pc: int, namer: Namer | None) -> str | None:
    """The first pseudo-instruction that fits, or None."""
    for row, literals, variables in _BY_OP.get(decoded.op, ()):
        if all(getattr(decoded, field) == value for field, value in literals):
            shown = {name: _text(decoded, field, pc, namer) for name, field in variables.items()}
            return fill(row.syntax, shown.__getitem__)
    return None


def _plain(decoded: Decoded, pc: int, namer: Namer | None) -> str:
    """The real instruction, with .aq and .rl behind the mnemonic of an atomic one."""
    text = fill(decoded.insn.syntax, lambda name: _text(decoded, name, pc, namer))
    order = ("aq" if decoded.aq else "") + ("rl" if decoded.rl else "")
    if order:
        mnemonic, _, operands = text.partition(" ")
        return f"{mnemonic}.{order} {operands}"
    return text


def _text(decoded: Decoded, field: str, pc: int, namer: Namer | None) -> str:
    """One operand as text."""
    value: int = getattr(decoded, field)
    if field in ("rd", "rs1", "rs2"):
        return ABI_NAMES[value]
    if field == "csr":
        return csr_name(value)
    if field in ("pred", "succ"):
        return fence_set(value)
    if field == "imm" and decoded.insn.fmt in ("B", "J"):
        target = (pc + value) & 0xFFFF_FFFF
        name = namer(target) if namer else None
        return f"{target:#x} <{name}>" if name else f"{target:#x}"
    if field == "imm" and decoded.insn.fmt == "U":
        return f"{value:#x}"
    return str(value)


# A one-line pseudo-instruction, backwards: fields that must have a value, and for each operand
# of the row the field that it shows.
_Reverse = tuple[Pseudo, tuple[tuple[str, int], ...], dict[str, str]]


def _literal(field: str, text: str) -> int:
    """The value of a constant operand in an expansion."""
    if field in ("rd", "rs1", "rs2"):
        return NUMBERS[text]
    if field == "csr":
        return CSR_BY_NAME[text].number
    if field in ("pred", "succ"):
        return parse_fence_set(text)
    return int(text, 0)


def _reverse() -> tuple[dict[Op, list[_Reverse]], dict[int, Pseudo]]:
    by_op: dict[Op, list[_Reverse]] = {}
    by_word: dict[int, Pseudo] = {}
    for row, mnemonic, operands in single_lines():
        if mnemonic == ".word":
            by_word[int(operands[0], 0)] = row
            continue
        insn = BY_MNEMONIC[mnemonic]
        bound = bind(insn.syntax, operands)
        if bound is None:
            raise ValueError(f"pseudo-instruction '{row.syntax}': no such form of {mnemonic}")
        names = row.operands
        literals = tuple((f, _literal(f, t)) for f, t in bound.items() if t not in names)
        variables = {t: f for f, t in bound.items() if t in names}
        by_op.setdefault(insn.op, []).append((row, literals, variables))
    return by_op, by_word


_BY_OP, _BY_WORD = _reverse()

# Fields that an instruction has, ignores and does not show.
_IGNORED: dict[Op, tuple[str, ...]] = {
    insn.op: extra
    for insn in BY_MNEMONIC.values()
    if (extra := tuple(sorted(insn.fields - set(insn.operands) - {"aq", "rl"})))
}
