"""`toyvm prove`: Popek and Goldberg's conditions, by executing instruction words.

For every word two questions are asked.  *The hart*: does it do the same in U-mode whatever the
status bits, the place in memory and the owner of the machine, and the same as in the other modes,
without touching the machine itself, or else does it trap?  *The hypervisor*: if it traps, does its
emulation leave the virtual machine as the bare one?
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from toyvm.hart import state as s
from toyvm.isa import csr
from toyvm.isa.disasm import disasm
from toyvm.proofs import scan, states
from toyvm.proofs.bugs import BUGS, BY_NAME, HART, Bug

WORDS: Final = 1 << 32
BLOCK: Final = 1 << 20
"""Words of one call of compiled code: those of one CSR number, as it happens."""
BATCH: Final = 1024
"""Words between two comparisons of the states' memories."""
CHECKED: Final = 4096
"""One in so many of the words that the decoder refuses is executed all the same."""
STRIDE: Final = 2_654_435_769
"""An odd number near 2^32 / golden ratio: a sample lies evenly among all words."""

CLASSES: Final = {
    scan.INNOCUOUS: ("innocuous", "retires, the same in every state"),
    scan.OUTSIDE: ("innocuous", "reaches beside its memory: the same fault in every state"),
    scan.TRAPS: ("innocuous", "traps in every mode"),
    scan.UNDECODED: ("innocuous", "no instruction, by decoding alone: illegal in every state"),
    scan.PRIVILEGED: ("privileged", "traps in U-mode only; acts on nothing that was seen"),
    scan.PRIVILEGED | scan.SENSITIVE: ("privileged", "traps in U-mode only, and is sensitive"),
    scan.BY_MODE: ("sensitive but unprivileged", "another result in another mode"),
    scan.BY_STATUS: ("sensitive but unprivileged", "depends on the status bits"),
    scan.BY_RELOCATION: ("sensitive but unprivileged", "depends on where memory lies"),
    scan.BY_OWNER: ("sensitive but unprivileged", "depends on whose the machine is"),
    scan.CONTROL: ("sensitive but unprivileged", "changes the machine without a trap"),
    scan.NOT_EQUIVALENT: ("wrongly emulated", "the hypervisor differs from the bare machine"),
}
BROKEN: Final = {key for key, (name, _) in CLASSES.items() if name[0] in "sw"}


@dataclass(frozen=True)
class Finding:
    """A word that breaks a condition: its class, and what it left in two states."""

    word: int
    text: str
    kind: str
    meaning: str
    states: tuple[str, str]
    table: list[tuple[str, str, str]]
    """(what, in the one state, in the other)."""


@dataclass
class Proof:
    """What a scan found.  `counts` by class of `scan`; `executed` counts words, not steps."""

    bug: Bug | None = None
    counts: Counter[int] = field(default_factory=Counter)
    words: int = 0
    executed: int = 0
    checked: int = 0
    emulated: int = 0
    seconds: float = 0.0
    finding: Finding | None = None
    whole: bool = True

    @property
    def holds(self) -> bool:
        """True if no word breaks a condition."""
        return not any(self.counts[kind] for kind in BROKEN)

    @property
    def rate(self) -> float:
        """Words a second."""
        return self.words / self.seconds if self.seconds else 0.0

    def by_class(self) -> dict[str, int]:
        """Words by class name."""
        sums = {"innocuous": 0, "privileged": 0, "sensitive but unprivileged": 0}
        sums["wrongly emulated"] = 0
        for kind, count in self.counts.items():
            sums[CLASSES[kind][0]] += count
        return sums


class Prover:
    """The states and the two scans over them, by a hart or hypervisor with `bug` (None: ours)."""

    def __init__(self, bug: str | None = None) -> None:
        self.bug = BY_NAME[bug] if bug else None
        number = self.bug.number if self.bug else 0
        on_hart = self.bug is not None and self.bug.where == HART
        self._hart_bug = np.int64(number if on_hart else 0)
        self._guest_bug = np.int64(0 if on_hart else number)
        self.states = states.hart_states()
        self.pair = states.GuestPair()
        self._layout = states.layout()
        self._addresses = states.addresses()
        self._values = states.values()
        self._possible = states.possible()
        self._bases = {name: self.pair.base(name) for name in states.GUESTS}

    def hart(self, words: np.ndarray, batch: int = BATCH, undecoded: bool = False) -> np.ndarray:
        """Class of each word (uint8) by what a hart does with it."""
        kinds = np.zeros(len(words), dtype=np.uint8)
        parts: list[Any] = []
        for state in self.states:
            parts += [state.core, state.base, state.place]
        scan.hart_scan(
            words, kinds, np.int64(batch), self._hart_bug, self._layout, self._addresses,
            *parts, self._possible, np.int64(undecoded),
        )  # fmt: skip
        again = np.flatnonzero(kinds & scan.MEMORY)
        if len(again) and batch > 1:
            kinds[again] = self.hart(words[again], 1, undecoded)
        elif len(again):
            kinds[again] = scan.BY_STATUS
        return kinds

    def guest(self, words: np.ndarray) -> np.ndarray:
        """NOT_EQUIVALENT for each word that is emulated wrongly in any virtual state, else 0."""
        kinds = np.zeros(len(words), dtype=np.uint8)
        for name in states.GUESTS:
            self._guest_scan(words, kinds, name)
        return kinds

    def _guest_scan(self, words: np.ndarray, kinds: np.ndarray, name: str) -> None:
        vm, pair = self.pair.vm, self.pair
        scan.guest_scan(
            words, kinds, self._guest_bug, self._values, self._bases[name],
            pair.bare.core, pair.bare_at, vm.hart.core, vm.hart.guest_core, vm.control,
            pair.guest_at,
        )  # fmt: skip

    def block(self, words: np.ndarray, proof: Proof) -> None:
        """Classify a block of words and add it to the proof."""
        kinds = self.hart(words)
        refused = np.flatnonzero(kinds == scan.UNDECODED)
        sample = refused[::CHECKED]
        if len(sample):
            kinds[sample] = self.hart(words[sample], undecoded=True)
        trapping = kinds & (0xFF ^ scan.SENSITIVE)
        emulated = np.flatnonzero((trapping == scan.TRAPS) | (trapping == scan.PRIVILEGED))
        wrong = self.guest(words[emulated])
        kinds[emulated[wrong != 0]] = scan.NOT_EQUIVALENT
        proof.words += len(words)
        proof.checked += len(sample)
        proof.executed += len(words) - len(refused)
        proof.emulated += len(emulated)
        kinds[sample] = np.where(kinds[sample] == scan.TRAPS, scan.UNDECODED, kinds[sample])
        for kind, count in enumerate(np.bincount(kinds, minlength=1)):
            if count:
                proof.counts[kind] += int(count)
        if proof.finding is None and not proof.holds:
            broken = np.flatnonzero(np.isin(kinds, list(BROKEN)))
            # What depends on the machine tells more than what is only missing in a mode.
            telling = broken[kinds[broken] != scan.BY_MODE]
            first = int(telling[0] if len(telling) else broken[0])
            proof.finding = self.explain(int(words[first]), int(kinds[first]))

    def explain(self, word: int, kind: int) -> Finding:
        """Do a word again and say what differs."""
        one = np.array([word], dtype=np.int64)
        name, meaning = CLASSES[kind]
        text = disasm(word, states.ENTRY)
        if kind == scan.NOT_EQUIVALENT:
            return self._explain_guest(one, text)
        self.hart(one, 1, undecoded=True)
        # M-mode, unless what was seen there is what U-mode shows as well.
        mode = 5 if self.states[5].place[-1] or not self.states[4].place[-1] else 4
        other = {
            scan.BY_MODE: mode, scan.BY_STATUS: 1, scan.BY_RELOCATION: 2, scan.BY_OWNER: 3,
            scan.CONTROL: 5,
        }[kind]  # fmt: skip
        a, b = self.states[0], self.states[other]
        if kind == scan.CONTROL and np.array_equal(a.core.p[: s.CAUSE], b.core.p[: s.CAUSE]):
            b = self.states[4]
        table = _outcomes(a, b)
        table += differences(a.core.p, a.core.x, b.core.p, b.core.x, (a.base, b.base))
        return Finding(word, text, name, meaning, (a.name, b.name), table)

    def _explain_guest(self, one: np.ndarray, text: str) -> Finding:
        name, meaning = CLASSES[scan.NOT_EQUIVALENT]
        for state in states.GUESTS:
            kinds = np.zeros(1, dtype=np.uint8)
            self._guest_scan(one, kinds, state)
            if kinds[0]:
                break
        bare, vm = self.pair.bare, self.pair.vm
        table = differences(bare.p, bare.x, vm.record, vm.x)
        names = (state.replace("virtual ", "") + ", bare", f"{state}, emulated")
        return Finding(int(one[0]), text, name, meaning, names, table)


FIELDS: Final = {
    value: name.lower()
    for name, value in vars(s).items()
    if name.isupper() and isinstance(value, int) and s.PC <= value < s.RESERVATION
    and not name.startswith(("EFFECT", "MODE_"))
}  # fmt: skip
_MODES: Final = {0: "U", 1: "S", 3: "M"}


def _outcomes(a: states.State, b: states.State) -> list[tuple[str, str, str]]:
    """How the last step of two states ended, and what it fenced, where these differ."""

    def ending(state: states.State) -> str:
        value = int(state.place[-1])
        cause = value >> 32 & 0xFF
        return {
            scan.RETIRED: "retired",
            scan.LEFT: "sleeps",
            scan.BESIDE: f"fault at {value & s.MASK32:#x}",
        }.get(value >> 40, f"trap, cause {cause}")

    def fenced(state: states.State) -> str:
        va = int(state.core.p[s.FENCE_VA])
        return {scan.NO_FENCE: "nothing", -1: "all addresses"}.get(va, f"{va:#x}")

    rows = [("outcome", ending(a), ending(b)), ("fenced", fenced(a), fenced(b))]
    return [row for row in rows if row[1] != row[2]]


def differences(
    a: np.ndarray,
    ax: np.ndarray,
    b: np.ndarray,
    bx: np.ndarray,
    before: tuple[np.ndarray, np.ndarray] | None = None,
) -> list[tuple[str, str, str]]:
    """The registers and fields in which two states differ, as text.

    With `before`, a field counts as different if it was changed in one state and not in the other.
    """
    rows = []
    fields = [f for f in range(s.PC, s.RESERVATION) if f in FIELDS]
    for at in (*fields, *range(s.PMPCFG, s.PMPADDR + 16)):
        one, other = int(a[at]), int(b[at])
        shown = one != other
        if before is not None and at != s.PC:
            moved = (one - int(before[0][at]), other - int(before[1][at]))
            shown = moved[0] != moved[1] if at == s.STEPS else any(moved)
        if shown:
            name = FIELDS.get(at, f"pmpaddr{at - s.PMPADDR}")
            if s.PMPCFG <= at < s.PMPADDR:
                name = f"pmp{at - s.PMPCFG}cfg"
            texts = [_MODES.get(v, str(v)) if at == s.MODE else hex(v) for v in (one, other)]
            rows.append((name, texts[0], texts[1]))
    for i in range(32):
        if ax[i] != bx[i]:
            rows.append((f"x{i}", hex(int(ax[i])), hex(int(bx[i]))))
    return rows


def directed() -> np.ndarray:
    """SYSTEM words that a sample must not miss.

    Every CSR in all forms and with all kinds of registers, each number that is no CSR read and
    written, every word with function 0, and fences.
    """
    words = [number << 20 | 0x73 for number in range(4096)]
    for number in range(4096):
        exists = number in csr.BY_NUMBER
        for form in (1, 2, 3, 5, 6, 7) if exists else (1, 2):
            for source in (0, 5, 7, states.ZERO) if exists else (0,):
                for rd in (0, 10) if exists else (10,):
                    words.append(number << 20 | source << 15 | form << 12 | rd << 7 | 0x73)
    words += [0x12000073 | rs2 << 20 | rs1 << 15 for rs1 in range(32) for rs2 in (0, 1, 31)]
    return np.array(sorted(set(words)), dtype=np.int64)


def blocks(sample: int | None) -> Iterator[np.ndarray]:
    """All words in order, or an even sample of `sample` words (at least the directed ones)."""
    if sample is None:
        for first in range(0, WORDS, BLOCK):
            yield np.arange(first, first + BLOCK, dtype=np.int64)
        return
    special = directed()
    yield special
    left = sample - len(special)
    for first in range(0, left, BLOCK):
        order = np.arange(first, min(first + BLOCK, left), dtype=np.int64)
        yield order * STRIDE % WORDS


def prove(
    bug: str | None = None,
    sample: int | None = None,
    report: Callable[[int], None] = lambda done: None,
) -> Proof:
    """Scan all words, or a sample; `report(words done)` shows progress.

    With a bug the scan ends with the first block that breaks a condition.
    """
    prover = Prover(bug)
    proof = Proof(prover.bug, whole=sample is None)
    began = time.monotonic()
    for words in blocks(sample):
        prover.block(words, proof)
        proof.seconds = time.monotonic() - began
        report(proof.words)
        if bug is not None and not proof.holds:
            proof.whole = False
            break
    return proof


__all__ = ["BUGS", "WORDS", "Finding", "Proof", "Prover", "prove"]
