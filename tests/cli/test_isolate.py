"""`toyvm isolate` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

LAB = """
[switch.lan]
[vm.bad]
image = "bad.s"
bios = "none"
ram = "1M"
net = ["lan"]
[vm.good]
image = "probe-blk"
ram = "1M"
drive = ["good.img"]
net = ["lan"]
"""
BAD = ".globl _start\n_start: sw sp, 0(sp)\n addi sp, sp, 44\n j _start\n"


@pytest.fixture
def lab(tmp_path) -> Path:
    (tmp_path / "bad.s").write_text(BAD)
    (tmp_path / "good.img").write_bytes(bytes(64 << 10))
    path = tmp_path / "lab.toml"
    path.write_text(LAB)
    return path


def test_a_guest_does_not_notice_another(cli, lab):
    result = cli("isolate", lab, "bad", "good")
    assert result.code == 0, result.err
    assert "good does not notice bad" in result.out
    assert "bad's cable to lan is cut" in result.out
    assert (lab.parent / "good.img").read_bytes() == bytes(64 << 10), "runs work on copies"


def test_json(cli, lab):
    facts = cli("isolate", lab, "bad", "good", "--json").json
    assert facts["isolated"] is True
    assert facts["with"] == facts["without"]
    assert facts["with"]["ended"] == "exit"
    assert facts["frames_outside"] > 500
    assert facts["frames_written"] == []
    assert facts["cables_cut"] == ["lan"]


def test_wrong_usage(cli, lab):
    result = cli("isolate", lab, "bat", "good")
    assert result.code == 2
    assert 'did you mean "bad"' in result.err
    assert cli("isolate", lab, "good", "good").code == 2
    assert cli("isolate", lab, "bad", "good", "--until", "0").code == 2
    assert cli("isolate", lab.parent / "none.toml", "a", "b").code == 2
