"""The PLIC against a slow model, and directed cases.

The model is written from the PLIC specification (1.0.0).  Its gateways are those of an edge: "in
between sending an interrupt request and receiving notice of its handler's completion, the gateway
might either ignore additional matching edges or increment a counter of pending interrupts" (chapter
"Interrupt Gateways").  Here the counter has one bit, and a matching edge is every report of a high
line, as on QEMU (test_against_qemu.py compares both): kernels made for that board rely on it.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toyvm.devices.plic import Plic

SOURCES = 96
CONTEXTS = 4


class Board:
    """A PLIC with four outputs whose levels are kept."""

    def __init__(self) -> None:
        self.outputs = [False] * CONTEXTS
        self.plic = Plic([self._line(n) for n in range(CONTEXTS)])
        self.plic.reset()

    def _line(self, n: int):
        def drive(level: bool) -> None:
            self.outputs[n] = level

        return drive

    def priority(self, source: int, value: int) -> None:
        assert self.plic.write(4 * source, 4, value)

    def enable(self, context: int, word: int, bits: int) -> None:
        assert self.plic.write(0x2000 + 0x80 * context + 4 * word, 4, bits)

    def threshold(self, context: int, value: int) -> None:
        assert self.plic.write(0x20_0000 + 0x1000 * context, 4, value)

    def claim(self, context: int) -> int:
        value = self.plic.read(0x20_0004 + 0x1000 * context, 4)
        assert value is not None
        return value

    def complete(self, context: int, source: int) -> None:
        assert self.plic.write(0x20_0004 + 0x1000 * context, 4, source)

    def pending(self) -> set[int]:
        words = [self.plic.read(0x1000 + 4 * n, 4) or 0 for n in range(4)]
        return {32 * n + bit for n in range(4) for bit in range(32) if words[n] >> bit & 1}


class Model:
    """The specification in sets, one decision at a time; no bit tricks."""

    def __init__(self) -> None:
        self.priority = dict.fromkeys(range(1, SOURCES + 1), 0)
        self.enabled: list[set[int]] = [set() for _ in range(CONTEXTS)]
        self.threshold = [0] * CONTEXTS
        self.pending: set[int] = set()
        self.served: set[int] = set()

    def level(self, source: int, level: bool) -> None:
        """Every report of a high line is a request."""
        if level:
            self.pending.add(source)

    def candidates(self, context: int) -> list[int]:
        return [
            source
            for source in sorted((self.pending & self.enabled[context]) - self.served)
            if self.priority[source] > 0
        ]

    def claim(self, context: int) -> int:
        found = self.candidates(context)
        if not found:
            return 0
        most = max(self.priority[source] for source in found)
        winner = next(source for source in found if self.priority[source] == most)
        self.pending.discard(winner)
        self.served.add(winner)
        return winner

    def complete(self, context: int, source: int) -> None:
        if source in self.enabled[context]:
            self.served.discard(source)

    def output(self, context: int) -> bool:
        return any(
            self.priority[source] > self.threshold[context] for source in self.candidates(context)
        )


source_numbers = st.one_of(st.integers(1, 8), st.integers(1, SOURCES))
contexts = st.integers(0, CONTEXTS - 1)
operations = st.one_of(
    st.tuples(st.just("level"), source_numbers, st.booleans()),
    st.tuples(st.just("priority"), source_numbers, st.integers(0, 0xFFFF_FFFF)),
    st.tuples(st.just("priority"), source_numbers, st.integers(0, 7)),
    st.tuples(st.just("enable"), contexts, st.integers(0, 3), st.integers(0, 0xFFFF_FFFF)),
    st.tuples(st.just("threshold"), contexts, st.integers(0, 7)),
    st.tuples(st.just("claim"), contexts),
    st.tuples(st.just("complete"), contexts, st.integers(0, SOURCES + 40)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(operations, max_size=60))
def test_plic_follows_the_specification(script):
    board, model = Board(), Model()
    lines = {source: board.plic.line(source) for source in range(1, SOURCES + 1)}
    for step in script:
        match step:
            case ("level", source, level):
                lines[source](level)
                model.level(source, level)
            case ("priority", source, value):
                board.priority(source, value)
                model.priority[source] = value % 8
            case ("enable", context, word, bits):
                board.enable(context, word, bits)
                inside = {n for n in range(32 * word, 32 * word + 32) if 1 <= n <= SOURCES}
                model.enabled[context] -= inside
                model.enabled[context] |= {n for n in inside if bits >> n % 32 & 1}
            case ("threshold", context, value):
                board.threshold(context, value)
                model.threshold[context] = value
            case ("claim", context):
                assert board.claim(context) == model.claim(context)
            case ("complete", context, source):
                board.complete(context, source)
                model.complete(context, source)
        assert board.pending() == model.pending
        assert board.outputs == [model.output(context) for context in range(CONTEXTS)]


def ready_board(*sources: int) -> Board:
    board = Board()
    for source in sources:
        board.priority(source, 1)
        board.enable(1, 0, sum(1 << n for n in sources))
    return board


def test_one_interrupt_from_line_to_completion():
    board = ready_board(10)
    line = board.plic.line(10)
    line(True)
    assert board.outputs == [False, True, False, False]
    assert board.claim(1) == 10
    assert board.outputs[1] is False
    assert board.claim(1) == 0
    line(False)
    board.complete(1, 10)
    assert board.outputs[1] is False
    line(True)
    assert board.outputs[1] is True


def test_a_line_that_stays_high_does_not_interrupt_again():
    """Handlers that acknowledge nothing at the device must come to an end, as on QEMU."""
    board = ready_board(10)
    board.plic.line(10)(True)
    assert board.claim(1) == 10
    assert board.outputs[1] is False
    board.complete(1, 10)
    assert board.outputs[1] is False
    assert board.claim(1) == 0


def test_a_request_in_service_comes_after_the_completion():
    """A character sent by the handler makes the transmitter empty again before it completes."""
    board = ready_board(10)
    line = board.plic.line(10)
    line(True)
    assert board.claim(1) == 10
    line(True)
    assert board.pending() == {10}
    assert board.outputs[1] is False
    assert board.claim(1) == 0
    board.complete(1, 10)
    assert board.outputs[1] is True
    assert board.claim(1) == 10


def test_a_request_stays_when_its_line_falls():
    board = ready_board(10)
    board.plic.line(10)(True)
    board.plic.line(10)(False)
    assert board.pending() == {10}
    assert board.claim(1) == 10


def test_reading_the_registers_back():
    board = Board()
    board.priority(96, 0xFFFF_FFFD)
    assert board.plic.read(4 * 96, 4) == 5
    board.priority(0, 7)
    assert board.plic.read(0, 4) == 0
    board.priority(97, 7)
    assert board.plic.read(4 * 97, 4) == 0
    board.enable(2, 0, 0xFFFF_FFFF)
    assert board.plic.read(0x2000 + 0x100, 4) == 0xFFFF_FFFE
    board.enable(2, 3, 0xFFFF_FFFF)
    assert board.plic.read(0x2000 + 0x100 + 12, 4) == 1
    board.threshold(3, 0xFF)
    assert board.plic.read(0x20_3000, 4) == 7
    assert board.plic.read(0x2000 + 0x80 * CONTEXTS, 4) == 0
    assert board.plic.read(0x20_0000 + 0x1000 * CONTEXTS + 4, 4) == 0


@pytest.mark.parametrize(
    ("offset", "width"), [(0, 1), (0, 2), (2, 4), (0, 8), (-4, 4), (6 << 20, 4)]
)
def test_other_accesses_fault(offset, width):
    board = Board()
    assert board.plic.read(offset, width) is None
    assert board.plic.write(offset, width, 0) is False


@pytest.mark.parametrize("source", [0, -1, 97])
def test_wiring_a_source_that_does_not_exist_is_refused(source):
    with pytest.raises(ValueError, match="expected 1 to 96"):
        Board().plic.line(source)


def test_reset_forgets_settings_and_keeps_levels():
    board = ready_board(3)
    board.plic.line(3)(True)
    assert board.outputs[1]
    board.plic.reset()
    assert board.outputs == [False] * CONTEXTS
    assert board.pending() == {3}
    board.priority(3, 1)
    board.enable(0, 0, 8)
    assert board.outputs[0]


@pytest.mark.parametrize("context", range(CONTEXTS))
def test_each_context_has_its_own_threshold(context):
    board = Board()
    board.priority(96, 5)
    board.enable(context, 3, 1)
    board.plic.line(96)(True)
    for threshold in range(8):
        board.threshold(context, threshold)
        assert board.plic.read(0x20_0000 + 0x1000 * context, 4) == threshold
        assert board.outputs == [n == context and threshold < 5 for n in range(CONTEXTS)]
    # A claim is not masked by the threshold.
    assert board.claim(context) == 96
    board.threshold(context, 0)
    assert board.outputs[context] is False
    board.complete((context + 1) % CONTEXTS, 96)  # not enabled there: ignored
    assert board.outputs[context] is False
    board.plic.line(96)(True)
    assert board.outputs[context] is False
    board.complete(context, 96)
    assert board.outputs[context] is True


def test_contexts_and_values_that_do_not_exist():
    board = Board()
    board.threshold(CONTEXTS, 3)
    board.enable(CONTEXTS, 0, 0xFF)
    board.complete(CONTEXTS, 1)
    assert board.plic.write(0x2000, 4, (1 << 40) | 4)
    assert board.plic.read(0x2000, 4) == 4
    assert board.plic.read(0x2004, 4) == 0
    assert board.plic.write(0x2000 + 4 * 31, 4, 0xFFFF_FFFF)
    assert board.plic.read(0x2000 + 4 * 31, 4) == 0
    assert board.plic.read(0x2080, 4) == 0
