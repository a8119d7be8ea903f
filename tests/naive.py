"""The slow reference hart: RV32IMA with M, S and U modes, one step at a time.

It is written from the RISC-V manuals (unprivileged ISA 20191213, privileged
architecture 20211203) and shares nothing with the project's own hart, so that
it can judge it.  Clear first; it makes some 100,000 steps a second.

A *step* is one retired instruction or one trap (exception or interrupt)
delivered.  The clock counts steps, and the steps that ``wfi`` slept: ``mtime``
is one tick per ten of them.

>>> hart = NaiveHart(4096)
>>> hart.load_program(bytes.fromhex("13052000"))  # addi a0, x0, 2
>>> hart.step()
>>> hart.x[10], hart.pc == 0x8000_0004, hart.steps
(2, True, 1)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.naive_csrs import (
    MASK64,
    MIE,
    MPIE,
    MPP,
    MPRV,
    MTI,
    NAMES,
    SIE,
    SPIE,
    SPP,
    STCE,
    STI,
    CsrFile,
)
from tests.support.naive_instructions import ILLEGAL_INSTRUCTION, decode
from tests.support.naive_memory import MASK32, M, MemorySystem, Mmio, S, Trap, U

STEPS_PER_TICK = 10
NEVER = MASK64  # a deadline that does not come

# "Multiple simultaneous interrupts destined for M-mode are handled in the
# following decreasing priority order: MEI, MSI, MTI, SEI, SSI, STI" (3.1.9).
INTERRUPT_PRIORITY = (11, 3, 7, 9, 1, 5)

INTERRUPT = 1 << 31  # in xcause

# State that is compared by CSR name. 64-bit counters are one number each.
COMPARED_CSRS = (
    *("mstatus", "mstatush", "misa", "medeleg", "mideleg", "mie", "mip", "mtvec", "mscratch"),
    *("mepc", "mcause", "mtval", "mcounteren", "mcountinhibit", "menvcfg", "menvcfgh"),
    *("stvec", "sscratch", "sepc", "scause", "stval", "scounteren", "senvcfg", "satp"),
    *(f"pmpcfg{i}" for i in range(4)),
    *(f"pmpaddr{i}" for i in range(16)),
)


class NaiveHart(CsrFile, MemorySystem):
    """One hart with its RAM.

    ``ram_size`` bytes of RAM from ``ram_base``; ``pmp`` entries (0 or 16);
    ``mmio`` answers physical addresses outside RAM; its ``attach(hart)`` is
    called if it has one.  ``sstc``: there is a stimecmp register.  ``ad_fault``:
    an access that needs A or D set in a page table faults.  ``sbi(hart)``, if
    given, serves every ecall from S-mode (one step, no trap, nothing retires)
    and the hart starts as firmware leaves it: in S-mode, with every trap
    delegated but the ecall.

    ``last_cause`` is None after a retired instruction, else the xcause value
    delivered by the last step.  ``stores`` holds the (va, width, value) of the
    last step's stores and ``csr_writes`` the CSR numbers it wrote.
    """

    def __init__(
        self,
        ram_size: int,
        ram_base: int = 0x8000_0000,
        pmp: int = 16,
        mmio: Mmio | None = None,
        sbi: Callable[[NaiveHart], None] | None = None,
        hart_id: int = 0,
        sstc: bool = False,
        ad_fault: bool = False,
    ) -> None:
        self.hart_id = hart_id
        self.sstc = sstc
        self.ad_fault = ad_fault
        self.ram = bytearray(ram_size)
        self.ram_base = ram_base
        self.mmio = mmio
        self.sbi = sbi
        self.x = [0] * 32
        self.pc = ram_base
        self.mode = M
        self.steps = 0
        self.idle_steps = 0
        self.time_offset = 0  # ticks, from writes to mtime
        self.mtimecmp = NEVER
        # The deadline SBI set_timer keeps for S-mode; a register with Sstc.
        self.stimecmp = 0 if sstc and sbi is None else NEVER
        self.reservation: int | None = None
        self.stores: list[tuple[int, int, int]] = []
        self.csr_writes: list[int] = []
        self.pieces: list[tuple[int, int]] = []
        self.next_pc = 0
        self.retires = True
        self.inhibited = 0
        self.waits = False
        self.stuck = False  # in a wfi that nothing can end
        self.last_pc = 0
        self.last_mode = M
        self.last_word: int | None = None
        self.last_cause: int | None = None
        self.last_tval = 0
        self.reset_csrs(pmp)
        if sbi is not None:
            self.mode = S
            self.medeleg, self.mideleg, self.mcounteren = 0xB1FF, 0x222, 7
            self.menvcfgh = STCE if sstc else 0
            if pmp:
                self.write_csr(NAMES["pmpaddr0"], MASK32)
                self.write_csr(NAMES["pmpcfg0"], 0x1F)
        attach = getattr(mmio, "attach", None)
        if attach is not None:
            attach(self)

    # ---- small helpers -----------------------------------------------------------

    @property
    def instret(self) -> int:
        """The minstret counter (it moves with guest writes, as the CSR does)."""
        return self.minstret

    @property
    def mtime(self) -> int:
        """Guest time in ticks."""
        clock = self.steps + self.idle_steps
        return (clock // STEPS_PER_TICK + self.time_offset) & MASK64

    def set_mtime(self, ticks: int) -> None:
        """A write to the CLINT's mtime."""
        self.time_offset += ticks - self.mtime

    def set_x(self, register: int, value: int) -> None:
        """Write a register; x0 stays zero."""
        if register:
            self.x[register] = value & MASK32

    def set_line(self, bit: int, level: bool) -> None:
        """Level of an interrupt line: 3 msip, 7 mtip, 9 seip, 11 meip."""
        if level:
            self.lines |= 1 << bit
        else:
            self.lines &= ~(1 << bit)

    def load_program(self, data: bytes, pa: int | None = None) -> None:
        """Copy ``data`` to RAM, at its start or at ``pa``."""
        at = 0 if pa is None else pa - self.ram_base
        if at < 0 or at + len(data) > len(self.ram):
            raise ValueError(f"{len(data)} bytes do not fit in RAM at offset {at:#x}")
        self.ram[at : at + len(data)] = data

    def csr(self, name: str) -> int:
        """Value of the CSR called ``name``, without privilege."""
        return self.read_csr(NAMES[name])

    # ---- one step ----------------------------------------------------------------

    def step(self, late: int = 0) -> None:
        """One retired instruction, or one trap or interrupt delivered.

        The interrupts in the bit mask ``late`` are not taken in this step: a
        comparison uses it where the other side is allowed to be late.
        """
        self.stores.clear()
        self.csr_writes.clear()
        self.waits = False
        self.retires = False
        self.last_pc = pc = self.pc
        self.last_mode = self.mode
        self.inhibited = self.mcountinhibit
        self.last_word = None
        self.last_cause = None
        cause = self.interrupt_to_take(late)
        if cause is not None:
            self.take_trap(INTERRUPT | cause, 0)
        else:
            try:
                self.last_word = word = self.fetch(pc)
                action = decode(word)
                if action is None:
                    raise Trap(ILLEGAL_INSTRUCTION, word)
                self.next_pc = (pc + 4) & MASK32
                self.retires = True
                action(self)
                self.pc = self.next_pc
            except Trap as trap:
                self.retires = False
                self.take_trap(trap.cause, trap.tval)
        self.count()

    def run(self, steps: int) -> None:
        """Make ``steps`` steps; stops early in a wfi that nothing can end."""
        for _ in range(steps):
            self.step()
            if self.stuck:
                break

    def count(self) -> None:
        """The clock and the counters at the end of a step.

        A counter write "takes effect ... and the written value is what the
        next instruction reads": the writing instruction adds nothing.
        What mcountinhibit held before the instruction decides whether it counts.
        """
        self.steps += 1
        if not self.mcycle_written and not self.inhibited & 1:
            self.mcycle = (self.mcycle + 1) & MASK64
        if self.retires and not self.minstret_written and not self.inhibited & 4:
            self.minstret = (self.minstret + 1) & MASK64
        self.mcycle_written = self.minstret_written = False
        if self.waits:
            self.idle()

    def idle(self) -> None:
        """After a wfi: sleep to the next deadline unless something is pending.

        The clock then stands at the first step of the deadline's tick.
        An interrupt that is pending and locally enabled ends the wait whatever
        the global enables and the delegation say (3.3.3).
        """
        if self.mip() & self.mie:
            return
        deadlines = []
        if self.mie & MTI and self.mtimecmp != NEVER:
            deadlines.append(self.mtimecmp)
        if self.mie & STI and self.stimecmp != NEVER and self.stimer_on():
            deadlines.append(self.stimecmp)
        if deadlines:
            ticks = min(deadlines) - self.mtime
            phase = (self.steps + self.idle_steps) % STEPS_PER_TICK
            self.idle_steps += ticks * STEPS_PER_TICK - phase
        else:
            self.stuck = True

    # ---- traps (privileged manual, 3.1.6 to 3.1.9) -----------------------------------

    def interrupt_to_take(self, late: int = 0) -> int | None:
        """Number of the interrupt to take before the next instruction."""
        pending = self.mip() & self.mie & ~late
        if not pending:
            return None
        for_m = pending & ~self.mideleg
        if for_m and (self.mode != M or self.mstatus & MIE):
            return self.first(for_m)
        for_s = pending & self.mideleg
        if for_s and (self.mode == U or (self.mode == S and self.mstatus & SIE)):
            return self.first(for_s)
        return None

    @staticmethod
    def first(pending: int) -> int:
        """The one of highest priority."""
        return next(i for i in INTERRUPT_PRIORITY if pending >> i & 1)

    def take_trap(self, cause: int, tval: int) -> None:
        """Deliver a trap to M-mode or, if delegated and not from M, to S-mode."""
        self.last_cause, self.last_tval = cause, tval
        self.reservation = None
        number = cause & ~INTERRUPT
        delegated = self.mideleg if cause & INTERRUPT else self.medeleg
        if self.mode != M and delegated >> number & 1:
            self.scause, self.sepc, self.stval = cause, self.pc & ~3, tval
            status = self.mstatus & ~(SPIE | SIE | SPP)
            if self.mstatus & SIE:
                status |= SPIE
            if self.mode == S:
                status |= SPP
            self.mode, vector = S, self.stvec
        else:
            self.mcause, self.mepc, self.mtval = cause, self.pc & ~3, tval
            status = self.mstatus & ~(MPIE | MIE | MPP)
            if self.mstatus & MIE:
                status |= MPIE
            status |= self.mode << 11
            self.mode, vector = M, self.mtvec
        self.mstatus = status
        self.pc = vector & ~3
        if vector & 1 and cause & INTERRUPT:
            self.pc = (self.pc + 4 * number) & MASK32

    def return_from_m(self) -> None:
        """MRET: "then xPP is set to U ... If xPP != M, xRET also sets MPRV=0"."""
        to = (self.mstatus >> 11) & 3
        status = self.mstatus & ~(MIE | MPP)
        if self.mstatus & MPIE:
            status |= MIE
        status |= MPIE
        if to != M:
            status &= ~MPRV
        self.mstatus, self.mode, self.next_pc = status, to, self.mepc

    def return_from_s(self) -> None:
        """SRET: always to S or U, so MPRV ends."""
        to = S if self.mstatus & SPP else U
        status = self.mstatus & ~(SIE | SPP | MPRV)
        if self.mstatus & SPIE:
            status |= SIE
        self.mstatus, self.mode, self.next_pc = status | SPIE, to, self.sepc

    # ---- comparison -----------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything architectural but RAM and the reservation."""
        state: dict[str, Any] = {"pc": self.pc, "mode": self.mode}
        for i in range(1, 32):
            state[f"x{i}"] = self.x[i]
        for name in COMPARED_CSRS:
            state[name] = self.csr(name)
        state["mcycle"] = self.mcycle
        state["minstret"] = self.minstret
        state["steps"] = self.steps
        state["mtime"] = self.mtime
        return state
