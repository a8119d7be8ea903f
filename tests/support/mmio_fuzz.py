"""Any access of any width and alignment at any physical address, by a guest, bare and in a VM.

The guest takes entries from a table in its memory: an address of 34 bits, which it reaches through
one megapage with MPRV, an instruction and a value.  It notes the cause of the trap, if there was
one, and the result.  Checked: what the architecture says about holes and misaligned or atomic
accesses to devices, the same answers in both, and that nothing of ours raises an exception.
"""

from __future__ import annotations

import random
import struct
from functools import lru_cache

from assembler import Image, Source, assemble
from guestos import include_dirs
from toyvm import platform
from toyvm.devices.virtio_console import VirtioConsole
from toyvm.devices.virtio_rng import VirtioRng
from toyvm.hypervisor import Vm
from toyvm.machine import Computer, Machine
from toyvm.storage import MemoryDisk

OPERATIONS = ("lb", "lbu", "lh", "lhu", "lw", "sb", "sh", "sw", "lr.w", "sc.w", "amoadd.w", "jalr")
WIDTHS = (1, 1, 2, 2, 4, 1, 2, 4, 4, 4, 4, 0)
ATOMIC = (8, 9, 10)
STORES = (5, 6, 7, 9, 10)
FETCH = 11
ENTRY = struct.Struct("<6I")
"""Page table entry, offset in the megapage, operation, value; then cause and result."""
ENTRIES = 512
RAM = 1 << 20
SCRATCH = platform.RAM_BASE + (RAM >> 1)
NO_TRAP = 0xFFFF_FFFF
MEGA = 1 << 22

SOURCE = """
    .include "csr.inc"
    .include "abi.inc"
    .equ ENTRY_BYTES, 24
    .equ WINDOW, 0x00400000         # the second megapage
    .equ OUTCOME, 16
    .globl _start
    .globl table
_start:
    csrw mie, zero
    la   t0, trap
    csrw mtvec, t0
    li   t0, -1
    csrw pmpaddr15, t0
    li   t0, (PMP_NAPOT | PMP_R | PMP_W | PMP_X) << 24
    csrw pmpcfg3, t0
    la   s1, root
    srli t0, s1, PAGE_SHIFT
    li   t1, 1 << 31
    or   t0, t0, t1
    csrw satp, t0
    la   s0, table
    la   s2, table_end
    li   s3, MSTATUS_MPRV | MSTATUS_MPP_S
next:
    bgeu s0, s2, over
    lw   t0, 0(s0)
    sw   t0, 4(s1)
    sfence.vma
    lw   a0, 4(s0)
    li   t0, WINDOW
    add  a0, a0, t0
    lw   t1, 8(s0)
    lw   a1, 12(s0)
    li   a2, 0
    li   a3, -1
    li   t0, MSTATUS_MPP
    csrc mstatus, t0
    la   t2, operations
    slli t1, t1, 4
    add  t2, t2, t1
    csrs mstatus, s3
    jr   t2
    .align 4
operations:
    .macro operation text:vararg
    .align 4
    \\text
    j    done
    .endm
    operation lb   a2, 0(a0)
    operation lbu  a2, 0(a0)
    operation lh   a2, 0(a0)
    operation lhu  a2, 0(a0)
    operation lw   a2, 0(a0)
    operation sb   a1, 0(a0)
    operation sh   a1, 0(a0)
    operation sw   a1, 0(a0)
    operation lr.w a2, (a0)
    operation sc.w a2, a1, (a0)
    operation amoadd.w a2, a1, (a0)
    operation jalr ra, 0(a1)
    .align 4
trap:
    csrr a3, mcause
    la   t0, done
    csrw mepc, t0
    mret
    .align 4
done:
    li   t0, MSTATUS_MPRV
    csrc mstatus, t0
    sw   a3, OUTCOME(s0)
    sw   a2, OUTCOME+WORD(s0)
    addi s0, s0, ENTRY_BYTES
    j    next
over:
    la   t0, tohost
    li   t1, 1
    sw   t1, 0(t0)
1:  j    1b
    .bss
    .align PAGE_SHIFT
root:
    .space PAGE_SIZE
table:
    .space {count} * ENTRY_BYTES
table_end:
    .align 3
    .globl tohost
tohost:
    .space 8
"""


@lru_cache
def image() -> Image:
    text = SOURCE.replace("{count}", str(ENTRIES))
    return assemble(Source("mmio_fuzz.s", text), include_dirs=include_dirs())


#: Where something is, or nearly: bases of devices and of their register groups.
PLACES = (
    *(platform.FINISHER_BASE, platform.RTC_BASE, platform.CLINT_BASE, platform.CLINT_BASE + 0x4000),
    *(platform.CLINT_BASE + 0xBFF0, platform.PLIC_BASE, platform.PLIC_BASE + 0x1000),
    *(platform.PLIC_BASE + 0x2000, platform.PLIC_BASE + 0x20_0000, platform.UART0_BASE),
    *(platform.virtio_base(n) for n in range(9)),
    *(platform.virtio_base(n) + 0x100 for n in range(5)),
    *(SCRATCH, platform.RAM_BASE + RAM, 0, 1 << 32, (1 << 32) - 8, (1 << 34) - 8),
)
WINDOWS = (
    (platform.FINISHER_BASE, platform.FINISHER_SIZE),
    (platform.RTC_BASE, platform.RTC_SIZE),
    (platform.CLINT_BASE, platform.CLINT_SIZE),
    (platform.PLIC_BASE, platform.PLIC_SIZE),
    (platform.UART0_BASE, platform.UART0_SIZE),
    (platform.VIRTIO_BASE, platform.VIRTIO_SIZE * platform.VIRTIO_SLOTS),
)
ENDINGS = (platform.FINISHER_PASS, platform.FINISHER_FAIL, platform.FINISHER_RESET)


def entries(rng: random.Random) -> list[tuple[int, int, int]]:
    """(physical address, operation, value) of a table."""
    found = []
    while len(found) < ENTRIES:
        operation = rng.randrange(len(OPERATIONS))
        pa = rng.choice(PLACES) + rng.randrange(0x120)
        if rng.random() < 0.3:
            pa = rng.getrandbits(rng.choice((20, 28, 32, 34)))
        if rng.random() < 0.5:
            pa &= -max(1, WIDTHS[operation])
        pa &= (1 << 34) - 1
        value = rng.choice((rng.getrandbits(32), rng.randrange(20), rng.getrandbits(8)))
        if platform.RAM_BASE <= pa < SCRATCH:
            continue  # the guest itself
        if pa < platform.FINISHER_BASE + 4 and pa + 4 > platform.FINISHER_BASE:
            if value & 0xFFFF in ENDINGS:
                continue
        if operation == FETCH and (platform.RAM_BASE <= pa < platform.RAM_BASE + RAM):
            continue  # it would run what it finds there
        if operation == FETCH and pa >> 32:
            continue  # only M-mode fetches, with 32 bits
        if pa % MEGA > MEGA - 4:
            continue  # over the end of the only mapped page
        found.append((pa, operation, value))
    return found


def table(chosen: list[tuple[int, int, int]]) -> bytes:
    parts = []
    for pa, operation, value in chosen:
        # Valid, readable, writable, accessed, dirty; the page number of a megapage.
        pte = (pa >> 22) << 20 | 0xC7
        parts.append(
            ENTRY.pack(pte, pa % MEGA, operation, pa if operation == FETCH else value, 0, 0)
        )
    return b"".join(parts)


def judge(pa: int, operation: int, cause: int) -> None:
    """What the architecture says of an outcome, where it says something."""
    width = WIDTHS[operation]
    fault = 7 if operation in STORES else 5
    what = f"{OPERATIONS[operation]} at {pa:#x}: cause {cause:#x}"
    if operation == FETCH:
        assert cause == (0 if pa & 2 else 1), what  # jalr clears bit 0
        return
    if operation in ATOMIC and pa & 3:
        # Before anything else: misaligned atomics (load for LR, store for SC and AMOs).
        assert cause == (6 if operation in STORES else 4), what
        return
    inside = any(base <= pa and pa + width <= base + size for base, size in WINDOWS)
    ram = pa >= platform.RAM_BASE and pa + width <= platform.RAM_BASE + RAM
    if ram:
        assert cause == NO_TRAP, what
    elif not inside or pa % width or operation in ATOMIC:
        assert cause == fault, what
    else:
        assert cause in (NO_TRAP, fault), what


class MmioFuzz:
    """A bare machine and a VM with every device; `round` plays one table on both."""

    def __init__(self, virtio: str = "legacy") -> None:
        self.computers: list[Computer] = []
        for kind in (Machine, Vm):
            more = {
                "drives": [MemoryDisk(1 << 15)],
                "nets": [Echo()],
                "devices": [VirtioConsole(lambda data: None), VirtioRng()],
            }
            self.computers.append(kind(ram=RAM, bios="none", virtio=virtio, **more))

    def round(self, seed: int) -> int:
        """One table; the number of accesses."""
        chosen = entries(random.Random(seed))
        content = table(chosen)
        answers = []
        for computer in self.computers:
            computer.load(image())
            at = image().symbols["table"]
            computer.write_phys(at, content)
            computer.feed(b"some input")
            stop = computer.run(200_000)
            assert computer.errors == 0, computer.report
            after = computer.read_phys(at, len(content))
            assert after is not None
            answers.append((stop, computer.steps, after))
        assert answers[0][0] == answers[1][0], answers
        assert answers[0][1:] == answers[1][1:], self._first_difference(chosen, answers)
        stop, _, after = answers[0]
        # A device's DMA may have hit the guest itself: then it need not end well.
        if (stop.reason, stop.detail) == ("exit", "tohost"):
            for n, (pa, operation, _) in enumerate(chosen):
                judge(pa, operation, ENTRY.unpack_from(after, n * ENTRY.size)[4])
        return len(chosen)

    @staticmethod
    def _first_difference(chosen: list[tuple[int, int, int]], answers: list) -> str:
        for n, (pa, operation, value) in enumerate(chosen):
            bare, virtual = (ENTRY.unpack_from(a[2], n * ENTRY.size)[4:] for a in answers)
            if bare != virtual:
                what = f"{OPERATIONS[operation]} at {pa:#x}, value {value:#x}"
                return f"entry {n}, {what}: bare {bare}, in a VM {virtual}"
        return f"steps: {[answer[1] for answer in answers]}"


class Echo:
    """A network that gives every frame back."""

    on_frame = None

    def send(self, frame: bytes) -> None:
        if self.on_frame is not None:
            self.on_frame(frame)
