"""Historical bugs of harts and hypervisors, switched in for `prove` and `compare` only.

The real kernels know nothing of this.  `hart_step` and `guest_step` stand around them: where a bug
concerns the instruction at hand they do the wrong thing to the record themselves, or spoil what
the real kernel has done; everything else is the real kernel's.  So there is no cost for anybody
who does not ask for a bug, and no second copy of the hypervisor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from toyvm.hart import csrfile, events, execute, mmu, trap
from toyvm.hart import state as s
from toyvm.hypervisor import vcpu
from toyvm.isa import csr
from toyvm.jit import address_of, entry_kernel, kernel, load32

HART, HYPERVISOR = "hart", "hypervisor"

# Numbers of the bugs; those of harts come first.
NONE: Final = 0
SFENCE_U: Final = 1
WFI_NOP: Final = 2
COUNTERS: Final = 3
POPF: Final = 4
SMSW: Final = 5
SRET_U: Final = 6
CSR_IGNORED: Final = 7
CSR_VALUE: Final = 8
X0_WRITTEN: Final = 9
NO_CHECK: Final = 10
SRET_VU: Final = 11
MRET_VS: Final = 12
SPP_SET: Final = 13
SPIE_LOST: Final = 14
HANDLER_PLUS_4: Final = 15
STVEC_MODE: Final = 16
VECTORED: Final = 17
SIP_ALL: Final = 18
ECALL_CAUSE: Final = 19
EBREAK_EATEN: Final = 20
SRET_PLUS_4: Final = 21
MPP_TWO: Final = 22

_HOST_COUNTS: Final = 1_000_003
"""What the host's counters are ahead of the guest's: it has run other things as well."""
_SFENCE_MASK: Final = 0xFE00_7FFF
_SFENCE: Final = 0x1200_0073


@dataclass(frozen=True)
class Bug:
    """One bug: where it sits, what it does, who had it, and which condition it breaks."""

    name: str
    number: int
    where: str
    what: str
    origin: str
    breaks: str


_THEOREM = "theorem: a sensitive instruction that does not trap cannot be virtualised"
_CONTROL = "resource control: the guest acts on the machine and the hypervisor never hears of it"
_EQUAL = "equivalence: the guest sees another result than on the bare machine"

BUGS: Final = (
    Bug(
        "sfence-u", SFENCE_U, HART, "sfence.vma does nothing in U-mode, and does not trap",
        "QEMU before it checked the mode", f"{_THEOREM}; a guest kernel's fence is lost",
    ),
    Bug(
        "wfi-nop", WFI_NOP, HART, "wfi is a NOP in U-mode, and does not trap",
        "allowed by the manual where it ends within a bounded time",
        f"{_THEOREM}; a guest that waits keeps the hart",
    ),
    Bug(
        "counters", COUNTERS, HART, "cycle, time and instret can be read in U-mode",
        "harts that are started with mcounteren and scounteren set",
        f"{_THEOREM}; the guest reads the host's time",
    ),
    Bug(
        "popf", POPF, HART, "a write of sstatus in U-mode is ignored, and does not trap",
        "POPF on x86, which ignores the interrupt flag", _THEOREM,
    ),
    Bug(
        "smsw", SMSW, HART, "sstatus can be read in U-mode",
        "SMSW on x86, which shows the real machine's status word", _THEOREM,
    ),
    Bug(
        "sret-u", SRET_U, HART, "sret works in U-mode: it changes mode, status and pc",
        "harts that check the mode of CSR accesses only", _CONTROL,
    ),
    Bug(
        "csr-ignored", CSR_IGNORED, HYPERVISOR, "an access to a CSR that does not exist is skipped",
        "RVirt", _EQUAL,
    ),
    Bug(
        "csr-value", CSR_VALUE, HYPERVISOR,
        "csrrs and csrrc write if the value is not 0, instead of if the register is not x0",
        "RVirt and hypocaust", _EQUAL,
    ),
    Bug(
        "x0-written", X0_WRITTEN, HYPERVISOR, "a CSR read into x0 leaves the value there",
        "hypocaust", _EQUAL,
    ),
    Bug(
        "no-check", NO_CHECK, HYPERVISOR,
        "CSR accesses of virtual U-mode are emulated as if they came from virtual S-mode",
        "hypervisors that emulate before they check", f"{_EQUAL}; a process owns its kernel",
    ),
    Bug(
        "sret-vu", SRET_VU, HYPERVISOR, "sret of virtual U-mode is emulated, not reflected",
        "hypervisors that emulate before they check", f"{_EQUAL}; a process owns its kernel",
    ),
    Bug(
        "mret-vs", MRET_VS, HYPERVISOR, "mret of virtual S-mode is emulated, not reflected",
        "hypervisors that emulate before they check", f"{_EQUAL}; a kernel owns its firmware",
    ),
    Bug(
        "spp-set", SPP_SET, HYPERVISOR, "every reflected trap says that it came from S-mode",
        "hypocaust", f"{_EQUAL}; sret returns to the process as the kernel",
    ),
    Bug(
        "spie-lost", SPIE_LOST, HYPERVISOR, "a reflected exception does not save SIE in SPIE",
        "hypocaust", f"{_EQUAL}; interrupts stay off after the handler",
    ),
    Bug(
        "handler-plus-4", HANDLER_PLUS_4, HYPERVISOR,
        "after an illegal instruction is reflected, its length is added to the handler's pc",
        "hypocaust", _EQUAL,
    ),
    Bug(
        "stvec-mode", STVEC_MODE, HYPERVISOR, "stvec keeps the reserved bit of MODE",
        "the opposite of what RVirt takes care of", _EQUAL,
    ),
    Bug(
        "vectored", VECTORED, HYPERVISOR, "exceptions are vectored as interrupts are",
        "a reading of stvec in which MODE counts for all traps", _EQUAL,
    ),
    Bug(
        "sip-all", SIP_ALL, HYPERVISOR, "every delegated bit of sip can be written",
        "hypervisors that treat sip as memory", _EQUAL,
    ),
    Bug(
        "ecall-cause", ECALL_CAUSE, HYPERVISOR,
        "ecall of virtual S- and M-mode is reflected with cause 8: the real mode was U",
        "hypervisors that pass on the hart's cause", _EQUAL,
    ),
    Bug(
        "ebreak-eaten", EBREAK_EATEN, HYPERVISOR, "ebreak is taken for the debugger's and skipped",
        "hypervisors with a debugger", _EQUAL,
    ),
    Bug(
        "sret-plus-4", SRET_PLUS_4, HYPERVISOR, "4 is added to the pc after an emulated sret",
        "emulators that end every instruction alike", _EQUAL,
    ),
    Bug(
        "mpp-two", MPP_TWO, HYPERVISOR, "mstatus.MPP can be set to the mode that does not exist",
        "hypervisors that keep mstatus as memory", _EQUAL,
    ),
)  # fmt: skip
BY_NAME: Final = {bug.name: bug for bug in BUGS}


@kernel
def _skip(p):
    """Retire the instruction without any effect."""
    p[s.PC] = (p[s.PC] + 4) & s.MASK32
    p[s.STEPS] += 1
    return np.int64(events.EXIT_BUDGET)


@kernel
def _is_counter(number):
    """cycle, time, instret or one of their upper halves."""
    return number & 0xF7F < csr.HPMCOUNTER3 and number & 0xF7F >= csr.CYCLE


@kernel
def _reads(word):
    """A CSR instruction that writes nothing."""
    return (word >> 12) & 3 >= 2 and (word >> 15) & 31 == 0


@kernel
def _put(x, rd, value):
    if rd != 0:
        x[np.uint64(rd)] = np.uint32(value & s.MASK32)


@kernel
def _hart_bug(p, host, x, word, bug):
    """Does the hart's bug concern this word in U-mode?  Then it is done: an EXIT_ code, else -1.

    `p` is the record that moves on, `host` that of the real hart.
    """
    if word & 0x7F != 0x73:
        return np.int64(-1)
    number = (word >> 20) & 0xFFF
    rd = (word >> 7) & 31
    is_csr = (word >> 12) & 3 != 0
    if bug == SFENCE_U and word & _SFENCE_MASK == _SFENCE:
        return _skip(p)
    if bug == WFI_NOP and word == trap.WORD_WFI:
        return _skip(p)
    if bug == COUNTERS and is_csr and _reads(word) and _is_counter(number):
        _put(x, rd, csrfile.csr_read(host, number) + _HOST_COUNTS)
        return _skip(p)
    if bug == POPF and is_csr and number == csr.SSTATUS and rd == 0 and not _reads(word):
        return _skip(p)
    if bug == SMSW and is_csr and number == csr.SSTATUS and _reads(word):
        _put(x, rd, csrfile.csr_read(host, number))
        return _skip(p)
    if bug == SRET_U and word == trap.WORD_SRET:
        p[s.STEPS] += 1
        trap.sret(p)
        return np.int64(events.EXIT_BUDGET)
    return np.int64(-1)


@kernel
def hart_step(core, end, word, bug):
    """`execute` for one step on a hart with this bug (0: none)."""
    if bug != NONE and core.p[s.MODE] == s.MODE_U:
        code = _hart_bug(core.p, core.p, core.x, word, bug)
        if code >= 0:
            return code
    return execute.execute(address_of(core.table), end)


@kernel
def _wrong_csr(v, x, word, bug):
    """A CSR instruction that the hypervisor gets wrong; an EXIT_ code or -1."""
    number = (word >> 20) & 0xFFF
    source = (word >> 15) & 31
    rd = (word >> 7) & 31
    kind = (word >> 12) & 3
    immediate = (word >> 14) & 1
    operand = source
    if immediate == 0:
        operand = np.int64(x[np.uint64(source)])
    writes = kind == 1 or source != 0
    readable = csrfile.csr_legal(v, number, source > 31)
    legal = csrfile.csr_legal(v, number, writes)
    if bug == CSR_IGNORED and not readable:
        mode = v[s.MODE]
        v[s.MODE] = s.MODE_M
        exists = csrfile.csr_legal(v, number, source > 31)
        v[s.MODE] = mode
        if not exists:
            return _skip(v)
    if bug == CSR_VALUE and kind != 1 and source != 0 and operand == 0 and readable:
        _put(x, rd, csrfile.csr_read(v, number))
        return _skip(v)
    if bug == X0_WRITTEN and rd == 0 and legal:
        old = csrfile.csr_read(v, number)
        effects = trap.system(v, x, word)
        x[np.uint64(0)] = np.uint32(old)
        if effects & s.EFFECT_TRAP == 0:
            return np.int64(events.EXIT_BUDGET)
    if bug == NO_CHECK and v[s.MODE] == s.MODE_U:
        v[s.MODE] = s.MODE_S
        effects = trap.system(v, x, word)
        if effects & s.EFFECT_TRAP == 0:
            v[s.MODE] = s.MODE_U
            return np.int64(events.EXIT_BUDGET)
        v[s.MODE] = s.MODE_U
    sets = kind == 1 and legal
    if sets and bug == STVEC_MODE and number == csr.STVEC:
        _put(x, rd, v[s.STVEC])
        v[s.STVEC] = operand
        return _skip(v)
    if sets and bug == SIP_ALL and number == csr.SIP:
        _put(x, rd, csrfile.csr_read(v, number))
        v[s.MIP] = (v[s.MIP] & ~v[s.MIDELEG]) | (operand & v[s.MIDELEG])
        return _skip(v)
    if sets and bug == MPP_TWO and number == csr.MSTATUS:
        old = v[s.MSTATUS]
        csrfile.csr_write(v, number, operand)
        v[s.MSTATUS] = (v[s.MSTATUS] & ~csr.MSTATUS_MPP) | (operand & csr.MSTATUS_MPP)
        _put(x, rd, old)
        return _skip(v)
    return np.int64(-1)


@kernel
def _wrong_system(v, x, word, bug):
    """A SYSTEM instruction that the hypervisor gets wrong; an EXIT_ code or -1."""
    if (word >> 12) & 3 != 0:
        return _wrong_csr(v, x, word, bug)
    if bug == EBREAK_EATEN and word == trap.WORD_EBREAK:
        return _skip(v)
    if word == trap.WORD_SRET:
        if bug == SRET_VU and v[s.MODE] == s.MODE_U:
            v[s.STEPS] += 1
            trap.sret(v)
            return np.int64(events.EXIT_BUDGET)
        if bug == SRET_PLUS_4 and v[s.MODE] != s.MODE_U:
            v[s.STEPS] += 1
            trap.sret(v)
            v[s.PC] = (v[s.PC] + 4) & s.MASK32
            return np.int64(events.EXIT_BUDGET)
    if word == trap.WORD_MRET and bug == MRET_VS and v[s.MODE] == s.MODE_S:
        v[s.STEPS] += 1
        trap.mret(v)
        return np.int64(events.EXIT_BUDGET)
    return np.int64(-1)


@kernel
def _spoil(v, bug):
    """What the hypervisor has just reflected to virtual S- or M-mode, done wrongly."""
    supervisor = v[s.MODE] == s.MODE_S
    cause = v[s.SCAUSE] if supervisor else v[s.MCAUSE]
    if cause & trap.INTERRUPT:
        return
    if bug == SPP_SET and supervisor:
        v[s.MSTATUS] |= csr.MSTATUS_SPP
    if bug == SPIE_LOST and supervisor:
        v[s.MSTATUS] &= ~np.int64(csr.MSTATUS_SPIE)
    if bug == HANDLER_PLUS_4 and cause == trap.CAUSE_ILLEGAL:
        v[s.PC] = (v[s.PC] + 4) & s.MASK32
    if bug == ECALL_CAUSE and 8 <= cause <= 11:
        if supervisor:
            v[s.SCAUSE] = 8
        else:
            v[s.MCAUSE] = 8
    vector = v[s.STVEC] if supervisor else v[s.MTVEC]
    if bug == VECTORED and vector & 1:
        v[s.PC] = (v[s.PC] + 4 * cause) & s.MASK32


@kernel
def guest_step(h, g, c, end, word, bug):
    """`vcpu.run` for one step, by a hypervisor (or on a hart) with this bug; an EXIT_ code.

    `word` is the instruction at the vCPU's pc, 0 if there is none.
    """
    if bug == NONE:
        return vcpu.run(address_of(h.table), address_of(g.table), c, end)
    v = g.p
    if csrfile.pending_interrupt(v) < 0 and word & 0x7F == 0x73:
        # The real mode of whatever the guest does is U.
        code = _hart_bug(v, h.p, h.x, word, bug)
        if code < 0:
            code = _wrong_system(v, h.x, word, bug)
        if code >= 0:
            return code
    traps = v[s.NOT_RETIRED]
    code = vcpu.run(address_of(h.table), address_of(g.table), c, end)
    if v[s.NOT_RETIRED] == traps + 1:
        _spoil(v, bug)
    return code


@entry_kernel
def run(h, g, c, end, bug):
    """`vcpu.run` by a hypervisor with this bug, step by step."""
    v = g.p
    while v[s.STEPS] < end:
        before = v[s.STEPS]
        fetch = np.int64(mmu.FETCH)
        pa = mmu.translate(v, g.fmap, h.dec, h.slots, h.ram, v[s.PC], fetch, v[s.MODE])
        word = np.int64(0)
        if pa >= 0:
            offset = mmu.frame_offset(g.fmap, pa)
            if offset >= 0 and v[s.PC] & 3 == 0:
                word = load32(h.ram, offset)
        code = guest_step(h, g, c, before + 1, word, bug)
        if code != events.EXIT_BUDGET or v[s.STEPS] == before:
            return code
    return np.int64(events.EXIT_BUDGET)
