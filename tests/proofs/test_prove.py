"""The prover: what it finds on our machine, what it finds on broken ones, and that it can see."""

from __future__ import annotations

import numpy as np
import pytest

from toyvm import jit
from toyvm.hart import decode
from toyvm.isa import csr
from toyvm.isa.decode import decode as decode_insn
from toyvm.isa.op import Op
from toyvm.proofs import prove as proving
from toyvm.proofs import scan, states
from toyvm.proofs.bugs import BUGS, BY_NAME, HART

SAMPLE = 60_000 if jit.COMPILED else 500
#: Which instructions trap in U-mode only, typed from the privileged manual: the returns (§3.3.2),
#: wfi (§3.3.3), sfence.vma (§4.2.1); CSR instructions are judged by their number.
PRIVILEGED = {Op.MRET, Op.SRET, Op.WFI, Op.SFENCE_VMA}
ALWAYS = {Op.ECALL, Op.EBREAK}


@pytest.fixture(scope="module")
def prover() -> proving.Prover:
    return proving.Prover()


def word_array(*words: int) -> np.ndarray:
    return np.array(words, dtype=np.int64)


def expected(word: int) -> set[int]:
    """The classes that the manuals leave for a word; for a CSR see `csr_class`."""
    found = decode_insn(word)
    if found is None:
        return {scan.UNDECODED}
    if found.op in PRIVILEGED:
        return {scan.PRIVILEGED, scan.PRIVILEGED | scan.SENSITIVE}
    if found.op in ALWAYS:
        return {scan.TRAPS}
    if word & 0x7F == 0x73:
        return csr_class(word)
    # Jumps and atomics may be misaligned, loads and stores beside the memory there is.
    return {scan.INNOCUOUS, scan.OUTSIDE, scan.TRAPS}


def csr_class(word: int) -> set[int]:
    """By the number alone (Privileged, §2.1): bits 9:8 are the lowest mode, 11:10 read-only."""
    number, form, source = word >> 20, word >> 12 & 3, word >> 15 & 31
    writes = form == 1 or source != 0
    if number not in csr.BY_NUMBER or (writes and number >> 10 == 3):
        return {scan.TRAPS}
    return {scan.PRIVILEGED, scan.PRIVILEGED | scan.SENSITIVE}


def test_a_sample_is_as_the_manuals_say(prover: proving.Prover) -> None:
    words = np.random.default_rng(7).integers(0, 1 << 32, SAMPLE, dtype=np.int64)
    words = np.concatenate([words, words[: SAMPLE // 2] & ~0x7F | 0x73, words & ~0x7F | 0x2F])
    kinds = prover.hart(words)
    wrong = [hex(w) for w, k in zip(words, kinds, strict=True) if int(k) not in expected(int(w))]
    assert not wrong


def test_what_the_hypervisor_emulates_is_what_the_bare_machine_does(
    prover: proving.Prover,
) -> None:
    words = proving.directed()
    assert not prover.guest(words if jit.COMPILED else words[::97]).any()


def test_a_sample_holds() -> None:
    proof = proving.prove(sample=SAMPLE) if jit.COMPILED else None
    if proof is None:
        pytest.skip("too many words for plain Python")
    assert proof.holds
    assert proof.finding is None
    assert proof.words == SAMPLE
    assert proof.executed < proof.words
    assert proof.by_class()["privileged"] > 4000


def test_the_pattern_table_refuses_only_what_the_decoder_refuses() -> None:
    possible = states.possible()
    assert 0 < possible.sum() < 200
    words = np.random.default_rng(8).integers(0, 1 << 32, 5000, dtype=np.int64)
    for word in (int(w) for w in words):
        key = word >> 5 & 0x380 | word & 0x7F
        if decode_insn(word) is not None:
            assert possible[key], hex(word)
        assert (decode_insn(word) is None) == (int(decode_find(word)) == 0)


def decode_find(word: int) -> int:
    """What the compiled decoder would search for, in plain Python."""
    rows = np.flatnonzero((word & decode._MASK) == decode._MATCH)
    return int(decode._OP[rows[0]]) if len(rows) else 0


@pytest.mark.parametrize("bug", [bug.name for bug in BUGS])
def test_a_bug_is_found_and_named(bug: str) -> None:
    prover = proving.Prover(bug)
    proof = proving.Proof(prover.bug)
    words = proving.directed()
    if not jit.COMPILED:
        words = words[np.isin(words, [SHOWN[bug], 0x73])]
    prover.block(words, proof)
    assert not proof.holds
    finding = proof.finding
    assert finding is not None
    assert finding.table, "what differs is shown"
    broken = proof.by_class()
    if BY_NAME[bug].where == HART:
        assert broken["sensitive but unprivileged"]
        assert finding.kind == "sensitive but unprivileged"
    else:
        assert broken["wrongly emulated"]
        assert finding.kind == "wrongly emulated"
    # The word that shows the bug by its description, among those found.
    one = word_array(SHOWN[bug])
    kinds = prover.hart(one) if BY_NAME[bug].where == HART else prover.guest(one)
    assert int(kinds[0]) & 0x1F >= scan.BY_MODE


#: A word on which the bug shows, from its description.
SHOWN = {
    "sfence-u": 0x1200_0073,  # sfence.vma
    "wfi-nop": 0x1050_0073,  # wfi
    "counters": 0xC000_2573,  # rdcycle a0
    "popf": 0x1002_9073,  # csrw sstatus, t0
    "smsw": 0x1000_2573,  # csrr a0, sstatus
    "sret-u": 0x1020_0073,  # sret
    "csr-ignored": 0x5C00_2573,  # csrr a0, 0x5c0
    "csr-value": 0xF14F_A573,  # csrrs a0, mhartid, t6 with t6 = 0
    "x0-written": 0x1050_1073,  # csrw stvec, zero
    "no-check": 0x1000_2573,  # csrr a0, sstatus
    "sret-vu": 0x1020_0073,
    "mret-vs": 0x3020_0073,
    "spp-set": 0x0000_0073,  # ecall
    "spie-lost": 0x0000_0073,
    "handler-plus-4": 0x5C00_2573,
    "stvec-mode": 0x1052_9073,  # csrw stvec, t0 with t0 = -1
    "vectored": 0x0000_0073,
    "sip-all": 0x1442_9073,  # csrw sip, t0
    "ecall-cause": 0x0000_0073,
    "ebreak-eaten": 0x0010_0073,  # ebreak
    "sret-plus-4": 0x1020_0073,
    "mpp-two": 0x3003_9073,  # csrw mstatus, t2 with MPP = 2 in t2
}


def test_every_bug_has_its_word_and_its_own_number() -> None:
    assert set(SHOWN) == set(BY_NAME)
    assert sorted(bug.number for bug in BUGS) == list(range(1, len(BUGS) + 1))


def test_memory_that_differs_is_seen(prover: proving.Prover) -> None:
    """The comparison of memories can fail: spoil one state's page, and a word is blamed."""
    state = prover.states[2]
    at = int(state.place[scan.DATA_AT + 1]) + 40
    state.core.ram[at] ^= 1
    kinds = prover.hart(word_array(0x0000_0013, 0x0000_0013), batch=1)
    assert [int(kind) for kind in kinds] == [scan.BY_STATUS, scan.INNOCUOUS]
    assert not (prover.hart(word_array(0x0000_0013)) & scan.MEMORY).any(), "and mended"
