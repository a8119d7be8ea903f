"""The generated files: up to date, and complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toyvm.isa import doc
from toyvm.isa.causes import CAUSES
from toyvm.isa.csr import CSRS
from toyvm.isa.pseudo import PSEUDOS
from toyvm.isa.table import INSNS

OUTPUTS = doc.outputs(Path(__file__).parents[2])


@pytest.mark.parametrize("path", OUTPUTS, ids=lambda p: p.name)
def test_the_file_is_what_the_tables_say(path: Path) -> None:
    assert path.exists(), f"run: {doc.COMMAND}"
    assert path.read_text(encoding="utf-8") == OUTPUTS[path], f"out of date; run: {doc.COMMAND}"


def test_the_document_has_every_row() -> None:
    text = doc.isa_markdown().replace("\\|", "|")
    for row in (*INSNS, *PSEUDOS):
        assert f"| `{row.syntax}`" in text
    for csr in CSRS:
        if not any(ch.isdigit() for ch in csr.name):
            assert f"| {csr.number:#05x} | `{csr.name}` |" in text
    for cause in CAUSES:
        assert f"| `{cause.name}` | {cause.title} |" in text


def test_each_constant_is_defined_once_in_all_the_includes() -> None:
    names: list[str] = []
    for path, text in OUTPUTS.items():
        if path.suffix == ".inc":
            names += re.findall(r"^\.equ (\w+),", text, re.MULTILINE)
    assert len(names) == len(set(names))
    assert len(names) > 150


def test_include_lines_are_well_formed() -> None:
    for path, text in OUTPUTS.items():
        if path.suffix == ".inc":
            for line in text.splitlines():
                assert re.fullmatch(r"|#.*|\.equ [A-Z][A-Z0-9_]*, (0x[0-9a-f]+|\d+)( +# .+)?", line)


def test_writing_makes_the_files_up_to_date_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doc, "outputs", lambda: {tmp_path / "docs" / "isa.md": "new\n"})
    monkeypatch.setattr(doc, "ROOT", tmp_path)
    assert doc.main() == 2
    assert "no such folder; run this in a checkout" in capsys.readouterr().err
    (tmp_path / "docs").mkdir()
    assert doc.main() == 0
    assert (tmp_path / "docs" / "isa.md").read_text() == "new\n"
    assert "written" in capsys.readouterr().out
    assert doc.main() == 0
    assert "up to date" in capsys.readouterr().out
