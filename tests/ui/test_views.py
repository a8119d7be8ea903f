"""Live and plain views of a lab, and the display of compilation."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from toyvm.ui import progress
from toyvm.ui.live import GuestRow, LiveView, PlainView, lab_view, top_exits


def test_plain_lines_carry_the_name():
    out = io.StringIO()
    with PlainView(["a", "long"], out) as view:
        view.console("a", b"one\ntwo")
        view.console("long", b"\x1b[2Jthree\n\n")
        view.update([], "")
    assert out.getvalue() == "a    | one\nlong | three\nlong |\na    | two\n"


def test_a_stream_that_is_no_terminal_gets_lines():
    assert isinstance(lab_view(["a"], io.StringIO()), PlainView)


def test_the_live_picture_has_consoles_and_counters():
    view = LiveView(["left", "right"], io.StringIO())
    view.console("left", b"hello\nworld")
    view.update(
        [
            GuestRow("left", "running", 1000, {"csr": 3, "mmio": 1}, 4, 5),
            GuestRow("right", "exit 0", 0),
        ],
        "guest time 1 s",
    )
    out = io.StringIO()
    Console(file=out, width=110, height=24, color_system=None).print(view._picture())
    text = out.getvalue()
    facts = ["left: running", "right: exit 0", "hello", "world", "1,000", "250", "csr 3, mmio 1"]
    for fact in [*facts, "guest time 1 s"]:
        assert fact in text
    assert len(text.splitlines()) <= 24


def test_rows():
    row = GuestRow("a", "running", 100, {"x": 3, "y": 7})
    assert row.total_exits == 10
    assert row.per_exit == 10
    assert GuestRow("a", "running", 100).per_exit is None
    assert top_exits({"a": 1, "b": 5, "c": 3, "d": 0}, 2) == "b 5, c 3, others 1"
    assert top_exits({}, 2) == "none"


def test_quick_work_shows_nothing():
    out = io.StringIO()
    with progress.compile_progress(stream=out) as report:
        report("kernel", 1, 2)
    assert out.getvalue() == ""


def test_slow_work_is_announced_and_closed(monkeypatch):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    out = io.StringIO()
    with progress.compile_progress("compiling", out) as report:
        report("kernel", 1, 2)
        report("kernel", 2, 2)
    first, last = out.getvalue().splitlines()
    assert first.startswith("toyvm: compiling (first run only")
    assert "done in" in last


def test_failed_work_is_not_called_done(monkeypatch):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    out = io.StringIO()

    def slow() -> None:
        with progress.compile_progress("compiling", out) as report:
            report("kernel", 1, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        slow()
    assert "compiling" in out.getvalue()
    assert "done" not in out.getvalue()
