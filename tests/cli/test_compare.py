"""`toyvm compare` on the command line."""

from __future__ import annotations


def test_a_guest_is_equal(cli, tmp_path):
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(64 << 10))
    result = cli("compare", "probe-blk", "--drive", disk)
    assert result.code == 0
    assert "probe-blk: bare and virtualised are equal; it ended with code 0" in result.out
    assert "errors of virtualisation only" in result.out
    assert disk.read_bytes() == bytes(64 << 10), "both sides work on copies"


def test_a_bug_is_shown_with_its_instruction(cli):
    result = cli("compare", "probe-deleg", "--bug", "spp-set")
    assert result.code == 1
    assert "differ after step " in result.out
    assert "in U-mode: ecall" in result.out
    assert "the last exits of the VM:" in result.out
    facts = cli("compare", "probe-deleg", "--bug", "spp-set", "--json").json
    assert facts["equal"] is False
    assert facts["difference"]["instruction"] == "ecall"
    assert {row[0] for row in facts["difference"]["values"]} == {"mstatus", "sstatus"}


def test_json_of_an_equal_run(cli):
    facts = cli("compare", "hello", "--json", "--every", "5").json
    assert facts["equal"] is True
    assert (facts["ended"], facts["code"]) == ("exit", 0)
    assert facts["memory_checks"] > 2
    assert facts["difference"] is None


def test_every_technique(cli):
    assert cli("compare", "hello", "--technique", "s").code == 0
    result = cli("compare", "hello", "--technique", "pv")
    assert result.code == 0
    assert "the bare machine answers the hypervisor's calls" in result.out
    facts = cli("compare", "hello", "--technique", "upv", "--json").json
    assert (facts["equal"], facts["hypercalls"]) == (True, 0)
    assert cli("compare", "hello", "--technique", "xyz").code == 2


def test_wrong_usage(cli):
    assert cli("compare", "hello", "--every", "0").code == 2
    result = cli("compare", "hello", "--net", "socket:localhost:1")
    assert result.code == 2
    assert "expected none" in result.err
    assert 'did you mean "spp-set"' in cli("compare", "hello", "--bug", "sp-set").err
    assert cli("compare", "no-such-guest").code == 2


def test_every_technique_can_be_compared(cli):
    """The bare side has none, which is no mistake of the user's."""
    result = cli("compare", "hello", "--technique", "s")
    assert (result.code, result.err) == (0, "")
    assert "bare and virtualised are equal" in result.out
    assert "expected u, s, pv or upv" in cli("compare", "hello", "--technique", "x").err


def test_the_bugs_can_be_listed_here_too(cli):
    listed = cli("compare", "hello", "--bug", "list", "--json")
    assert listed.code == 0
    assert listed.json == cli("prove", "--bug", "list", "--json").json


def test_a_guest_that_dies_is_told_in_a_sentence(cli, source):
    image = source("    .globl _start\n_start:\n    csrw stvec, zero\n    .word 0\n")
    result = cli("compare", image, "--max-insns", "30000")
    assert "are equal; it died: trap loop" in result.out
