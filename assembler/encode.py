"""Machine code for the rows of the ISA table: one encoder for each instruction and shape.

An encoder takes the unit under assembly and the operand values (see ``operands``) and gives
the bytes; what depends on addresses it leaves as a fixup.  The place of every field comes
from the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from toyvm.isa.csr import CSRS
from toyvm.isa.csr_elsewhere import ELSEWHERE
from toyvm.isa.disasm import parse_fence_set
from toyvm.isa.insn import Insn
from toyvm.isa.op import Op
from toyvm.isa.table import BY_OP, INSNS

from . import sections
from .diagnostics import Problem, did_you_mean
from .expressions import Expr, Modified, Name
from .sections import Fixup

if TYPE_CHECKING:
    from .unit import Unit

Encoder: TypeAlias = Callable[["Unit", Sequence[Any]], bytes]

CSR_NUMBERS: dict[str, int] = {csr.name: csr.number for csr in CSRS}

# The branch that is taken exactly when the other is not.
_OPPOSITE = {Op.BEQ: Op.BNE, Op.BLT: Op.BGE, Op.BLTU: Op.BGEU}
OPPOSITE = {**_OPPOSITE, **{b: a for a, b in _OPPOSITE.items()}}


def inserter(insn: Insn, field: str) -> Callable[[int], int]:
    """A function that puts the bits of a field's value where they belong in the word."""
    parts = [(s.low, (1 << s.width) - 1, s.shift) for s in insn.slices if s.field == field]
    if len(parts) == 1:
        low, mask, shift = parts[0]
        return lambda value: (value >> low & mask) << shift
    if len(parts) == 2:
        (a, k, s), (b, m, t) = parts
        return lambda value: (value >> a & k) << s | (value >> b & m) << t
    return lambda value: sum((value >> low & mask) << shift for low, mask, shift in parts)


def shift_of(insn: Insn, field: str) -> int:
    """The bit where a field that stands in one piece begins."""
    (piece,) = [s for s in insn.slices if s.field == field]
    return piece.shift


def wrap32(value: int) -> int:
    """A 32-bit pattern as the signed number it stands for; other values stay."""
    return value - (1 << 32) if 1 << 31 <= value < 1 << 32 else value


def check_imm12(value: int, index: int, mnemonic: str) -> int:
    """The value if it fits a signed 12-bit immediate; 0xffffffff counts as -1."""
    if -2048 <= value <= 2047:
        return value
    wrapped = wrap32(value)
    if -2048 <= wrapped <= 2047:
        return wrapped
    hint = ""
    if mnemonic == "addi":
        hint = "`li` can load this into a register; then use `add`"
    elif mnemonic in ("andi", "ori", "xori", "slti", "sltiu"):
        hint = f"`li` can load this into a register; then use `{mnemonic.replace('i', '', 1)}`"
        if mnemonic == "sltiu":
            hint = hint.replace("`sltu`", "`sltu`")
    else:
        hint = "put the address into a register first, with `li` and `add`"
    raise Problem(
        f"the immediate {value} does not fit in 12 bits",
        operand=index,
        expected="-2048 to 2047",
        hint=hint,
    )


def low_part(unit: Unit, tree: Expr, index: int, insn: Insn, store: bool) -> int:
    """A 12-bit immediate that is an expression: its value, or 0 and a fixup for %lo(...)."""
    if not isinstance(tree, Modified):
        return check_imm12(unit.constant(tree, index, "an immediate"), index, insn.mnemonic)
    if tree.op == "lo":
        kind = sections.LO12_S if store else sections.LO12_I
    elif tree.op == "pcrel_lo":
        kind = sections.PCREL_LO12_S if store else sections.PCREL_LO12_I
    else:
        raise _wrong_modifier(tree, index, insn.mnemonic, "%lo or %pcrel_lo")
    section = unit.section
    section.fixups.append(Fixup(len(section.data), kind, unit.bound(tree.a, index), unit.place))
    return 0


def high_part(unit: Unit, tree: Expr, index: int, insn: Insn) -> int:
    """The immediate of lui or auipc: its value, or 0 and a fixup for %hi(...)."""
    if not isinstance(tree, Modified):
        value = unit.constant(tree, index, "an immediate")
        return check_upper(value, index, insn.mnemonic)
    if tree.op == "hi":
        kind = sections.HI20
    elif tree.op == "pcrel_hi":
        kind = sections.PCREL_HI20
    else:
        raise _wrong_modifier(tree, index, insn.mnemonic, "%hi or %pcrel_hi")
    section = unit.section
    section.fixups.append(Fixup(len(section.data), kind, unit.bound(tree.a, index), unit.place))
    return 0


def check_upper(value: int, index: int, mnemonic: str) -> int:
    """The value if it fits the 20-bit immediate of lui and auipc."""
    if 0 <= value < 1 << 20:
        return value
    hint = ""
    if mnemonic == "lui" and 0 <= value < 1 << 32:
        hint = f"lui takes the upper 20 bits: {value >> 12:#x}; `li` takes the whole number"
    raise Problem(
        f"the immediate {value} does not fit in 20 bits",
        operand=index,
        expected="0 to 1048575 (0xfffff)",
        hint=hint,
    )


def _wrong_modifier(tree: Modified, index: int, mnemonic: str, right: str) -> Problem:
    if tree.op.startswith(("tprel", "tls")):
        return Problem(
            f"`%{tree.op}` is about thread-local storage, which this machine has not",
            operand=index,
            expected=right,
        )
    if tree.op.startswith("got"):
        return Problem(
            f"`%{tree.op}` needs a global offset table; programs here have none",
            operand=index,
            expected=right,
        )
    return Problem(f"`%{tree.op}` does not fit `{mnemonic}`", operand=index, expected=right)


def small(unit: Unit, value: Any, index: int, limit: int, what: str) -> int:
    """An unsigned 5-bit operand."""
    number = value if isinstance(value, int) else unit.constant(value, index, what)
    if 0 <= number <= limit:
        return number
    raise Problem(f"{what} {number} is out of range", operand=index, expected=f"0 to {limit}")


def csr_number(unit: Unit, value: Any, index: int) -> int:
    """A CSR by name or number."""
    if isinstance(value, Name):
        number = CSR_NUMBERS.get(value.name)
        if number is not None:
            return number
        if not unit.is_defined(value.name):
            number = ELSEWHERE.get(value.name)
            if number is not None:
                unit.warn(
                    "csr-missing",
                    f"this machine has no CSR `{value.name}`: the instruction will trap",
                    operand=index,
                )
                return number
            raise Problem(
                f"`{value.name}` is not a CSR",
                operand=index,
                expected="the name or number of a control and status register",
                notes=["a CSR without a name can be written as a number"],
                hint=did_you_mean(value.name, CSR_NUMBERS),
            )
    number = value if isinstance(value, int) else unit.constant(value, index, "a CSR number")
    if 0 <= number < 1 << 12:
        return number
    raise Problem(
        f"the CSR number {number:#x} is out of range", operand=index, expected="0 to 0xfff"
    )


def fence_bits(value: Any, index: int) -> int:
    """The set of accesses of a fence."""
    try:
        return parse_fence_set(value.name if isinstance(value, Name) else str(value))
    except ValueError:
        raise Problem(
            "this is not a set of accesses",
            operand=index,
            expected="letters of iorw, in this order, e.g. rw",
        ) from None


def _registers(insn: Insn, *fields: str) -> Encoder:
    """Encoder of an instruction with registers only."""
    match = insn.match
    shifts = [shift_of(insn, f) for f in fields]
    if len(shifts) == 3:
        a, b, c = shifts
        return lambda unit, v: (match | v[0] << a | v[1] << b | v[2] << c).to_bytes(4, "little")
    return lambda unit, v: (
        match | sum(value << shift for value, shift in zip(v, shifts, strict=True))
    ).to_bytes(4, "little")


def _immediate(insn: Insn) -> dict[str, Encoder]:
    """addi and the like: rd, rs1, imm."""
    match, name = insn.match, insn.mnemonic
    rd, rs1, imm = (shift_of(insn, f) for f in ("rd", "rs1", "imm"))

    def number(unit: Unit, v: Sequence[Any]) -> bytes:
        value = v[2]
        if not -2048 <= value <= 2047:
            value = check_imm12(value, 2, name)
        return (match | v[0] << rd | v[1] << rs1 | (value & 0xFFF) << imm).to_bytes(4, "little")

    def tree(unit: Unit, v: Sequence[Any]) -> bytes:
        value = low_part(unit, v[2], 2, insn, False)
        return (match | v[0] << rd | v[1] << rs1 | (value & 0xFFF) << imm).to_bytes(4, "little")

    return {"rrx": number, "rrX": tree}


def _memory(insn: Insn) -> dict[str, Encoder]:
    """Loads, stores and jalr: a register and imm(rs1)."""
    match, name = insn.match, insn.mnemonic
    store = insn.fmt == "S"
    reg = shift_of(insn, "rs2" if store else "rd")
    base = shift_of(insn, "rs1")
    put = inserter(insn, "imm")

    def number(unit: Unit, v: Sequence[Any]) -> bytes:
        offset, register = v[1]
        if not -2048 <= offset <= 2047:
            offset = check_imm12(offset, 1, name)
        return (match | v[0] << reg | register << base | put(offset)).to_bytes(4, "little")

    def tree(unit: Unit, v: Sequence[Any]) -> bytes:
        offset, register = v[1]
        value = low_part(unit, offset, 1, insn, store)
        return (match | v[0] << reg | register << base | put(value)).to_bytes(4, "little")

    return {"rm": number, "rM": tree}


def _branch(insn: Insn) -> dict[str, Encoder]:
    """Conditional branches: the two-instruction form when the target is out of reach."""
    rs1, rs2 = shift_of(insn, "rs1"), shift_of(insn, "rs2")
    match = insn.match
    over = BY_OP[OPPOSITE[insn.op]]
    skip = over.match | inserter(over, "imm")(8)
    jump = BY_OP[Op.JAL].match.to_bytes(4, "little")

    def encode(unit: Unit, v: Sequence[Any]) -> bytes:
        value = unit.bound(v[2], 2)
        section = unit.section
        offset, fixups = len(section.data), section.fixups
        if unit.next_branch_is_long():
            fixups.append(Fixup(offset + 4, sections.JAL, value, unit.place))
            return (skip | v[0] << rs1 | v[1] << rs2).to_bytes(4, "little") + jump
        fixups.append(Fixup(offset, sections.BRANCH, value, unit.place))
        return (match | v[0] << rs1 | v[1] << rs2).to_bytes(4, "little")

    return {"rrx": encode, "rrX": encode}


def _upper(insn: Insn) -> dict[str, Encoder]:
    """lui and auipc."""
    match, rd = insn.match, shift_of(insn, "rd")
    imm = shift_of(insn, "imm")

    def encode(unit: Unit, v: Sequence[Any]) -> bytes:
        value = v[1]
        if isinstance(value, int):
            value = check_upper(value, 1, insn.mnemonic)
        else:
            value = high_part(unit, value, 1, insn)
        return (match | v[0] << rd | value << imm).to_bytes(4, "little")

    return {"rx": encode, "rX": encode}


def _jump(insn: Insn) -> dict[str, Encoder]:
    match, rd = insn.match, shift_of(insn, "rd")

    def encode(unit: Unit, v: Sequence[Any]) -> bytes:
        section = unit.section
        value = unit.bound(v[1], 1)
        section.fixups.append(Fixup(len(section.data), sections.JAL, value, unit.place))
        return (match | v[0] << rd).to_bytes(4, "little")

    return {"rx": encode, "rX": encode}


def _shift(insn: Insn) -> dict[str, Encoder]:
    match = insn.match
    rd, rs1, amount = (shift_of(insn, f) for f in ("rd", "rs1", "shamt"))

    def encode(unit: Unit, v: Sequence[Any]) -> bytes:
        value = small(unit, v[2], 2, 31, "the shift amount")
        return (match | v[0] << rd | v[1] << rs1 | value << amount).to_bytes(4, "little")

    return {"rrx": encode, "rrX": encode}


def _csr(insn: Insn) -> dict[str, Encoder]:
    match = insn.match
    rd, csr = shift_of(insn, "rd"), shift_of(insn, "csr")
    number = insn.fmt == "CSRI"
    last = shift_of(insn, "uimm" if number else "rs1")

    def encode(unit: Unit, v: Sequence[Any]) -> bytes:
        source = small(unit, v[2], 2, 31, "the immediate") if number else v[2]
        which = csr_number(unit, v[1], 1)
        return (match | v[0] << rd | which << csr | source << last).to_bytes(4, "little")

    return {f"r{c}{s}": encode for c in "xX" for s in ("xX" if number else "r")}


def _fence(insn: Insn) -> dict[str, Encoder]:
    match = insn.match
    pred, succ = shift_of(insn, "pred"), shift_of(insn, "succ")

    def encode(unit: Unit, v: Sequence[Any]) -> bytes:
        word = match | fence_bits(v[0], 0) << pred | fence_bits(v[1], 1) << succ
        return word.to_bytes(4, "little")

    return {a + b: encode for a in "xX" for b in "xX"}


def _atomic(insn: Insn, order: str) -> dict[str, Encoder]:
    """lr, sc and amo instructions; ``order`` is "", "aq", "rl" or "aqrl"."""
    match = insn.match
    for bit in ("aq", "rl"):
        if bit in order:
            match |= 1 << shift_of(insn, bit)
    shifts = [shift_of(insn, f) for f in insn.operands]
    base = shifts.pop()
    at = len(shifts)

    def encode(unit: Unit, v: Sequence[Any]) -> bytes:
        offset, register = v[at]
        if not isinstance(offset, int):
            offset = unit.constant(offset, at, "the offset")
        if offset != 0:
            raise Problem(
                "atomic instructions take no offset",
                operand=at,
                expected="(register)",
                hint="add the offset to the register first, with `addi`",
            )
        word = match | register << base
        for value, shift in zip(v, shifts, strict=False):
            word |= value << shift
        return word.to_bytes(4, "little")

    kinds = "r" * at
    return {kinds + "m": encode, kinds + "M": encode}


def _plain(insn: Insn) -> dict[str, Encoder]:
    code = insn.match.to_bytes(4, "little")
    return {"": lambda unit, v: code}


_BUILDERS: dict[str, Callable[[Insn], dict[str, Encoder]]] = {
    "R": lambda i: {"rrr": _registers(i, *i.operands)},
    "I": lambda i: _memory(i) if "(" in i.syntax else _immediate(i),
    "SHIFT": _shift,
    "S": _memory,
    "B": _branch,
    "U": _upper,
    "J": _jump,
    "CSR": _csr,
    "CSRI": _csr,
    "FENCE": _fence,
    "SFENCE": lambda i: {"rr": _registers(i, *i.operands)},
    "SYS": _plain,
}


def table_encoders() -> tuple[dict[str, dict[str, Encoder]], dict[str, list[str]]]:
    """Encoders by mnemonic and shape, and the syntaxes of each mnemonic, for every row."""
    encoders: dict[str, dict[str, Encoder]] = {}
    syntaxes: dict[str, list[str]] = {}
    for insn in INSNS:
        if insn.fmt in ("AMO", "LR"):
            rest = insn.syntax.partition(" ")[2]
            for order in ("", "aq", "rl", "aqrl"):
                name = insn.mnemonic + (f".{order}" if order else "")
                encoders[name] = _atomic(insn, order)
                syntaxes[name] = [f"{name} {rest}"]
            continue
        encoders[insn.mnemonic] = _BUILDERS[insn.fmt](insn)
        syntaxes[insn.mnemonic] = [insn.syntax]
    return encoders, syntaxes
