"""Instructions of the slow reference hart: a decoder and what each one does.

Written from the instruction listings of the unprivileged manual (chapter 24)
and of the privileged manual (chapter 5), field by field.  ``decode(word)``
gives a function that performs the instruction on a hart, or None if the word
is no instruction of RV32IMA, Zicsr, Zifencei and the privileged architecture.

Reserved fields of FENCE and FENCE.I are ignored: "base implementations shall
ignore these fields".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from tests.support.naive_csrs import TSR, TVM, TW, IllegalCsr
from tests.support.naive_memory import MASK32, M, S, Trap, U

Action = Callable[[Any], None]

ILLEGAL_INSTRUCTION = 2
BREAKPOINT = 3
ECALL_FROM_U = 8  # from S it is 9, from M 11
TARGET_MISALIGNED = 0


def signed(value: int, bits: int = 32) -> int:
    """The two's complement number in the low ``bits`` of ``value``."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


# ---- immediates (unprivileged manual, figure 2.4) -----------------------------


def imm_i(word: int) -> int:
    return signed(word >> 20, 12)


def imm_s(word: int) -> int:
    return signed((word >> 25) << 5 | (word >> 7) & 31, 12)


def imm_b(word: int) -> int:
    return signed(
        (word >> 31) << 12
        | (word >> 7 & 1) << 11
        | (word >> 25 & 0x3F) << 5
        | (word >> 8 & 0xF) << 1,
        13,
    )


def imm_u(word: int) -> int:
    return word & 0xFFFF_F000


def imm_j(word: int) -> int:
    return signed(
        (word >> 31) << 20
        | (word >> 12 & 0xFF) << 12
        | (word >> 20 & 1) << 11
        | (word >> 21 & 0x3FF) << 1,
        21,
    )


# ---- arithmetic -----------------------------------------------------------------


def divide(a: int, b: int) -> int:
    """DIV: towards zero; by zero -1; overflow gives the dividend (table 7.1)."""
    n, d = signed(a), signed(b)
    if d == 0:
        return MASK32
    quotient = abs(n) // abs(d)
    return quotient if (n < 0) == (d < 0) else -quotient


def remainder(a: int, b: int) -> int:
    """REM: the sign of the dividend; by zero the dividend (table 7.1)."""
    n, d = signed(a), signed(b)
    if d == 0:
        return a
    rest = abs(n) % abs(d)
    return -rest if n < 0 else rest


# (funct7, funct3) of opcode OP. Operands are unsigned 32-bit ints.
REGISTER_OPS: dict[tuple[int, int], Callable[[int, int], int]] = {
    (0x00, 0): lambda a, b: a + b,
    (0x20, 0): lambda a, b: a - b,
    (0x00, 1): lambda a, b: a << (b & 31),
    (0x00, 2): lambda a, b: int(signed(a) < signed(b)),
    (0x00, 3): lambda a, b: int(a < b),
    (0x00, 4): lambda a, b: a ^ b,
    (0x00, 5): lambda a, b: a >> (b & 31),
    (0x20, 5): lambda a, b: signed(a) >> (b & 31),
    (0x00, 6): lambda a, b: a | b,
    (0x00, 7): lambda a, b: a & b,
    (0x01, 0): lambda a, b: a * b,
    (0x01, 1): lambda a, b: signed(a) * signed(b) >> 32,
    (0x01, 2): lambda a, b: signed(a) * b >> 32,
    (0x01, 3): lambda a, b: a * b >> 32,
    (0x01, 4): divide,
    (0x01, 5): lambda a, b: a // b if b else MASK32,
    (0x01, 6): remainder,
    (0x01, 7): lambda a, b: a % b if b else a,
}

BRANCHES: dict[int, Callable[[int, int], bool]] = {
    0: lambda a, b: a == b,
    1: lambda a, b: a != b,
    4: lambda a, b: signed(a) < signed(b),
    5: lambda a, b: signed(a) >= signed(b),
    6: lambda a, b: a < b,
    7: lambda a, b: a >= b,
}

# funct5 of the read-modify-write AMOs: (word in memory, rs2) -> new word.
AMOS: dict[int, Callable[[int, int], int]] = {
    0x00: lambda old, b: old + b,
    0x01: lambda old, b: b,
    0x04: lambda old, b: old ^ b,
    0x08: lambda old, b: old | b,
    0x0C: lambda old, b: old & b,
    0x10: lambda old, b: min(old, b, key=signed),
    0x14: lambda old, b: max(old, b, key=signed),
    0x18: min,
    0x1C: max,
}

LOADS = {0: (1, True), 1: (2, True), 2: (4, True), 4: (1, False), 5: (2, False)}
STORES = {0: 1, 1: 2, 2: 4}


# ---- one decoder per major opcode --------------------------------------------------


def _fields(word: int) -> tuple[int, int, int, int, int]:
    """rd, funct3, rs1, rs2, funct7."""
    return word >> 7 & 31, word >> 12 & 7, word >> 15 & 31, word >> 20 & 31, word >> 25


def _lui(word: int) -> Action | None:
    rd = word >> 7 & 31
    return lambda h: h.set_x(rd, imm_u(word))


def _auipc(word: int) -> Action | None:
    rd = word >> 7 & 31
    return lambda h: h.set_x(rd, h.pc + imm_u(word))


def _jump(h: Any, rd: int, target: int) -> None:
    """The exception "is reported on the branch or jump instruction", and the
    link register is not written then (unprivileged manual, 2.5)."""
    target &= MASK32
    if target & 3:
        raise Trap(TARGET_MISALIGNED, target)
    link = h.pc + 4
    h.next_pc = target
    h.set_x(rd, link)


def _jal(word: int) -> Action | None:
    rd = word >> 7 & 31
    return lambda h: _jump(h, rd, h.pc + imm_j(word))


def _jalr(word: int) -> Action | None:
    rd, funct3, rs1, _, _ = _fields(word)
    if funct3:
        return None
    return lambda h: _jump(h, rd, (h.x[rs1] + imm_i(word)) & ~1)


def _branch(word: int) -> Action | None:
    _, funct3, rs1, rs2, _ = _fields(word)
    taken = BRANCHES.get(funct3)
    if taken is None:
        return None

    def run(h: Any) -> None:
        if taken(h.x[rs1], h.x[rs2]):
            _jump(h, 0, h.pc + imm_b(word))

    return run


def _load(word: int) -> Action | None:
    rd, funct3, rs1, _, _ = _fields(word)
    if funct3 not in LOADS:
        return None
    width, is_signed = LOADS[funct3]

    def run(h: Any) -> None:
        value = h.load((h.x[rs1] + imm_i(word)) & MASK32, width)
        h.set_x(rd, signed(value, 8 * width) if is_signed else value)

    return run


def _store(word: int) -> Action | None:
    _, funct3, rs1, rs2, _ = _fields(word)
    if funct3 not in STORES:
        return None
    width = STORES[funct3]
    return lambda h: h.store((h.x[rs1] + imm_s(word)) & MASK32, width, h.x[rs2])


def _op_imm(word: int) -> Action | None:
    rd, funct3, rs1, shamt, funct7 = _fields(word)
    if funct3 in (1, 5):  # shifts: the upper bits choose the kind
        function, b = REGISTER_OPS.get((funct7, funct3)), shamt
        if funct7 not in (0x00, 0x20):
            return None
    else:
        function, b = REGISTER_OPS[0, funct3], imm_i(word) & MASK32
    if function is None:
        return None
    return lambda h: h.set_x(rd, function(h.x[rs1], b))


def _op(word: int) -> Action | None:
    rd, funct3, rs1, rs2, funct7 = _fields(word)
    function = REGISTER_OPS.get((funct7, funct3))
    if function is None:
        return None
    return lambda h: h.set_x(rd, function(h.x[rs1], h.x[rs2]))


def _misc_mem(word: int) -> Action | None:
    # FENCE and FENCE.I: one hart without caches sees everything in order.
    return (lambda h: None) if word >> 12 & 7 in (0, 1) else None


def _amo(word: int) -> Action | None:
    rd, funct3, rs1, rs2, funct7 = _fields(word)
    if funct3 != 2:
        return None
    funct5 = funct7 >> 2  # below it aq and rl, without meaning for one hart
    if funct5 == 0x02:
        return None if rs2 else lambda h: h.set_x(rd, h.load_reserved(h.x[rs1]))
    if funct5 == 0x03:
        return lambda h: h.set_x(rd, h.store_conditional(h.x[rs1], h.x[rs2]))
    function = AMOS.get(funct5)
    if function is None:
        return None

    def run(h: Any) -> None:
        address, operand = h.x[rs1], h.x[rs2]
        old = h.amo_read(address)
        h.amo_write(address, function(old, operand) & MASK32)
        h.set_x(rd, old)

    return run


# ---- SYSTEM ------------------------------------------------------------------------


def _ecall(h: Any) -> None:
    if h.sbi is not None and h.mode == S:
        h.sbi(h)
        h.retires = False
        return
    raise Trap(ECALL_FROM_U + h.mode, 0)


def _ebreak(h: Any) -> None:
    raise Trap(BREAKPOINT, h.pc)


def _sret(h: Any) -> None:
    if h.mode == U or (h.mode == S and h.mstatus & TSR):
        raise Trap(ILLEGAL_INSTRUCTION, 0x1020_0073)
    h.return_from_s()


def _mret(h: Any) -> None:
    if h.mode != M:
        raise Trap(ILLEGAL_INSTRUCTION, 0x3020_0073)
    h.return_from_m()


def _wfi(h: Any) -> None:
    if h.mode == U or (h.mode == S and h.mstatus & TW):
        raise Trap(ILLEGAL_INSTRUCTION, 0x1050_0073)
    h.waits = True


WHOLE_WORDS: dict[int, Action] = {
    0x0000_0073: _ecall,
    0x0010_0073: _ebreak,
    0x1020_0073: _sret,
    0x3020_0073: _mret,
    0x1050_0073: _wfi,
}


def _system(word: int) -> Action | None:
    rd, funct3, rs1, _, funct7 = _fields(word)
    if word in WHOLE_WORDS:
        return WHOLE_WORDS[word]
    if funct3 == 0:
        if funct7 == 0x09 and rd == 0:
            return lambda h: _sfence_vma(h, word)
        return None
    if funct3 == 4:
        return None
    return lambda h: _csr_instruction(h, word, funct3, rd, rs1)


def _sfence_vma(h: Any, word: int) -> None:
    # There is no TLB here: every access walks the table.
    if h.mode == U or (h.mode == S and h.mstatus & TVM):
        raise Trap(ILLEGAL_INSTRUCTION, word)


def _csr_instruction(h: Any, word: int, funct3: int, rd: int, rs1: int) -> None:
    """CSRRW, CSRRS, CSRRC and their immediate forms (unprivileged, 9.1).

    For the set and clear forms the register *number* (or the immediate) zero
    means "no write at all"; a register that holds zero is a write.
    """
    number = word >> 20
    kind = funct3 & 3
    operand = rs1 if funct3 & 4 else h.x[rs1]
    writes = kind == 1 or rs1 != 0
    try:
        h.check_csr(number, writes)
    except IllegalCsr:
        raise Trap(ILLEGAL_INSTRUCTION, word) from None
    old = h.read_csr(number)
    if writes:
        if kind == 1:
            new = operand
        elif kind == 2:
            new = h.modify_base(number) | operand
        else:
            new = h.modify_base(number) & ~operand
        h.write_csr(number, new)
        h.csr_writes.append(number)
    h.set_x(rd, old)


DECODERS: dict[int, Callable[[int], Action | None]] = {
    0b0110111: _lui,
    0b0010111: _auipc,
    0b1101111: _jal,
    0b1100111: _jalr,
    0b1100011: _branch,
    0b0000011: _load,
    0b0100011: _store,
    0b0010011: _op_imm,
    0b0110011: _op,
    0b0001111: _misc_mem,
    0b0101111: _amo,
    0b1110011: _system,
}


@lru_cache(maxsize=1 << 16)
def decode(word: int) -> Action | None:
    """What ``word`` does, or None if it is an illegal instruction."""
    decoder = DECODERS.get(word & 0x7F)
    return decoder(word) if decoder else None
