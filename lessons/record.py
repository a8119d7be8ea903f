"""What a submission does, recorded instruction by instruction from outside the machine.

The recorder steps the machine, decodes each instruction before it is executed and notes loads,
stores, calls, returns, traps and the use of registers that hold no value yet.  Nothing of it is
visible to the guest.  A run ends at the first breach of the calling convention or use of an
unknown register: what comes after it says little.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

from toyvm.isa.decode import Decoded, decode
from toyvm.isa.op import Op
from toyvm.isa.registers import ABI_NAMES, RA, SP, T0

MASK = 0xFFFFFFFF
RET_ALIGN = 16
"""Bytes that sp is a multiple of at every call (RISC-V ABIs 1.0, integer calling convention)."""

SAVED = (8, 9, *range(18, 28))
"""s0 to s11."""
TEMPORARY = (5, 6, 7, 28, 29, 30, 31)
"""t0 to t6."""
LOST_BY_CALL = (RA, *TEMPORARY, *range(11, 18))
"""What a call may change, except a0, which holds its result."""

LOADS = {Op.LB: (1, True), Op.LH: (2, True), Op.LW: (4, False), Op.LBU: (1, False),
         Op.LHU: (2, False), Op.LR_W: (4, False)}  # fmt: skip
STORES = {Op.SB: 1, Op.SH: 2, Op.SW: 4}
JUMPS = frozenset({Op.JAL, Op.JALR})
LINKS = frozenset({RA, T0})
"""Registers that mark a jump as call or return (Unprivileged ISA 20211203, table 2.1)."""


class Hart(Protocol):
    """The part of a Machine that the recorder uses."""

    pc: int

    @property
    def x(self) -> Any: ...
    def step(self, n: int = 1) -> object: ...
    def csr(self, name: str) -> int: ...
    def read_phys(self, pa: int, n: int) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Access:
    """One load or store: ``width`` bytes at ``address``; the stack frame is low to high."""

    pc: int
    address: int
    width: int
    value: int
    store: bool
    low: int
    high: int

    def inside(self, start: int, size: int) -> bool:
        """Whether all bytes lie in the ``size`` bytes from ``start``."""
        return start <= self.address and self.address + self.width <= start + size

    @property
    def in_frame(self) -> bool:
        """Whether all bytes lie between sp and its value when the function was called."""
        return self.inside(self.low, self.high - self.low)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why a register or word holds no value that the program may count on."""

    why: str
    pc: int | None = None


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken rule: ``kind`` is returns, saved, sp, align, temps or defined.

    ``pc`` is the instruction that broke it, ``other`` the one it belongs to (the call, say).
    ``got`` and ``want`` are register values or addresses, where the kind has them.
    """

    kind: str
    pc: int
    register: int = 0
    got: int = 0
    want: int = 0
    other: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Trap:
    """A trap taken by the submission: mcause, mepc and mtval."""

    cause: int
    epc: int
    tval: int


@dataclass(slots=True)
class Frame:
    """A call that has not returned yet; ``pc`` is None for the grader's own call.

    ``link`` is the register that got the return address ``back``.
    """

    pc: int | None
    link: int
    back: int
    sp: int
    saved: tuple[int, ...]


@dataclass
class Record:
    """All that was seen of one run.

    ``outcome``: returned, trap, breach, left (the pc is outside the program), exit (the machine
    was ended), budget, or "" while it runs.  ``retired`` counts instructions, ``depth`` nested
    calls (1 is the grader's), ``calls`` calls by target.
    """

    entry_sp: int
    outcome: str = ""
    loads: list[Access] = field(default_factory=list)
    stores: list[Access] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    breach: Breach | None = None
    trap: Trap | None = None
    retired: int = 0
    depth: int = 1
    lowest_sp: int = 0
    calls: Counter[int] = field(default_factory=Counter)
    visits: Counter[int] = field(default_factory=Counter)
    writer: dict[int, int] = field(default_factory=dict)
    last_pc: int = 0
    end_pc: int = 0


class Recorder:
    """Steps ``hart`` from its pc until the run ends; see Record.

    ``code`` holds the addresses of instructions, ``back`` is where the first call returns to,
    ``trap`` where traps are delivered, ``insns`` the budget.  ``known`` are the registers with a
    value and ``memory`` has one byte for each byte of RAM from ``base``: 1 where it has a value.
    """

    def __init__(
        self,
        hart: Hart,
        code: frozenset[int],
        back: int,
        trap: int,
        insns: int,
        known: frozenset[int],
        memory: bytearray,
        base: int,
    ) -> None:
        self.hart, self.code, self.back, self.trap, self.insns = hart, code, back, trap, insns
        self.memory, self.base = memory, base
        self.cache: dict[int, tuple[Decoded, tuple[int, ...]] | None] = {}
        self.spilled: dict[int, Unknown] = {}
        self.unknown: list[Unknown | None] = [
            None if number in known else Unknown("start") for number in range(32)
        ]
        x = self._registers()
        self.frames = [Frame(None, RA, back, x[SP], tuple(x[r] for r in SAVED))]
        self.record = Record(entry_sp=x[SP], lowest_sp=x[SP])

    def _registers(self) -> list[int]:
        x: Any = self.hart.x
        values = x.tolist() if hasattr(x, "tolist") else x
        return [value & MASK for value in values]

    def _inputs(self, insn: Decoded | None) -> dict[int, int]:
        """The registers that are needed when the instruction has changed them."""
        if insn is None:
            return {}
        if insn.op in JUMPS:
            return dict(enumerate(self._registers()))
        if insn.op in LOADS or insn.op in STORES or insn.insn.fmt == "AMO":
            x = self.hart.x
            return {number: int(x[number]) & MASK for number in (insn.rs1, insn.rs2, SP)}
        return {}

    def run(self) -> Record:
        """Step to the end of the run."""
        record, hart = self.record, self.hart
        while not record.outcome:
            pc = int(hart.pc)
            if pc == self.back:
                record.outcome = "returned"
            elif pc not in self.code:
                record.outcome = "left"
            elif record.retired >= self.insns:
                record.outcome = "budget"
            else:
                self._step(pc)
                continue
            record.end_pc = pc
        return record

    def _decode(self, pc: int) -> tuple[Decoded, tuple[int, ...]] | None:
        """The instruction at ``pc`` and the registers that it uses."""
        if pc not in self.cache:
            word = self.hart.read_phys(pc, 4)
            insn = decode(int.from_bytes(word, "little")) if word else None
            self.cache[pc] = None if insn is None else (insn, _used(insn))
        return self.cache[pc]

    def _step(self, pc: int) -> None:
        record, hart = self.record, self.hart
        record.last_pc = pc
        record.visits[pc] += 1
        found = self._decode(pc)
        insn, used = found or (None, ())
        x = self._inputs(insn)
        if insn is not None and (
            self._breaks_contract(pc, insn, x) or self._uses_unknown(pc, used)
        ):
            return
        stop = hart.step(1)
        if int(hart.pc) == self.trap:
            record.outcome = "trap"
            record.end_pc = pc
            record.trap = Trap(hart.csr("mcause"), hart.csr("mepc"), hart.csr("mtval"))
            return
        record.retired += 1
        if insn is not None:
            self._note(pc, insn, x)
        if getattr(stop, "reason", "budget") in ("exit", "error", "idle"):
            record.outcome = "exit"
            record.end_pc = pc

    # -- before the instruction -------------------------------------------------------------------

    def _uses_unknown(self, pc: int, used: tuple[int, ...]) -> bool:
        for number in used:
            unknown = self.unknown[number]
            if unknown is not None:
                kind = "temps" if unknown.why == "call" else "defined"
                self._breach(Breach(kind, pc, number, other=unknown.pc, why=unknown.why))
                return True
        return False

    def _breaks_contract(self, pc: int, insn: Decoded, x: dict[int, int]) -> bool:
        if insn.op not in JUMPS:
            return False
        if _is_call(insn):
            if x[SP] % RET_ALIGN:
                self._breach(Breach("align", pc, SP, x[SP]))
                return True
            return False
        frame = self.frames[-1]
        if insn.op is Op.JAL:
            return False
        target = (x[insn.rs1] + insn.imm) & MASK & ~1
        if target != frame.back:
            if insn.rs1 == frame.link and insn.rd == 0:
                self._breach(Breach("returns", pc, insn.rs1, target, frame.back, frame.pc))
                return True
            return False
        for number, old in zip((SP, *SAVED), (frame.sp, *frame.saved), strict=True):
            if x[number] != old:
                kind = "sp" if number == SP else "saved"
                self._breach(Breach(kind, pc, number, x[number], old, frame.pc))
                return True
        return False

    def _breach(self, breach: Breach) -> None:
        self.record.breach = breach
        self.record.outcome = "breach"
        self.record.end_pc = breach.pc

    # -- after the instruction --------------------------------------------------------------------

    def _note(self, pc: int, insn: Decoded, x: dict[int, int]) -> None:
        op, rd = insn.op, insn.rd
        writes = "rd" in insn.insn.fields and op not in (Op.FENCE, Op.FENCE_I)
        if op in LOADS:
            self._load(pc, insn, x)
        elif op in STORES:
            self._store(pc, insn, x, STORES[op], x[insn.rs2], self.unknown[insn.rs2])
        elif insn.insn.fmt == "AMO":
            self._amo(pc, insn, x)
        elif writes:
            self.unknown[rd] = self.unknown[_copied(insn)] if _is_copy(insn) else None
        if writes:
            self.unknown[0] = None
            if rd:
                self.record.writer[rd] = pc
                if rd == SP:
                    now = int(self.hart.x[SP]) & MASK
                    self.record.lowest_sp = min(self.record.lowest_sp, now)
            elif _loses_result(insn):
                self.record.lost.append(pc)
        if op in JUMPS:
            self._jump(pc, insn, x)

    def _load(self, pc: int, insn: Decoded, x: dict[int, int]) -> None:
        width = LOADS[insn.op][0]
        address = (x[insn.rs1] + insn.imm) & MASK
        value = self._value(address, width)
        self.record.loads.append(self._access(pc, address, width, value, False, x[SP]))
        start = address - self.base
        known = start < 0 or all(self.memory[start : start + width])
        if known:
            self.unknown[insn.rd] = None
        else:
            self.unknown[insn.rd] = self.spilled.get(address, Unknown("memory", pc))

    def _store(
        self,
        pc: int,
        insn: Decoded,
        x: dict[int, int],
        width: int,
        value: int,
        unknown: Unknown | None,
    ) -> None:
        address = (x[insn.rs1] + insn.imm) & MASK
        value &= (1 << 8 * width) - 1
        self.record.stores.append(self._access(pc, address, width, value, True, x[SP]))
        start = address - self.base
        if 0 <= start < len(self.memory):
            size = min(width, len(self.memory) - start)
            self.memory[start : start + size] = bytes([unknown is None]) * size
        if unknown is None:
            self.spilled.pop(address, None)
        else:
            self.spilled[address] = unknown
        for near in range(address - 3, address + width):
            self.cache.pop(near, None)

    def _amo(self, pc: int, insn: Decoded, x: dict[int, int]) -> None:
        address = x[insn.rs1]
        after = self._value(address, 4)
        done = insn.op is not Op.SC_W or int(self.hart.x[insn.rd]) == 0
        if insn.op is not Op.SC_W:
            self.record.loads.append(self._access(pc, address, 4, 0, False, x[SP]))
        if done:
            self._store(pc, insn, x, 4, after, None)
        self.unknown[insn.rd] = None

    def _jump(self, pc: int, insn: Decoded, x: dict[int, int]) -> None:
        record, frame = self.record, self.frames[-1]
        target = int(self.hart.pc)
        if _is_call(insn):
            if target == pc + 4:
                return
            record.calls[target] += 1
            self.frames.append(Frame(pc, insn.rd, pc + 4, x[SP], tuple(x[r] for r in SAVED)))
            record.depth = max(record.depth, len(self.frames))
            for number in TEMPORARY:
                if number != insn.rd:
                    self.unknown[number] = Unknown("entry", pc)
        elif insn.op is Op.JALR and target == frame.back and len(self.frames) > 1:
            self.frames.pop()
            for number in LOST_BY_CALL:
                self.unknown[number] = Unknown("call", frame.pc)

    def _access(
        self, pc: int, address: int, width: int, value: int, store: bool, sp: int
    ) -> Access:
        return Access(pc, address, width, value, store, sp, self.frames[-1].sp)

    def _value(self, address: int, width: int) -> int:
        if address < self.base:
            return 0
        data = self.hart.read_phys(address, width)
        return int.from_bytes(data, "little") if data else 0


def _is_call(insn: Decoded) -> bool:
    return insn.op in JUMPS and insn.rd in LINKS


def _is_copy(insn: Decoded) -> bool:
    if insn.op is Op.ADDI:
        return insn.imm == 0
    return insn.op in (Op.ADD, Op.OR, Op.XOR) and 0 in (insn.rs1, insn.rs2)


def _copied(insn: Decoded) -> int:
    return insn.rs1 or insn.rs2


def _used(insn: Decoded) -> tuple[int, ...]:
    """Registers whose value the instruction computes with, tests or takes as an address.

    Copying a register (mv, a store's data) is no use: saving s0 must be possible before it has
    a value.  ``xor t0, t0, t0`` makes 0 of anything.
    """
    op, fields = insn.op, insn.insn.fields
    if op in (Op.FENCE, Op.FENCE_I) or _is_copy(insn):
        return ()
    if op in (Op.XOR, Op.SUB) and insn.rs1 == insn.rs2:
        return ()
    if op in STORES:
        return (insn.rs1,)
    return tuple(getattr(insn, name) for name in ("rs1", "rs2") if name in fields)


def _loses_result(insn: Decoded) -> bool:
    if insn.op is Op.ADDI and insn.rs1 == 0 and insn.imm == 0:
        return False
    return insn.insn.fmt in ("R", "I", "SHIFT", "U") and insn.op is not Op.JALR


def register_name(number: int) -> str:
    """The ABI name: a0 for 10."""
    return ABI_NAMES[number]
