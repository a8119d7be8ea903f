"""How a machine ends, or does not: finisher, tohost, nowhere, trap loops, Ctrl-C, floods."""

from __future__ import annotations

import random
import signal
import threading

import pytest

from guestos import build, manifest
from tests.hypervisor.guests import BASE, RAM, guest
from tests.hypervisor.twin import Twin, whole
from toyvm.hypervisor import Vm
from toyvm.machine import Computer, Console, Machine, Stop
from toyvm.machine.computer import TRAP_LOOP
from toyvm.ui.pace import Interrupt

KINDS = pytest.mark.parametrize("kind", [Machine, Vm])
SKIP = ".align 2\nskip: csrr s10, mepc\n addi s10, s10, 4\n csrw mepc, s10\n mret\n"


def loaded(kind: type, source: str, ram: int = RAM) -> Computer:
    computer = kind(ram=ram, bios="none")
    computer.load(guest(source))
    return computer


# ---- finisher and tohost -------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize(
    ("value", "code", "detail"),
    [
        (0x5555, 0, "finisher"),
        (0x3333 | 7 << 16, 7, "finisher"),
        (0x3333 | 0xFFFF << 16, 0xFFFF, "finisher"),
        (0x3333, 1, "finisher"),
        (0x7777, 0, "reset"),
    ],
)
def test_the_finisher(kind: type, value: int, code: int, detail: str) -> None:
    computer = loaded(kind, f"li t0, FINISHER_BASE\n li t1, {value:#x}\n sw t1, 0(t0)\n j .\n")
    assert computer.run(100) == Stop("exit", code, detail)
    assert computer.run(100) == Stop("exit", code, detail)
    assert computer.steps == computer.instret <= 5


TOHOST = """
    la   s0, tohost
    la   s1, text
next:
    lbu  t0, 0(s1)
    beqz t0, done
    li   t1, 0x01010000
    sw   t1, 4(s0)
    sw   t0, 0(s0)
busy:
    lw   t1, 4(s0)
    bnez t1, busy
    addi s1, s1, 1
    j    next
done:
    li   t0, 2 * {code} + 1
    sw   t0, 0(s0)
    sw   zero, 4(s0)
    j    .
    .data
    .align 3
    .globl tohost
tohost:
    .space 16
text:
    .asciz "through HTIF"
"""


@KINDS
@pytest.mark.parametrize("code", [0, 1, 42, 500])
def test_tohost_prints_and_exits(kind: type, code: int) -> None:
    """An odd word ends the machine; device 1, command 1 in the upper word puts a character."""
    computer = loaded(kind, TOHOST.format(code=code))
    assert computer.run(10_000) == Stop("exit", code, "tohost")
    assert computer.console_output == b"through HTIF"


def test_tohost_is_the_same_step_by_step() -> None:
    assert Twin(guest(TOHOST.format(code=3)), judged=False).to_the_end((1,) * 400).code == 3


@KINDS
def test_stores_beside_tohost_do_nothing(kind: type) -> None:
    source = """
        la   s0, tohost
        li   t0, 1
        sw   t0, 8(s0)
        sw   t0, -4(s0)
        sw   zero, 0(s0)
        lw   t1, 0(s0)
        pass
        .data
        .align 3
        .space 8
        .globl tohost
    tohost:
        .space 16
    """
    assert loaded(kind, source).run(100) == Stop("exit", 0, "finisher")


# ---- what never ends -----------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("vector", ["0", "0x30000000", "0x10000000", "-4"])
def test_a_handler_that_is_nowhere_is_a_trap_loop(kind: type, vector: str) -> None:
    computer = loaded(kind, f"li t0, {vector}\n csrw mtvec, t0\n jr zero\n")
    stop = computer.run(1_000_000)
    if stop.reason == "budget":
        # It is noticed when a run has done nothing else.
        stop = computer.run(TRAP_LOOP)
    assert stop.reason == "error"
    assert "traps in a row and no instruction retired" in stop.detail
    assert "set mtvec to a mapped, executable handler" in stop.detail
    assert computer.errors == 0
    if isinstance(computer, Vm):
        assert "trap loop" in computer.death()


@KINDS
def test_a_trap_loop_of_a_supervisor_names_stvec(kind: type) -> None:
    source = """
        open_pmp
        li   t0, -1
        csrw medeleg, t0
        enter MSTATUS_MPP_S, kernel
    kernel:
        li   t0, 0x40000000
        csrw stvec, t0
        jr   t0
    """
    computer = loaded(kind, source)
    computer.run(100)
    stop = computer.run(3 * TRAP_LOOP)
    assert stop.reason == "error"
    assert "instruction access fault" in stop.detail.lower()
    assert "tval 0x40000000" in stop.detail
    assert "set stvec" in stop.detail


@KINDS
def test_a_trap_loop_in_small_runs_is_noticed_too(kind: type) -> None:
    computer = loaded(kind, "handler bad\nbad: .word 0\n")
    reasons = {computer.run(97).reason for _ in range(TRAP_LOOP // 97 + 10)}
    assert reasons == {"budget", "error"}
    assert computer.steps < TRAP_LOOP + 200


@KINDS
def test_many_traps_with_work_between_are_no_loop(kind: type) -> None:
    computer = loaded(kind, "handler skip\nagain: ecall\n j again\n" + SKIP)
    for _ in range(20):
        assert computer.run(TRAP_LOOP).reason == "budget"


@KINDS
def test_a_guest_that_runs_off_into_nowhere(kind: type) -> None:
    """Off the end of its code into zeros: illegal instructions, and mtvec is 0."""
    computer = loaded(kind, "nop\n nop\n")
    stop = computer.run(100)
    assert stop.reason == "budget"
    assert (computer.csr("mcause"), computer.csr("mepc")) == (1, 0)
    assert computer.run(10 * TRAP_LOOP).reason == "error"


@KINDS
def test_off_the_end_of_ram(kind: type) -> None:
    computer = loaded(
        kind,
        f"handler t\n li t0, {BASE + RAM - 4}\n li t1, 0x13\n sw t1, 0(t0)\n jr t0\n"
        " .align 2\nt: csrr s0, mcause\n csrr s1, mtval\n pass\n",
    )
    assert computer.run(100).reason == "exit"
    assert [int(computer.x[i]) for i in (8, 9)] == [1, BASE + RAM]


@KINDS
def test_an_infinite_loop_honours_its_budget(kind: type) -> None:
    computer = loaded(kind, "csrci mstatus, 8\n j .\n")
    assert computer.run(30_000_001).reason == "budget"
    assert computer.steps == 30_000_001


@KINDS
def test_sleep_without_an_alarm(kind: type) -> None:
    computer = loaded(kind, "wfi\n pass\n")
    for _ in range(3):
        assert computer.run(1_000).reason == "idle"
        assert computer.waiting
    assert computer.steps == 1
    computer.set_csr("mie", 8)
    computer.set_line(3, True)
    assert computer.run(1_000).reason == "exit"


# ---- MMIO everywhere -----------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("seed", range(4))
def test_accesses_at_random_physical_addresses_never_raise(kind: type, seed: int) -> None:
    """Any width, any alignment, anywhere; device windows and their edges more often."""
    rng = random.Random(f"mmio {seed}")
    computer = kind(ram=RAM, bios="none")
    windows = [(base, device.size) for base, device in sweep(computer)]
    source = "handler skip\n li s2, 0x5a5a\n"
    for _ in range(700):
        base, size = rng.choice(windows)
        kind_of = rng.randrange(6)
        if kind_of == 0:
            address = rng.getrandbits(32)
        elif kind_of == 1:
            address = base + rng.choice((-4, -1, 0, size - 4, size - 1, size, size + 4))
        else:
            address = base + rng.randrange(min(size, 0x1000))
        if address >> 12 == 0x100 and rng.random() < 0.98:
            continue
        access = rng.choice(
            ("lb s3, 0(s4)", "lhu s3, 0(s4)", "lw s3, 0(s4)", "sb s2, 0(s4)", "sh s2, 0(s4)")
            + ("sw s2, 0(s4)", "sw s3, 0(s4)", "lr.w s3, (s4)", "amoxor.w s3, s2, (s4)")
        )
        source += f"li s4, {address & 0xFFFF_FFFF:#x}\n {access}\n"
        if rng.random() < 0.2:
            source += f"li s2, {rng.choice((0, 1, 8, 0xFFFF_FFFF, rng.getrandbits(32))):#x}\n"
    computer.load(guest(source + "li t0, 0\n csrw mie, t0\n pass\n" + SKIP))
    for _ in range(40):
        stop = computer.run(997)
        assert stop.reason in ("budget", "exit", "idle"), (stop, computer.report)
        if stop.reason != "budget":
            break
    assert computer.errors == 0


def sweep(computer: Computer) -> list[tuple[int, object]]:
    """(base, device) of everything on the bus."""
    from toyvm import platform

    bases = [
        platform.FINISHER_BASE,
        platform.RTC_BASE,
        platform.CLINT_BASE,
        platform.PLIC_BASE,
        platform.UART0_BASE,
        *(platform.virtio_base(slot) for slot in range(platform.VIRTIO_SLOTS)),
    ]
    found = []
    for base in bases:
        hit = computer.board.bus.find(base)
        assert hit is not None, hex(base)
        found.append((base, hit[0]))
    return found


# ---- the console ---------------------------------------------------------------------------------


def test_the_console_keeps_the_last_four_mebibytes() -> None:
    heard = 0

    def sink(data: bytes) -> None:
        nonlocal heard
        heard += len(data)

    console = Console(sink)
    for i in range(13):
        console.write(bytes([i]) * (1 << 20))
    assert console.written == heard == 13 << 20
    assert len(console.output) == 4 << 20
    assert console.output == b"".join(bytes([i]) * (1 << 20) for i in (9, 10, 11, 12))


def test_input_is_fed_to_uart_and_sbi_alike() -> None:
    machine = loaded(Machine, "li t0, UART0_BASE\n lbu s0, 0(t0)\n lbu s1, 0(t0)\n pass\n")
    machine.feed(b"hi")
    machine.run(100)
    assert bytes([int(machine.x[8]), int(machine.x[9])]) == b"hi"
    assert [machine.console.get() for _ in range(3)] == [ord("h"), ord("i"), -1]


# ---- the device tree -----------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("ram", [RAM, 16 << 20])
def test_a1_names_the_device_tree(kind: type, ram: int) -> None:
    """Hart id in a0; the tree at the top of RAM, whole, above everything that was loaded."""
    computer = loaded(kind, "j .\n", ram)
    assert int(computer.x[10]) == 0
    address = int(computer.x[11])
    assert address % 8 == 0
    head = computer.read_phys(address, 8)
    assert head is not None
    assert head[:4] == bytes.fromhex("d00dfeed")
    size = int.from_bytes(head[4:], "big")
    assert address + size <= BASE + ram
    assert computer.read_phys(address, size) is not None
    others = [int(computer.x[i]) for i in range(32) if i not in (10, 11)]
    assert others == [0] * 30


def test_the_kernel_command_line_is_in_the_tree() -> None:
    machine = Machine(ram=RAM, bios="none", append="quiet root=/dev/vda")
    machine.load(guest("j .\n"))
    assert b"quiet root=/dev/vda\0" in (machine.read_phys(int(machine.x[11]), 4096) or b"")


# ---- Ctrl-C --------------------------------------------------------------------------------------

BUSY = """
    handler tick
    li   s2, CLINT_BASE + 0x4000
    sw   zero, 4(s2)
    sw   zero, 0(s2)
    li   t1, MIE_MTIE
    csrw mie, t1
    csrsi mstatus, MSTATUS_MIE
    li   s3, UART0_BASE
    li   s4, 25000
again:
    lbu  t2, 5(s3)
    andi t3, s4, 255
    bnez t3, 1f
    li   t3, '.'
    sb   t3, 0(s3)
1:  addi s4, s4, -1
    bnez s4, again
    pass
    .align 2
tick:
    csrr t0, time
    addi t0, t0, 50
    sw   t0, 0(s2)
    addi s5, s5, 1
    mret
"""


@KINDS
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_interrupts_between_slices_leave_the_machine_whole(kind: type) -> None:
    """SIGINT at random moments, as the commands take it; the guest ends as if nothing had been."""
    plain, disturbed = loaded(kind, BUSY), loaded(kind, BUSY)
    plain.run(1 << 40)
    taken = 0
    with Interrupt() as interrupt:

        def press(*_arguments: object) -> None:
            # One press each: a second one, unanswered for half a second, is a KeyboardInterrupt,
            # and a busy computer may take that long for a slice.
            if not interrupt.requested:
                signal.raise_signal(signal.SIGINT)

        old = signal.signal(signal.SIGALRM, press)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.002, 0.003)
            while disturbed.run(1_000).reason == "budget":
                taken += interrupt.take()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
    assert taken > 3
    assert whole(plain) == whole(disturbed)


@KINDS
def test_a_keyboard_interrupt_passes_through_and_the_machine_goes_on(kind: type) -> None:
    """One that strikes while a device works is not taken for a broken device."""
    computer = loaded(
        kind, "li t0, UART0_BASE\n li t1, 'c'\n sb t1, 0(t0)\n addi s0, s0, 1\n pass\n"
    )

    def interrupted(data: bytes) -> None:
        computer.console.sink = None
        raise KeyboardInterrupt

    computer.console.sink = interrupted
    with pytest.raises(KeyboardInterrupt):
        computer.run(100)
    assert computer.stopped is None
    assert computer.errors == 0
    pc, steps = computer.pc, computer.steps
    assert computer.read(pc, 4) is not None
    assert computer.run(100).reason == "exit"
    assert computer.steps > steps
    assert int(computer.x[8]) == 1


def test_a_machine_may_run_in_a_thread() -> None:
    """Threads run whole machines; nothing in there needs the main thread."""
    ends: list[Stop] = []
    machines = [loaded(kind, BUSY) for kind in (Machine, Vm)]
    threads = [
        threading.Thread(target=lambda m=machine: ends.append(m.run(1 << 40)))
        for machine in machines
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [end.reason for end in ends] == ["exit", "exit"]
    alone = loaded(Machine, BUSY)
    alone.run(1 << 40)
    assert whole(machines[0]) == whole(machines[1]) == whole(alone)


# ---- configuration -------------------------------------------------------------------------------


def test_a_board_has_eight_slots() -> None:
    from toyvm.storage import MemoryDisk

    disks = [MemoryDisk(512) for _ in range(9)]
    with pytest.raises(ValueError, match="9 drives and 0 NICs: a machine has 8 virtio slots"):
        Machine(ram=RAM, drives=disks)
    assert len(Machine(ram=RAM, drives=disks[:8]).board.blocks) == 8


def test_what_virtio_can_be() -> None:
    with pytest.raises(ValueError, match="virtio 'old': expected legacy or modern"):
        Machine(ram=RAM, virtio="old")


@KINDS
def test_shipped_guests_end_in_a_thousand_runs_or_one(kind: type) -> None:
    entry = manifest()["probe-traps"]
    ends = []
    for size in (1, 13, 1 << 40):
        computer = kind(ram=entry.ram, bios=entry.bios)
        computer.load(build("probe-traps"))
        while computer.run(size).reason == "budget":
            pass
        ends.append(whole(computer))
    assert ends[0] == ends[1] == ends[2]
