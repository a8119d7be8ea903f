"""Breakpoints, watchpoints, registers and memory as a debugger uses them, bare and in a VM."""

from __future__ import annotations

import pytest

from tests.hypervisor.guests import BASE, RAM, RX, A, D, R, W, guest, identity
from tests.hypervisor.twin import csrs, whole
from toyvm.hypervisor import Vm
from toyvm.isa.csr import CSRS
from toyvm.machine import Computer, Machine

KINDS = pytest.mark.parametrize("kind", [Machine, Vm])
LOOP = """
    li   s0, 10
again:
    addi s1, s1, 1
    addi s0, s0, -1
    bnez s0, again
    pass
"""


def loaded(kind: type, source: str, *extra: object) -> Computer:
    computer = kind(ram=RAM, bios="none")
    computer.load(guest(source, *extra))  # type: ignore[arg-type]
    return computer


def symbol(computer: Computer, name: str) -> int:
    assert computer.program is not None
    return computer.program.symbols[name]


# ---- breakpoints ---------------------------------------------------------------------------------


@KINDS
def test_a_breakpoint_stops_before_its_instruction_each_time(kind: type) -> None:
    computer = loaded(kind, LOOP)
    again = symbol(computer, "again")
    computer.add_breakpoint(again)
    for count in range(10):
        stop = computer.resume(1_000)
        assert (stop.reason, stop.detail) == ("breakpoint", f"{again:#010x}")
        assert computer.pc == again
        assert int(computer.x[9]) == count
    assert computer.resume(1_000).reason == "exit"


@KINDS
def test_run_stops_at_once_on_a_breakpoint_and_resume_goes_on(kind: type) -> None:
    computer = loaded(kind, LOOP)
    computer.add_breakpoint(symbol(computer, "again"))
    computer.run(1_000)
    steps = computer.steps
    for _ in range(3):
        assert computer.run(1_000).reason == "breakpoint"
        assert computer.steps == steps
    computer.resume(1_000)
    assert computer.steps == steps + 3
    assert computer.step(2).reason == "budget"
    assert computer.steps == steps + 5


@KINDS
def test_a_removed_breakpoint_does_not_stop(kind: type) -> None:
    computer = loaded(kind, LOOP)
    again = symbol(computer, "again")
    computer.add_breakpoint(again)
    computer.add_breakpoint(again)
    assert computer.breakpoints == {again}
    computer.run(1_000)
    computer.remove_breakpoint(again)
    computer.remove_breakpoint(again)
    assert computer.breakpoints == frozenset()
    assert computer.run(1_000).reason == "exit"


@KINDS
def test_a_breakpoint_stops_at_its_virtual_address_only(kind: type) -> None:
    """One page of code at two addresses; and another page with the same offset."""
    tables = (
        identity(64)
        .map(0x4000_0000, BASE + 0x1000, RX | A)
        .map(0x0010_0000, 0x0010_0000, R | W | A | D)
    )
    source = """
        open_pmp
        paging
        enter MSTATUS_MPP_S, kernel
    kernel:
        li   s1, 0x40000000
        jalr s1
        jal  routine
        jal  other
        jalr s1
        pass
        .align 12
    routine:
        addi s0, s0, 1
        ret
        .align 12
    other:
        addi s2, s2, 1
        ret
    """
    computer = loaded(kind, source, tables)
    assert symbol(computer, "routine") == BASE + 0x1000
    computer.add_breakpoint(0x4000_0000)
    stops = []
    while (stop := computer.resume(1_000)).reason == "breakpoint":
        stops.append((stop.detail, int(computer.x[8]), int(computer.x[18])))
    assert stops == [("0x40000000", 0, 0), ("0x40000000", 2, 1)]
    assert stop.reason == "exit"
    assert int(computer.x[8]) == 3


@KINDS
def test_a_store_to_tohost_at_a_foreign_stop_word_is_noticed(kind: type) -> None:
    """The stop word of a breakpoint stands at its offset in every page of code."""
    source = """
        la   t0, tohost
        li   t1, 7
        .align 4
    here:
        sw   t1, 0(t0)
    1:  j    1b
        .data
        .align 3
        .globl tohost
    tohost:
        .space 16
    """
    computer = loaded(kind, source)
    computer.add_breakpoint(symbol(computer, "here") + 0x5000)
    stop = computer.run(2_000)
    assert (stop.reason, stop.code, stop.detail) == ("exit", 3, "tohost")
    computer = loaded(kind, source.replace("tohost", "word"))
    computer.add_breakpoint(symbol(computer, "here") + 0x5000)
    computer.set_watchpoints([(symbol(computer, "word"), 4, 2)])
    assert computer.run(1_000).reason == "watchpoint"


@KINDS
def test_devices_calls_and_waits_at_a_foreign_stop_word(kind: type) -> None:
    source = """
        li   t0, UART0_BASE
        li   t1, 'k'
        j    here
        .align 6
    here:
        sb   t1, 0(t0)
        addi t1, t1, 1
        ebreak
        wfi
        pass
    """
    computer = loaded(
        kind,
        "handler skip\n"
        + source
        + ".align 2\nskip: csrr s10, mepc\n addi s10, s10, 4\n csrw mepc, s10\n mret\n",
    )
    here = symbol(computer, "here")
    for offset in range(0, 16, 4):
        computer.add_breakpoint(here + 0x9000 + offset)
    computer.board.clint.write(0x4000, 4, 500)
    computer.board.clint.write(0x4004, 4, 0)
    computer.set_csr("mie", 0x80)
    assert computer.run(1_000).reason == "exit"
    assert computer.console_output == b"k"
    assert int(computer.x[6]) == 0x5555


@KINDS
def test_thirty_two_breakpoints_and_no_more(kind: type) -> None:
    computer = loaded(kind, LOOP)
    for i in range(32):
        computer.add_breakpoint(BASE + 0x100 + 4 * i)
    with pytest.raises(ValueError, match="33 breakpoints; a hart has 32"):
        computer.add_breakpoint(BASE)
    assert len(computer.breakpoints) == 32
    assert computer.run(1_000).reason == "exit"


@KINDS
def test_a_breakpoint_on_code_that_is_written_later(kind: type) -> None:
    source = """
        la   t0, slot
        la   t1, patch
        lw   t1, 0(t1)
        sw   t1, 0(t0)
        fence.i
    slot:
        nop
        pass
        .align 2
    patch:
        addi s0, s0, 5
    """
    computer = loaded(kind, source)
    computer.add_breakpoint(symbol(computer, "slot"))
    assert computer.run(100).reason == "breakpoint"
    assert computer.pc == symbol(computer, "slot")
    assert computer.resume(100).reason == "exit"
    assert int(computer.x[8]) == 5


# ---- watchpoints ---------------------------------------------------------------------------------

ACCESSES = """
    la   s0, word
    lw   t1, 0(s0)
    lbu  t1, 3(s0)
    sw   t1, 0(s0)
    sb   t1, 1(s0)
    sw   t1, 4(s0)
    lw   t1, -4(s0)
    lw   t1, -2(s0)
    sh   t1, -1(s0)
    amoadd.w t1, t1, (s0)
    lr.w t1, (s0)
    sc.w t1, t1, (s0)
    pass
    .data
    .align 12
    .space 16
word:
    .space 16
"""


def hits(kind: type, kinds: int) -> list[int]:
    """Steps after which a watchpoint on `word` stopped."""
    computer = loaded(kind, ACCESSES)
    word = symbol(computer, "word")
    computer.set_watchpoints([(word, 4, kinds)])
    found = []
    while (stop := computer.run(1_000)).reason == "watchpoint":
        found.append(computer.steps)
    assert stop.reason == "exit"
    return found


@KINDS
def test_watchpoints_stop_after_the_access(kind: type) -> None:
    """`la` is two steps; then one for each line."""
    loads, stores, both = [3, 4, 9, 12], [5, 6, 10, 13], [11]
    assert hits(kind, 1) == sorted(loads + both)
    assert hits(kind, 2) == sorted(stores + both)
    assert hits(kind, 3) == sorted(loads + stores + both)


@KINDS
def test_a_watchpoint_names_the_address_and_changes_nothing(kind: type) -> None:
    plain, watched = loaded(kind, ACCESSES), loaded(kind, ACCESSES)
    word = symbol(watched, "word")
    watched.set_watchpoints([(word - 64, 256, 3)])
    first = watched.run(1_000)
    assert (first.reason, first.detail) == ("watchpoint", f"{word:#010x}")
    while watched.run(1_000).reason == "watchpoint":
        pass
    plain.run(1_000)
    assert whole(plain) == whole(watched)


@KINDS
def test_watchpoints_under_mprv(kind: type) -> None:
    source = """
        li   t0, MSTATUS_MPP_M
        csrs mstatus, t0
        li   t0, MSTATUS_MPRV
        csrs mstatus, t0
        la   s0, word
        lw   t1, 0(s0)
        sw   t1, 0(s0)
        sw   t1, 4(s0)
        pass
        .data
        .align 3
    word:
        .space 8
    """
    computer = loaded(kind, source)
    computer.set_watchpoints([(symbol(computer, "word"), 4, 2)])
    stop = computer.run(1_000)
    assert stop.reason == "watchpoint"
    assert stop.detail == f"{symbol(computer, 'word'):#010x}"
    assert computer.run(1_000).reason == "exit"


@KINDS
def test_sixteen_watchpoints_and_no_more(kind: type) -> None:
    computer = loaded(kind, LOOP)
    with pytest.raises(ValueError, match="17 watchpoints; a hart has 16"):
        computer.set_watchpoints([(BASE + 0x8000 + 4 * i, 4, 3) for i in range(17)])


# ---- registers and memory ------------------------------------------------------------------------


@KINDS
def test_registers(kind: type) -> None:
    computer = loaded(kind, LOOP)
    computer.set_x(0, 5)
    computer.set_x(31, -1)
    computer.set_x(30, 1 << 40)
    assert [int(computer.x[i]) for i in (0, 30, 31)] == [0, 0, 0xFFFF_FFFF]
    computer.set_pc(BASE + 4)
    assert computer.pc == BASE + 4


@KINDS
def test_a_written_csr_reads_back(kind: type) -> None:
    """Also the counters, which move by themselves while a guest runs, and only then."""
    computer = loaded(kind, LOOP)
    computer.run(17)
    for name, value in (
        ("mscratch", 0x1234_5678),
        ("mcycle", 1_000_000),
        ("mcycleh", 3),
        ("minstret", 77),
        ("minstreth", 1),
        ("mepc", 0x8000_0000),
        ("satp", 0x0000_1234),
        ("pmpaddr3", 0x1234_5C00),
    ):
        computer.set_csr(name, value)
        assert computer.csr(name) == value, name
    computer.run(3)
    assert computer.csr("mcycle") == 1_000_003
    assert computer.csr("cycleh") == 3
    assert computer.csr("minstret") == 80
    computer.set_csr("mcountinhibit", 5)
    assert computer.csr("mcycle") == 1_000_003
    assert computer.csr("minstret") == 80
    computer.run(3)
    assert computer.csr("mcycle") == 1_000_003
    computer.set_csr("mcountinhibit", 0)
    assert computer.csr("mcycle") == 1_000_003
    computer.run(2)
    assert computer.csr("mcycle") == 1_000_005


@KINDS
def test_every_csr_can_be_read_and_no_other(kind: type) -> None:
    computer = loaded(kind, LOOP)
    before = whole(computer)
    assert len(csrs(computer)) == len(CSRS)
    assert whole(computer) == before
    for number in (0x000, 0x5C0, 0x7C0, 0xFFF):
        with pytest.raises(KeyError):
            computer.csr(number)
        with pytest.raises(KeyError):
            computer.set_csr(number, 0)
    with pytest.raises(KeyError):
        computer.csr("nonsense")


@KINDS
def test_a_csr_written_by_the_debugger_takes_effect(kind: type) -> None:
    """satp and PMP: what was mapped before must not be used any more."""
    tables = identity(64).map(0x4000_0000, BASE + 0x8000, R | A)
    source = """
        handler trapped
        open_pmp
        paging
        li   s1, 0x40000000
        enter MSTATUS_MPP_S, kernel
    kernel:
        lw   t0, 0(s1)
    stop:
        nop
        lw   t0, 0(s1)
        pass
        .align 2
    trapped:
        csrr s0, mcause
        pass
    """
    computer = loaded(kind, source, tables)
    computer.add_breakpoint(symbol(computer, "stop"))
    assert computer.run(1_000).reason == "breakpoint"
    computer.set_csr("satp", 0)
    assert computer.resume(1_000).reason == "exit"
    assert int(computer.x[8]) == 5
    computer = loaded(kind, source, tables)
    computer.add_breakpoint(symbol(computer, "stop"))
    assert computer.run(1_000).reason == "breakpoint"
    computer.set_csr("pmpcfg3", 0)
    assert computer.resume(1_000).reason == "exit"
    assert int(computer.x[8]) == 1


@KINDS
def test_memory_through_the_current_translation(kind: type) -> None:
    data = BASE + 0x8000
    tables = identity(8).map(0x4000_0000, data + 0x1000, R).map(0x4000_1000, data, R)
    computer = loaded(kind, "open_pmp\n paging\n enter MSTATUS_MPP_S, k\nk: j k\n", tables)
    assert computer.read(BASE, 4) == computer.read_phys(BASE, 4)
    computer.run(100)
    assert computer.mode == "S"
    assert computer.write(0x4000_0FFE, b"abcd")
    assert computer.read(0x4000_0FFE, 4) == b"abcd"
    assert computer.read_phys(data + 0x1FFE, 2) == b"ab"
    assert computer.read_phys(data, 2) == b"cd"
    entry = computer.read_phys(tables.entry(0x4000_0000), 4)
    assert entry is not None
    assert entry[0] & (A | D) == 0, "a debugger leaves no traces"
    assert computer.read(0x4000_2000, 1) is None
    assert computer.read(0x4000_1FFE, 4) is None
    assert not computer.write(0x4000_1FFE, b"abcd")
    assert computer.read_phys(data + 0xFFE, 2) == bytes(2)
    assert computer.read(0x1000_0000, 1) is None, "no device is read"
    assert computer.translate(0x4000_0008) == data + 0x1008
    assert computer.translate(0x7000_0000) < 0


@KINDS
def test_code_that_the_debugger_writes_is_executed(kind: type) -> None:
    computer = loaded(kind, LOOP)
    computer.run(8)
    addi_100 = (0x0644_8493).to_bytes(4, "little")
    assert computer.write(symbol(computer, "again"), addi_100)
    assert computer.run(1_000).reason == "exit"
    assert int(computer.x[9]) > 500
