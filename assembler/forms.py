"""All forms of all mnemonics: the table's instructions and the pseudo-instructions over them.

``FORMS[mnemonic][shape]`` is the encoder.  Pseudo-instructions come from their rows: a row of
one or more fixed lines is compiled into calls of the lines' own encoders; ``li`` and the
auipc pairs (la, call, loads and stores of symbols) are worked out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from toyvm.isa.op import Op
from toyvm.isa.pseudo import Pseudo
from toyvm.isa.registers import NUMBERS
from toyvm.isa.syntax import bind, split_operands, split_syntax
from toyvm.isa.table import BY_MNEMONIC, BY_OP

from . import sections
from .aliases import ROWS
from .diagnostics import Problem, did_you_mean
from .encode import CSR_NUMBERS, Encoder, shift_of, table_encoders
from .expressions import Expr, Modified, Name, contains
from .operands import LIKE_REGISTER, describe, not_a_register
from .sections import Fixup

if TYPE_CHECKING:
    from .unit import Unit

FORMS, SYNTAXES = table_encoders()

_REGISTER_NAMES = frozenset(["rd", "rs1", "rs2", "rt"])
_Getter = Callable[[Sequence[Any]], Any]


def _kinds(pattern: str) -> str:
    """The operand kinds that may stand at an operand pattern of a syntax."""
    if "(" in pattern:
        return "mM"
    return "r" if pattern in _REGISTER_NAMES else "xX"


def shapes(patterns: Sequence[str]) -> Iterator[str]:
    """Every shape that the operand patterns admit."""
    for kinds in product(*(_kinds(p) for p in patterns)):
        yield "".join(kinds)


def misfit(mnemonic: str, shape: str) -> int:
    """0 if the operands are what the mnemonic is made for, 1 if an alias takes them, 2 if none."""
    insn = BY_MNEMONIC.get(mnemonic)
    if insn is not None and shape in shapes(split_operands(insn.syntax.partition(" ")[2])):
        return 0
    return 2 if shape not in FORMS.get(mnemonic, ()) else int(insn is not None)


def _getters(patterns: Sequence[str]) -> dict[str, tuple[int, _Getter]]:
    """For each operand name of a row: the index of the operand, and how to get its value."""
    out: dict[str, tuple[int, _Getter]] = {}
    for i, pattern in enumerate(patterns):
        if "(" in pattern:
            offset, _, base = pattern.rstrip(")").partition("(")
            if offset:
                out[offset] = i, _part(i, 0)
            out[base] = i, _part(i, 1)
        else:
            out[pattern] = i, itemgetter(i)
    return out


def _part(index: int, part: int) -> _Getter:
    """Gets the offset (0) or the register (1) of a memory operand."""
    return lambda v: v[index][part]


def _pair(offset: _Getter, base: _Getter) -> _Getter:
    """Gets a memory operand put together from its two parts."""
    return lambda v: (offset(v), base(v))


def _literal(text: str) -> int:
    """A constant operand in an expansion line."""
    if text in NUMBERS:
        return NUMBERS[text]
    if text in CSR_NUMBERS:
        return CSR_NUMBERS[text]
    return int(text, 0)


def _compile_line(line: str, patterns: Sequence[str], shape: str) -> Encoder:
    """The encoder for one expansion line, given the row's operand patterns and their shape."""
    mnemonic, texts = split_syntax(line)
    if mnemonic == ".word":
        code = int(texts[0], 0).to_bytes(4, "little")
        return lambda unit, v: code
    insn = BY_MNEMONIC[mnemonic]
    values = bind(insn.syntax, texts)
    if values is None:
        # Literal accesses of a fence: the only operands that are words of their own.
        raise ValueError(f"no such form: {line}")
    sources = _getters(patterns)
    plan: list[tuple[int, _Getter]] = []
    target_shape = ""
    for pattern in split_operands(insn.syntax.partition(" ")[2]):
        if "(" in pattern:
            offset, _, base = pattern.rstrip(")").partition("(")
            parts = [_source(values[n], sources, shape) if n else (-1, _constant(0), "x")
                     for n in (offset, base)]  # fmt: skip
            (i, get_offset, kind), (j, get_base, _) = parts
            plan.append((max(i, j), _pair(get_offset, get_base)))
            target_shape += "M" if kind in "XM" else "m"
            continue
        index, getter, kind = _source(values[pattern], sources, shape)
        plan.append((index, getter))
        target_shape += "r" if pattern in _REGISTER_NAMES else kind
    encode = FORMS[mnemonic][target_shape]
    getters = [g for _, g in plan]
    indexes = [i for i, _ in plan]

    def expanded(unit: Unit, v: Sequence[Any]) -> bytes:
        try:
            return encode(unit, [get(v) for get in getters])
        except Problem as problem:
            if problem.operand is not None and problem.operand >= 0:
                problem.operand = indexes[problem.operand]
            raise

    return expanded


def _constant(value: Any) -> _Getter:
    return lambda v: value


def _source(
    text: str, sources: dict[str, tuple[int, _Getter]], shape: str
) -> tuple[int, _Getter, str]:
    """Where an operand of an expansion line comes from: index, getter, kind."""
    if text in sources:
        index, getter = sources[text]
        return index, getter, shape[index]
    if text == "iorw":
        return -1, _constant(Name(text)), "X"
    return -1, _constant(_literal(text)), "x"


def _compile_row(row: Pseudo, patterns: Sequence[str], shape: str) -> Encoder:
    """The encoder for a row whose lines are fixed."""
    lines = [_compile_line(line, patterns, shape) for line in row.expansion]
    if len(lines) == 1:
        return lines[0]
    return lambda unit, v: b"".join(line(unit, v) for line in lines)


def _compile_pair(row: Pseudo, patterns: Sequence[str]) -> Encoder:
    """The encoder for an auipc and an instruction that adds the low part of an address."""
    sources = _getters(patterns)
    first_texts = split_syntax(row.expansion[0])[1]
    second_name, second_texts = split_syntax(row.expansion[1])
    auipc, second = BY_OP[Op.AUIPC], BY_MNEMONIC[second_name]
    texts = bind(second.syntax, second_texts)
    assert texts is not None
    linked = first_texts[0]
    link = sources[linked][1] if linked in sources else _constant(_literal(linked))
    fields: list[tuple[int, _Getter]] = []
    for name in second.operands:
        if name == "imm":
            continue
        text = texts[name]
        getter = sources[text][1] if text in sources else _constant(_literal(text))
        fields.append((shift_of(second, name), getter))
    rd = shift_of(auipc, "rd")
    at, symbol = sources["symbol"]
    kind = sections.PAIR_S if second.fmt == "S" else sections.PAIR_I
    if second.op == Op.JALR:
        kind = sections.CALL
    loads_address = row.mnemonic in ("la", "lla")
    needs_symbol = kind != sections.CALL

    def encode(unit: Unit, v: Sequence[Any]) -> bytes:
        tree = symbol(v)
        if kind == sections.CALL and isinstance(tree, Modified) and tree.op == "plt":
            tree = tree.a
        value = unit.bound(tree, at)
        if isinstance(value, int) and loads_address:
            return load_immediate(v[0], fit32(value, tree, at))
        if isinstance(value, int) and needs_symbol:
            raise Problem(
                f"`{row.mnemonic}` cannot take a number as its address",
                operand=at,
                expected="offset(register), or the name of a label",
                hint="load the number into a register with `li` and use 0(register)",
            )
        section = unit.section
        section.fixups.append(Fixup(len(section.data), kind, value, unit.place))
        word = second.match
        for shift, getter in fields:
            word |= getter(v) << shift
        high = auipc.match | link(v) << rd
        return high.to_bytes(4, "little") + word.to_bytes(4, "little")

    return encode


_ADDI, _LUI = BY_OP[Op.ADDI], BY_OP[Op.LUI]
_ADDI_WORD, _LUI_WORD = _ADDI.match, _LUI.match
_ADDI_RD, _ADDI_RS1 = shift_of(_ADDI, "rd"), shift_of(_ADDI, "rs1")
_ADDI_IMM = shift_of(_ADDI, "imm")
_LUI_RD = shift_of(_LUI, "rd")
_LUI_IMM = shift_of(_LUI, "imm")


def load_immediate(register: int, value: int) -> bytes:
    """The shortest lui/addi sequence for a 32-bit value (signed), as GNU as chooses it."""
    low = _ADDI_WORD | register << _ADDI_RD | (value & 0xFFF) << _ADDI_IMM
    if -2048 <= value <= 2047:
        return low.to_bytes(4, "little")
    high = _LUI_WORD | register << _LUI_RD | (value + 0x800 >> 12 & 0xFFFFF) << _LUI_IMM
    # GNU as completes the pair for x0 as well, where it makes no difference.
    if value & 0xFFF or register == 0:
        return ((low | register << _ADDI_RS1) << 32 | high).to_bytes(8, "little")
    return high.to_bytes(4, "little")


def _li(unit: Unit, v: Sequence[Any]) -> bytes:
    tree = v[1]
    value = tree
    if isinstance(tree, int):
        if -(1 << 31) <= value < 1 << 31:
            return load_immediate(v[0], value)
    else:
        if isinstance(tree, Modified):
            if tree.op in ("lo", "pcrel_lo"):
                return FORMS["addi"]["rrX"](unit, [v[0], 0, tree])
            raise Problem(
                f"`li` cannot take %{tree.op}", operand=1, hint="use `la` to load an address"
            )
        value = unit.constant(tree, 1, "the value of `li`")
    return load_immediate(v[0], fit32(value, tree, 1))


_WRAPPING = frozenset(["~", ">>"])


def fit32(value: int, tree: Expr, index: int) -> int:
    """The value as a signed 32-bit number; Problem if it does not fit.

    Results of ``~`` and ``>>`` are taken modulo 2^32, because 64-bit arithmetic fills their
    upper half with ones: ``~0x80000000`` is meant as 0x7fffffff.
    """
    if -(1 << 31) <= value < 1 << 31:
        return value
    if value < 1 << 32 and value >= 0:
        return value - (1 << 32)
    if not isinstance(tree, int):
        if -(1 << 32) <= value < 0 or contains(tree, _WRAPPING):
            return ((value + (1 << 31)) & 0xFFFF_FFFF) - (1 << 31)
    shown = hex(value) if abs(value) > 1 << 32 else str(value)
    raise Problem(
        f"{shown} does not fit in 32 bits",
        operand=index,
        expected="-2147483648 to 4294967295 (0xffffffff)",
        hint="a register has 32 bits; split the number into two registers",
    )


def _install() -> None:
    for row in ROWS:
        mnemonic, patterns = split_syntax(row.syntax)
        known = FORMS.setdefault(mnemonic, {})
        SYNTAXES.setdefault(mnemonic, [])
        if row.syntax not in SYNTAXES[mnemonic]:
            SYNTAXES[mnemonic].append(row.syntax)
        for shape in shapes(patterns):
            if shape in known:
                continue
            if mnemonic == "li":
                known[shape] = _li
            elif row.computed:
                known[shape] = _compile_pair(row, patterns)
            else:
                known[shape] = _compile_row(row, patterns, shape)


_install()


def valid_forms(mnemonic: str) -> str:
    """The syntaxes of a mnemonic as one note."""
    forms = SYNTAXES[mnemonic]
    if mnemonic in JUMPS:
        forms = [form.removesuffix("imm") + "label" for form in forms]
    return f"valid forms of `{mnemonic}`: " + "; ".join(forms)


def mismatch(mnemonic: str, texts: Sequence[str], shape: str) -> Problem:
    """Explain why no form of the mnemonic takes operands of this shape."""
    note = [valid_forms(mnemonic)]
    syntaxes = [split_syntax(s)[1] for s in SYNTAXES[mnemonic]]
    counts = sorted({len(p) for p in syntaxes})
    if len(texts) not in counts:
        wanted = " or ".join(map(str, counts)) if counts != [0] else "no"
        plural = "" if counts == [1] else "s"
        message = f"`{mnemonic}` takes {wanted} operand{plural}, not {len(texts)}"
        if not texts:
            return Problem(message, operand=None, notes=note)
        extra = len(texts) > max(counts)
        return Problem(message, operand=max(counts) if extra else -1, notes=note)
    # The syntax that agrees furthest tells which operand is wrong.
    best, wrong = [], -1
    for patterns in syntaxes:
        if len(patterns) != len(texts):
            continue
        at = next(
            (i for i, (p, k) in enumerate(zip(patterns, shape, strict=True)) if k not in _kinds(p)),
            len(texts) - 1,
        )
        if at > wrong:
            best, wrong = patterns, at
    pattern, kind, text = best[wrong], shape[wrong], texts[wrong].strip()
    wanted = _wanted(pattern)
    if pattern == "imm" and mnemonic in JUMPS:
        wanted = "the name of a label"
    hint = ""
    special = _usual_mistake(mnemonic, [t.strip() for t in texts], shape, wrong)
    if special:
        what = "a CSR" if text in CSR_NUMBERS else describe(kind)
        message = f"`{text}` is {what}, which `{mnemonic}` cannot take here"
        return Problem(message, operand=wrong, expected=wanted, notes=note, hint=special)
    if pattern in _REGISTER_NAMES and LIKE_REGISTER.match(text):
        return not_a_register(text, wrong)
    if pattern in _REGISTER_NAMES and kind == "X":
        message = f"`{text}` is not a register"
        hint = did_you_mean(text, NUMBERS)
    elif "(" in pattern and kind == "r":
        message = f"`{text}` is a register; an address is wanted here"
        hint = f"write 0({text}) for the memory that {text} points to"
    elif pattern in ("symbol", "imm") and kind == "r":
        message = f"`{text}` is a register, which `{mnemonic}` cannot take here"
        if mnemonic == "li":
            hint = f"`mv` copies a register: mv {texts[0].strip()}, {text}"
        elif any("(" in p for patterns in syntaxes for p in patterns):
            hint = f"write 0({text}) for the memory that {text} points to"
        elif mnemonic.endswith("i") and mnemonic[:-1] in FORMS:
            hint = f"`{mnemonic[:-1]}` takes a register"
    else:
        message = f"`{text}` is {describe(kind)}, which `{mnemonic}` cannot take here"
        if pattern in _REGISTER_NAMES and mnemonic + "i" in FORMS and kind == "x":
            hint = f"`{mnemonic}i` takes a number"
    return Problem(message, operand=wrong, expected=wanted, notes=note, hint=hint)


JUMPS = frozenset(
    ["j", "jal", "beq", "bne", "blt", "bge", "bltu", "bgeu", "bgt", "ble", "bgtu", "bleu", "beqz",
     "bnez", "blez", "bgez", "bltz", "bgtz"]
)  # fmt: skip
"""What takes a label as its last operand."""


_REGISTERS_ONLY = frozenset(["mul", "mulh", "mulhu", "mulhsu", "div", "divu", "rem", "remu"])


def _usual_mistake(mnemonic: str, texts: Sequence[str], shape: str, wrong: int) -> str:
    """A hint for what students often write; "" if it is something else."""
    text, kind = texts[wrong], shape[wrong]
    if mnemonic == "sub" and kind == "x" and wrong == 2:
        negative = text[1:] if text.startswith("-") else f"-{text}"
        return f"add the negative number: addi {texts[0]}, {texts[1]}, {negative}"
    if mnemonic in JUMPS:
        if kind == "r" and wrong == len(texts) - 1:
            jump = {"j": "jr", "jal": "jalr"}.get(mnemonic)
            return f"`{jump}` jumps to the address in a register: {jump} {text}" if jump else ""
        if kind == "x" and wrong < len(texts) - 1:
            if text == "0":
                return "compare with `zero`, the register that is always 0"
            return f"branches compare registers: li t0, {text} and compare with t0"
    if kind == "x" and mnemonic in _REGISTERS_ONLY and wrong == 2:
        return f"it takes registers only: li t0, {text} and then {mnemonic} with t0"
    memory_first = shape[:1] in ("m", "M") and shape[1:2] == "r" and len(texts) == 2
    if mnemonic in ("sw", "sh", "sb", "lw", "lh", "lb", "lhu", "lbu") and memory_first:
        return f"the register comes first: {mnemonic} {texts[1]}, {texts[0]}"
    if mnemonic == "csrr" and len(texts) == 2 and texts[0] in CSR_NUMBERS:
        if shape[1] == "r":
            return f"`csrr` reads, the register comes first; to write: csrw {texts[0]}, {texts[1]}"
        return ""
    if mnemonic == "csrw" and len(texts) == 2 and texts[1] in CSR_NUMBERS and shape[0] == "r":
        return f"the CSR comes first: csrw {texts[1]}, {texts[0]}"
    return ""


def _wanted(pattern: str) -> str:
    if pattern in _REGISTER_NAMES:
        return "a register"
    if pattern.startswith("("):
        return "(register)"
    if "(" in pattern:
        return "offset(register)"
    return {
        "symbol": "the name of a label",
        "csr": "a CSR",
        "shamt": "a shift amount, 0 to 31",
        "uimm": "a number, 0 to 31",
        "pred": "letters of iorw",
        "succ": "letters of iorw",
    }.get(pattern, "a number")
