"""The loop `run` and the entry, with their neighbours replaced by scripts, to see what they ask.

Layouts: docstrings of `vcpu` and `shadow`, docs/hypervisor.md; traps: Privileged 20211203 §3.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.hypervisor.kernel_bench import (
    CSRR,
    SV32,
    Bench,
)
from toyvm.hart import access, events, execute, trap
from toyvm.hart import state as s
from toyvm.hypervisor import ledger, shadow, vcpu
from toyvm.isa import csr

LW_A0 = 0x0085_A503  # lw a0, 8(a1)
U_TECH, S_TECH = shadow.TECHNIQUE_U, shadow.TECHNIQUE_S


# ---- entering ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [s.MODE_U, s.MODE_S, s.MODE_M])
@pytest.mark.parametrize("technique", [U_TECH, S_TECH])
def test_an_entry(technique: int, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    b = Bench(technique)
    b.v[s.MODE], b.v[s.PC], b.v[s.STEPS], b.v[s.SATP] = mode, 0x8000_0123 & ~3, 50, SV32
    b.v[s.MEDELEG], b.v[s.SSCRATCH] = 1 << 8, 0x1234
    b.hp[s.MSTATUS], b.hp[s.MODE], b.hp[s.DELIVER] = csr.MSTATUS_SUM * (technique == S_TECH), 0, 0
    if technique == S_TECH:
        b.hp[s.MODE], b.hp[s.DELIVER] = 1, 1
    seen: list[Any] = []

    def guest(name: str) -> Callable[[Any, int], int]:
        def enter(at: Any, end: int) -> int:
            p = access.core_at(at).p
            fields = (s.PC, s.STEPS, s.MODE, s.DELIVER, s.MSTATUS, s.SSCRATCH)
            seen.append((name, end, *(int(p[i]) for i in fields)))
            p[s.PC], p[s.STEPS], p[s.SSCRATCH] = 0x8000_2000, 60, 0x999
            return 1

        return enter

    monkeypatch.setattr(execute, "execute", guest("execute"))
    monkeypatch.setattr(execute, "resume", guest("resume"))
    assert vcpu._enter(b.h, b.g, b.c, 77) == 1
    native = technique == S_TECH and mode != s.MODE_M
    name = "execute" if technique == S_TECH else "resume"
    scratch = 0x1234 if native else 0
    real_mode = mode if native else s.MODE_U
    assert seen == [(name, 77, 0x8000_0120, 50, real_mode, 2 if native else 0, 0, scratch)]
    assert (b.v[s.PC], b.v[s.STEPS]) == (0x8000_2000, 60)
    assert b.v[s.SSCRATCH] == (0x999 if native else 0x1234)


def test_an_entry_with_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    for flag in (0, 20 << 12):
        b = Bench()
        b.c[shadow.FLAG] = flag
        b.v[s.MODE], b.v[s.MSTATUS] = s.MODE_S, csr.MSTATUS_SIE

        def enter(at: Any, end: int, b: Bench = b, flag: int = flag) -> int:
            assert b.word(20) == bool(flag)
            b.put(20, 0, 0)
            return 0

        monkeypatch.setattr(execute, "resume", enter)
        assert vcpu._enter(b.h, b.g, b.c, 77) == 0
        assert b.v[s.MSTATUS] == (0 if flag else csr.MSTATUS_SIE)


# ---- the loop ------------------------------------------------------------------------------------


class Script:
    """`run` with scripted neighbours: each entry takes a row (steps, EXIT_ code, cause, word,
    effects); what else it asks for is noted.  A row's last item may say what `_handle` returns."""

    def __init__(self, b: Bench, monkeypatch: pytest.MonkeyPatch, *rows: Any) -> None:
        self.b, self.rows, self.calls = b, list(rows), [""][:0]
        self.row: Any = None
        self.prepares: list[Any] = []
        self.ticks = 0
        for name in ("_prepare", "_enter", "_handle"):
            monkeypatch.setattr(vcpu, name, getattr(self, name))
        monkeypatch.setattr(vcpu, "clock", self.clock)
        monkeypatch.setattr(trap, "system", self.system)

    def clock(self) -> int:
        self.ticks += 100
        return self.ticks

    def _prepare(self, real: Any, guest: Any, c: Any, end: int) -> tuple[int, int]:
        self.calls.append("prepare")
        return self.prepares.pop(0) if self.prepares else (-1, end)

    def _enter(self, h: Any, g: Any, c: Any, end: int) -> int:
        self.calls.append(f"enter {end}")
        self.row = self.rows.pop(0)
        steps, code, cause, word, *_ = self.row
        self.b.v[s.STEPS] += steps
        self.b.hp[s.CAUSE], self.b.hp[s.WORD] = cause, word
        return int(code)

    def system(self, p: Any, x: Any, word: int) -> int:
        self.calls.append("system")
        self.b.v[s.STEPS] += 1
        return int(self.row[4])

    def _handle(self, real: Any, guest: Any, c: Any, where: int, effects: int) -> int:
        self.calls.append(f"handle {effects}")
        c[shadow.SERIAL] += 1
        c[shadow.LAST_CAUSE] = ledger.FILL
        return self.row[5] if len(self.row) > 5 else -1

    def run(self, end: int = 1000) -> int:
        return int(vcpu.run(self.b.h.table, self.b.g.table, self.b.c, end))


TRAP, BUDGET = events.EXIT_TRAP, events.EXIT_BUDGET


def test_nothing_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for steps in (1000, 1001):
        b = Bench()
        b.v[s.STEPS] = steps
        script = Script(b, monkeypatch)
        assert (script.run(), script.calls) == (BUDGET, [])


def test_light_exits_go_in_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    b = Bench()
    b.c[shadow.SERIAL] = 1
    rows = [(3, TRAP, 2, CSRR, 0)] * 3 + [(3, TRAP, 2, CSRR, s.EFFECT_INTERRUPT)]
    script = Script(b, monkeypatch, *rows, (984, BUDGET, 0, 0))
    assert script.run() == BUDGET
    again = ["enter 1000", "system"]
    assert script.calls == ["prepare", *again * 4, "prepare", "enter 1000"]
    assert b.c[shadow.COUNTERS + ledger.CSR] == 4
    ring = [int(n) for n in b.c[shadow.RING + 6 : shadow.RING + 12]]
    assert ring == [ledger.CSR, 3 << 32 | 0x8000_0000, CSRR, 4, 0, 3 << 32]


@pytest.mark.parametrize(
    "effects", [s.EFFECT_TRANSLATION, s.EFFECT_TIMER, s.EFFECT_COUNTER, s.EFFECT_INTERRUPT]
)
def test_which_effects_are_light(effects: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(3, TRAP, 2, CSRR, effects), (996, BUDGET, 0, 0)]
    script = Script(Bench(), monkeypatch, *rows)
    assert script.run() == BUDGET
    assert script.calls == ["prepare", "enter 1000", "system", "prepare", "enter 1000"]


@pytest.mark.parametrize(
    "effects", [s.EFFECT_PMP, s.EFFECT_TRAP, s.EFFECT_WFI, s.EFFECT_FENCE, s.EFFECT_SBI, 9]
)
def test_which_effects_are_handled(effects: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(3, TRAP, 2, CSRR, effects), (996, BUDGET, 0, 0)]
    script = Script(Bench(), monkeypatch, *rows)
    assert script.run() == BUDGET
    steps = ["enter 1000", "system", f"handle {effects}"]
    assert script.calls == ["prepare", *steps, "prepare", "enter 1000"]


def test_a_deadline_ends_going_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """`_prepare` says at which step to come back; reached exactly, it is asked again."""
    for steps, again in ((8, []), (9, ["prepare"]), (10, ["prepare"])):
        rows = [(steps, TRAP, 2, CSRR, 0), (2000, BUDGET, 0, 0)]
        script = Script(Bench(), monkeypatch, *rows)
        script.prepares = [(-1, 10)]
        assert script.run() == BUDGET
        end = "enter 1000" if again else "enter 10"
        assert script.calls == ["prepare", "enter 10", "system", *again, end]


def test_other_causes_are_handled(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(Bench(), monkeypatch, (3, TRAP, 13, LW_A0, 0), (1, TRAP, 13, LW_A0, 0, 77))
    assert script.run() == 77
    assert script.calls == ["prepare", "enter 1000", "handle -1"] * 2
    # Code 0 of `_handle` leaves as well.
    script = Script(Bench(), monkeypatch, (3, TRAP, 13, LW_A0, 0, 0))
    assert script.run() == 0


def test_other_exits_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    for code in (events.EXIT_BREAK, events.EXIT_WATCH, events.EXIT_MMIO):
        script = Script(Bench(), monkeypatch, (3, code, 13, LW_A0))
        assert (script.run(), script.calls) == (code, ["prepare", "enter 1000"])


def test_what_prepare_says(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(Bench(), monkeypatch, (2000, BUDGET, 0, 0))
    script.prepares = [(-2, 1000), (-2, 1000)]
    assert script.run() == BUDGET
    assert script.calls == ["prepare"] * 3 + ["enter 1000"]
    for code in (vcpu.EXIT_FRAMES, vcpu.EXIT_TRACE, 0):
        script = Script(Bench(), monkeypatch)
        script.prepares = [(code, 1000)]
        assert (script.run(), script.calls) == (code, ["prepare"])


def test_a_guest_without_progress_uses_up_its_fuel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vcpu, "_FUEL", 5)
    stuck = (0, TRAP, 13, LW_A0, 0)
    script = Script(Bench(), monkeypatch, *[stuck] * 20)
    assert script.run() == BUDGET
    assert script.calls.count("handle -1") == 5
    # A step of progress fills it up; so does each one.
    rows = [*[stuck] * 5, (1, TRAP, 13, LW_A0, 0)]
    script = Script(Bench(), monkeypatch, *[stuck] * 4, *rows[5:], *[stuck] * 20)
    assert script.run() == BUDGET
    assert script.calls.count("handle -1") == 4 + 1 + 5
    script = Script(Bench(), monkeypatch, *[(1, TRAP, 13, LW_A0, 0)] * 30, (2000, BUDGET, 0, 0))
    assert script.run() == BUDGET
    assert script.calls.count("handle -1") == 30


@pytest.mark.parametrize("heavy", [False, True])
def test_one_exit_in_64_is_timed(heavy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    row = (1, TRAP, 13, LW_A0, 0) if heavy else (1, TRAP, 2, CSRR, 0)
    b = Bench()
    script = Script(b, monkeypatch, *[row] * 129, (2000, BUDGET, 0, 0))
    assert script.run() == BUDGET
    booked = ledger.FILL if heavy else ledger.CSR
    assert b.c[shadow.SERIAL] == 129
    # Exits 0, 64 and 128; the clock is asked before and after.
    samples = b.c[shadow.SAMPLES : shadow.SAMPLES + ledger.COUNT]
    ticks = b.c[shadow.SAMPLE_TICKS : shadow.SAMPLE_TICKS + ledger.COUNT]
    assert {i: int(n) for i, n in enumerate(samples) if n} == {booked: 3}
    assert {i: int(n) for i, n in enumerate(ticks) if n} == {booked: 300}


@pytest.mark.parametrize("heavy", [False, True])
def test_tracing_leaves_after_each_exit(heavy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    row = (1, TRAP, 13, LW_A0, 0) if heavy else (1, TRAP, 2, CSRR, 0)
    b = Bench()
    b.c[shadow.TRACE] = 1
    script = Script(b, monkeypatch, row, row)
    assert script.run() == vcpu.EXIT_TRACE
    assert len(script.rows) == 1
