"""CSR kernels called one by one where programs seldom go: PMP locks, time, effects of writes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.naive_csrs import NAMES
from toyvm.hart import csrfile
from toyvm.hart import state as s
from toyvm.hart.core import new_record

LOCK, TOR, NAPOT, RWX = 0x80, 0x08, 0x18, 7


def read(record: np.ndarray, name: str) -> int:
    return int(csrfile.csr_read(record, np.int64(NAMES[name])))


def write(record: np.ndarray, name: str, value: int) -> int:
    return int(csrfile.csr_write(record, np.int64(NAMES[name]), np.int64(value)))


def configure(record: np.ndarray, entry: int, byte: int) -> None:
    """One entry's configuration byte; the other three of its register stay."""
    name, shift = f"pmpcfg{entry // 4}", 8 * (entry % 4)
    write(record, name, read(record, name) & ~(0xFF << shift) | byte << shift)


# ---- PMP (3.7.1) ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 8, 15, 16])
@pytest.mark.parametrize("kind", [0, TOR, NAPOT])
def test_what_a_locked_entry_locks(count: int, kind: int) -> None:
    """Its own address and, for TOR alone, the address below it; nothing else."""
    for entry in range(count):
        record = new_record(pmp=count)
        configure(record, entry, LOCK | kind | 1)
        for i in range(count):
            write(record, f"pmpaddr{i}", 0x1234_5400)
            configure(record, i, TOR | RWX)
        for i in range(count):
            locked = i == entry or (kind == TOR and i == entry - 1)
            assert int(record[s.PMPADDR + i]) == (0 if locked else 0x1234_5400), (entry, i)
            own = LOCK | kind | 1 if i == entry else TOR | RWX
            assert read(record, f"pmpcfg{i // 4}") >> 8 * (i % 4) & 0xFF == own, (entry, i)


@pytest.mark.parametrize("count", range(17))
def test_entries_that_are_not_there_read_as_zero_and_stay_so(count: int) -> None:
    record = new_record(pmp=count)
    before = record.copy()
    for i in range(16):
        write(record, f"pmpcfg{i}", 0x1F0F_1F0F)
    for i in range(64):
        write(record, f"pmpaddr{i}", 0xFFFF_FFFF)
    for i in range(16):
        bytes_ = [0 if 4 * i + k >= count else (0x0F, 0x1F)[k % 2] for k in range(4)]
        assert read(record, f"pmpcfg{i}") == int.from_bytes(bytes(bytes_), "little")
    for i in range(64):
        assert read(record, f"pmpaddr{i}") == (
            0 if i >= count else 0xFFFF_FFFF if i % 2 else 0xFFFF_FC00
        )
    mine = [*range(s.PMPCFG, s.PMPCFG + count), *range(s.PMPADDR, s.PMPADDR + count)]
    others = np.delete(np.arange(s.FIELDS), mine)
    assert np.array_equal(record[others], before[others])


# ---- reading -------------------------------------------------------------------------------------


def test_each_read_only_register_is_its_own() -> None:
    """Time, counters and the hart's number all differ, and what has no content is zero."""
    record = new_record(hart_id=5)
    record[s.STEPS], record[s.NOT_RETIRED] = 400, 30
    record[s.TIME_OFFSET] = 0x1234_5678_9ABC
    record[s.CYCLE_OFFSET], record[s.INSTRET_OFFSET] = 7 << 32, 9 << 32
    expected = {
        "cycle": 400,
        "cycleh": 7,
        "mcycle": 400,
        "mcycleh": 7,
        "instret": 370,
        "instreth": 9,
        "minstret": 370,
        "minstreth": 9,
        "time": 0x5678_9ABC + 40,
        "timeh": 0x1234,
        "mhartid": 5,
        "misa": 0x4014_1101,
    }
    for name, number in NAMES.items():
        if number >> 10 == 3 or number >> 8 == 0xB or name in expected:
            assert read(record, name) == expected.get(name, 0), name


def test_registers_of_sstc_are_zero_without_it() -> None:
    """Nobody may read them; a debugger that does sees nothing, and writes change nothing."""
    record = new_record()
    record[s.STIMECMP] = 0x1234_5678_9ABC_DEF0
    before = record.copy()
    for name in ("stimecmp", "stimecmph", "menvcfgh"):
        write(record, name, 0xFFFF_FFFF)
        assert read(record, name) == 0
    assert np.array_equal(record, before)


# ---- effects: what the caller must do after a write ----------------------------------------------

EFFECTS = {
    s.EFFECT_INTERRUPT: ("sie", "sip", "mie", "mip", "mideleg"),
    s.EFFECT_INTERRUPT | s.EFFECT_TIMER: ("stimecmp", "stimecmph", "menvcfgh"),
    s.EFFECT_COUNTER: ("mcycle", "mcycleh", "minstret", "minstreth", "mcountinhibit"),
    s.EFFECT_PMP: (*(f"pmpcfg{i}" for i in range(16)), *(f"pmpaddr{i}" for i in range(64))),
    s.EFFECT_TRANSLATION: ("satp",),
    s.EFFECT_INTERRUPT | s.EFFECT_TRANSLATION: ("mstatus", "sstatus"),
}
EFFECT_OF = {name: effects for effects, names in EFFECTS.items() for name in names}


@pytest.mark.parametrize("name", [name for name, number in NAMES.items() if number >> 10 != 3])
def test_a_write_asks_for_what_it_changes_and_for_no_more(name: str) -> None:
    """A hypervisor stays in its loop only after writes that ask for nothing."""
    record = new_record(sstc=True)
    assert write(record, name, 0xFFFF_FFFF) == EFFECT_OF.get(name, 0)


@pytest.mark.parametrize("name", ["satp", "mstatus", "sstatus"])
def test_writing_what_is_there_changes_no_translation(name: str) -> None:
    record = new_record()
    write(record, name, 0xFFFF_FFFF)
    assert write(record, name, 0xFFFF_FFFF) & s.EFFECT_TRANSLATION == 0


@pytest.mark.parametrize("bit", range(32))
def test_bits_of_mstatus_that_change_what_an_address_means(bit: int) -> None:
    """MPP and MPRV, SUM, MXR (3.1.6.3); every write may let an interrupt in."""
    record = new_record()
    translation = s.EFFECT_TRANSLATION if bit in (11, 17, 18, 19) else 0
    assert write(record, "mstatus", 1 << bit) == s.EFFECT_INTERRUPT | translation


# ---- frozen counters (3.1.12) --------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 1, 4, 5])
@pytest.mark.parametrize("after", [0, 1, 4, 5])
def test_counters_go_on_from_where_they_were_frozen(before: int, after: int) -> None:
    """A write that leaves a bit as it is leaves its counter as it is."""
    record = new_record()
    record[s.STEPS], record[s.NOT_RETIRED] = 1000, 100
    write(record, "mcountinhibit", before)
    record[s.STEPS] += 51  # the write itself is one of them
    write(record, "mcountinhibit", after)
    record[s.STEPS] += 51
    cycles = 1001 + (0 if before & 1 else 51) + (0 if after & 1 else 50)
    retired = 901 + (0 if before & 4 else 51) + (0 if after & 4 else 50)
    assert (read(record, "mcycle"), read(record, "minstret")) == (cycles, retired)


# ---- times of 64 bits ----------------------------------------------------------------------------

TIMES = (0, 1, 5, 6, 1 << 32, (1 << 62) + 3, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, (1 << 64) - 2)


def signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


@pytest.mark.parametrize("now", TIMES)
@pytest.mark.parametrize("deadline", TIMES)
@pytest.mark.parametrize("supervisor", [None, 3, 1 << 63])
def test_every_time_against_every_deadline(now: int, deadline: int, supervisor: int | None) -> None:
    """mtimecmp and stimecmp are compared as unsigned; the next deadline is that many ticks away."""
    record = new_record(sstc=True)
    record[s.STEPS], record[s.IDLE] = 123, 45  # 16 ticks and 8 steps
    record[s.TIME_OFFSET] = signed((now - 16) % (1 << 64))
    record[s.TIMECMP] = signed(deadline)
    record[s.STIMER_ON] = supervisor is not None
    record[s.STIMECMP] = signed(supervisor or 0)
    with np.errstate(over="ignore"):  # only without the compiler
        pending = int(csrfile.mip_now(record))
        step = int(csrfile.deadline_step(record))
    mine = deadline <= now
    theirs = supervisor is not None and supervisor <= now
    assert pending == mine << 7 | theirs << 5
    away = [d - now for d in (deadline, supervisor) if d is not None and d > now]
    # What lies thousands of years ahead need not be waited for.
    away = [ticks for ticks in away if ticks < 1 << 54]
    assert step == (160 + 10 * min(away) - 45 if away else s.NEVER)
