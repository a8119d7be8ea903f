"""How the assembly is written: headers, contracts of functions, sizes, no bare numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guestos.images import root
from toyvm.isa.csr import CSRS

LINES = 200
SOURCES = sorted(root().rglob("*.s"))
INCLUDES = [p for p in sorted(root().rglob("*.inc")) if p.name not in ("csr.inc", "platform.inc")]
NAMES = [str(path.relative_to(root())) for path in SOURCES]
CSR_NAMES = {csr.name for csr in CSRS}
FUNCTION = re.compile(r"^([a-z]\w*):", re.M)


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_a_source_says_what_it_is(path: Path) -> None:
    text = path.read_text("utf-8")
    head = text.split("\n\n", 1)[0]
    assert head.startswith(f"# {path.name}: "), "the first line names the file and what it is"
    for word in ("# Purpose: ", "Mode: ", "# Entry points: "):
        assert word in head, word
    assert len(text.splitlines()) <= LINES


@pytest.mark.parametrize("path", INCLUDES, ids=[str(p.relative_to(root())) for p in INCLUDES])
def test_an_include_says_what_it_is(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith(f"# {path.name}: ")
    assert len(text.splitlines()) <= LINES


def without_comments(text: str) -> str:
    return re.sub(r"#.*", "", text)


def exported(text: str) -> set[str]:
    return set(re.findall(r"^\s*\.globl (\w+)", text, re.M))


KERNEL_SOURCES = [path for path in SOURCES if path.parent.name != "probes"]
DATA = re.compile(r"(?ms)^    \.section \.(?:rodata|data|bss).*?(?=^    \.section \.text|\Z)")


def is_described_elsewhere(name: str) -> bool:
    """Hooks are described where they are called; marks and trap entries have no caller."""
    return name.startswith("on_") or name == "trap_entry" or name.endswith(("_start", "_end"))


@pytest.mark.parametrize(
    "path", KERNEL_SOURCES, ids=[str(p.relative_to(root())) for p in KERNEL_SOURCES]
)
def test_functions_state_their_contract(path: Path) -> None:
    text = path.read_text("utf-8")
    for name in sorted(exported(text) & set(FUNCTION.findall(DATA.sub("", text)))):
        if is_described_elsewhere(name):
            continue
        block = text.split(f"\n{name}:", 1)[0].rsplit("\n\n", 1)[-1]
        assert "# In: " in block, f"{name}: what it gets"
        assert "Out: " in block, f"{name}: what it gives"
        assert "Clobbers: " in block or "does not return" in block, f"{name}: what it destroys"


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_csrs_and_addresses_have_names(path: Path) -> None:
    for number, line in enumerate(without_comments(path.read_text("utf-8")).splitlines(), 1):
        place = f"{path.name}:{number}: {line.strip()}"
        found = re.match(r"\s*csr\w+\s+(.*)", line)
        if found:
            operands = [word.strip() for word in found[1].split(",")]
            bare = [word for word in operands[:2] if re.fullmatch(r"0x[0-9a-f]+", word)]
            assert not bare, f"{place}: a CSR by number"
        offset = re.search(r"\b(?:lw|lh|lhu|lb|lbu|sw|sh|sb)\s+\w+,\s*(-?\w+)\(", line)
        if offset and re.fullmatch(r"-?(0x[0-9a-f]+|\d+)", offset[1]):
            assert abs(int(offset[1], 0)) < 10, f"{place}: an offset without a name"
        if "UART0" not in line and re.search(r"\bli\s+\w+,\s*0x[0-9a-f]{7,}", line):
            assert path.parent.name == "probes", f"{place}: an address without a name"


def test_csr_names_are_the_specifications() -> None:
    used = set()
    for path in SOURCES:
        for found in re.findall(
            r"^\s*csr[rwsc]\w*\s+(.*)", without_comments(path.read_text("utf-8")), re.M
        ):
            used |= {word.strip() for word in found.split(",")} & CSR_NAMES
    assert {"mstatus", "satp", "stvec", "mepc", "medeleg", "pmpaddr0"} <= used
