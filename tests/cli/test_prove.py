"""`toyvm prove` on the command line."""

from __future__ import annotations


def test_a_sample_holds_and_is_told_kindly(cli):
    result = cli("prove", "--sample", "30000")
    assert result.code == 0
    assert "Popek and Goldberg" in result.out
    assert "No word of the sample breaks a condition" in result.out
    assert "sensitive but unprivileged" not in result.out


def test_json_counts_what_was_executed_and_what_was_not(cli):
    facts = cli("prove", "--sample", "30000", "--json").json
    assert facts["holds"] is True
    assert facts["words"] == 30000 == facts["executed"] + facts["by_decoding_alone"]
    assert sum(facts["classes"].values()) == facts["words"]
    assert facts["classes"]["sensitive but unprivileged"] == 0
    assert facts["finding"] is None
    assert facts["words_per_second"] > 0


def test_a_bug_ends_with_1_and_names_the_word(cli):
    result = cli("prove", "--bug", "sfence-u", "--sample", "30000")
    assert result.code == 1
    assert "0x12000073  sfence.vma" in result.out
    assert "is sensitive but unprivileged" in result.out
    assert "What it breaks: theorem" in result.out
    facts = cli("prove", "--bug", "csr-value", "--sample", "30000", "--json").json
    assert facts["finding"]["class"] == "wrongly emulated"
    assert facts["finding"]["differences"]
    assert facts["bug"] == "csr-value"


def test_the_bugs_are_listed(cli):
    result = cli("prove", "--bug", "list")
    assert result.code == 0
    assert "wfi-nop" in result.out
    assert len(cli("prove", "--bug", "list", "--json").json) >= 20


def test_wrong_usage(cli):
    result = cli("prove", "--bug", "sfence")
    assert result.code == 2
    assert 'no such bug; did you mean "sfence-u"?' in result.err
    assert cli("prove", "--sample", "-3").code == 2
