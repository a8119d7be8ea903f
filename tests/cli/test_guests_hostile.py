"""`toyvm guests --hostile`: hidden unless asked for."""

from __future__ import annotations


def test_hostile_guests_are_listed_only_when_asked_for(cli):
    assert "hostile-" not in cli("guests").out
    assert "hostile-" not in cli("guests", "--probes").out
    text = cli("guests", "--hostile").out
    assert text.count("hostile-") >= 60
    assert 'dies "trap loop"' in text
    assert "teachos" not in text


def test_json_says_what_is_expected(cli):
    rows = cli("guests", "--hostile", "--json").json
    assert {row["kind"] for row in rows} == {"hostile"}
    assert all(row["expect"] for row in rows)


def test_a_hostile_guest_runs_by_name(cli):
    result = cli("run", "hostile-loop-zero", "--vm")
    assert result.code == 1
    assert "trap loop" in result.err
    assert cli("run", "hostile-desc-loop", "--vm", "--drive", "temp:64K").code == 0
