"""A tiny assembler over the tables, to test that they are enough to read assembly back."""

from __future__ import annotations

import re

from toyvm.isa import pseudo
from toyvm.isa.csr import BY_NAME
from toyvm.isa.decode import encode
from toyvm.isa.disasm import parse_fence_set
from toyvm.isa.registers import register_number
from toyvm.isa.syntax import bind, split_operands
from toyvm.isa.table import BY_MNEMONIC

ORDER = re.compile(r"(?P<name>.+\.w)\.(?P<order>aq|rl|aqrl)$")


def assemble(line: str, pc: int) -> list[int]:
    """The words of one line: a real or pseudo-instruction with numbers only, or .word."""
    mnemonic, _, rest = line.partition(" ")
    operands = split_operands(rest)
    if mnemonic == ".word":
        return [int(operands[0].split("#")[0], 0)]
    fields: dict[str, int] = {}
    order = ORDER.match(mnemonic)
    if order is not None:
        mnemonic = order["name"]
        fields = {name: 1 for name in ("aq", "rl") if name in order["order"]}
    insn = BY_MNEMONIC.get(mnemonic)
    bound = bind(insn.syntax, operands) if insn else None
    if insn is None or bound is None:
        found = pseudo.find(mnemonic, operands)
        assert found is not None, f"neither instruction nor pseudo-instruction: {line}"
        if found[0].mnemonic == "li":
            return assemble(f"addi {operands[0]}, zero, {operands[1]}", pc)
        lines = pseudo.expand(mnemonic, operands)
        assert lines is not None
        return [w for i, text in enumerate(lines) for w in assemble(text, pc + 4 * i)]
    for name, text in bound.items():
        if name in ("rd", "rs1", "rs2"):
            fields[name] = register_number(text)
        elif name == "csr":
            fields[name] = BY_NAME[text].number if text in BY_NAME else int(text, 0)
        elif name in ("pred", "succ"):
            fields[name] = parse_fence_set(text)
        elif name == "imm" and insn.fmt in ("B", "J"):
            distance = (int(text, 0) - pc) & 0xFFFF_FFFF
            fields[name] = distance - (1 << 32) if distance >> 31 else distance
        else:
            fields[name] = int(text, 0)
    return [encode(insn.op, **fields)]
