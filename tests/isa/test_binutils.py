"""The tables against GNU as and objdump, where they are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.isa.minias import assemble
from tests.isa.words import instructions
from toyvm.isa.csr import BY_NUMBER, CSRS
from toyvm.isa.decode import decode, encode
from toyvm.isa.disasm import disasm
from toyvm.isa.op import Op
from toyvm.isa.pseudo import PSEUDOS
from toyvm.isa.syntax import NAME

PREFIX = "riscv64-unknown-elf-"
TOOLS = [PREFIX + name for name in ("as", "ld", "objcopy", "objdump")]
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING),
    reason=f"not installed: {', '.join(MISSING)} (Debian: binutils-riscv64-unknown-elf)",
)

PC = 0x8000_0000
BRANCHES = ("B", "J")


def gnu_as(lines: list[str], folder: Path) -> list[int]:
    """The words that GNU as and ld make of the lines at PC."""
    source, obj, elf, flat = (folder / f"t.{end}" for end in ("s", "o", "elf", "bin"))
    source.write_text(".option norelax\n.globl _start\n_start:\n" + "\n".join(lines) + "\n")
    for command in (
        ["as", "-march=rv32ima_zicsr_zifencei", "-mabi=ilp32", "-o", obj, source],
        ["ld", "-m", "elf32lriscv", "--no-relax", f"-Ttext={PC:#x}", "-o", elf, obj],
        ["objcopy", "-O", "binary", elf, flat],
    ):
        done = subprocess.run([PREFIX + command[0], *command[1:]], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    data = flat.read_bytes()
    return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]


def objdump(words: list[int], folder: Path, *options: str) -> list[str]:
    """The text of each word at PC + 4 * index, without symbols and comments."""
    flat = folder / "t.bin"
    flat.write_bytes(b"".join(w.to_bytes(4, "little") for w in words))
    done = subprocess.run(
        [PREFIX + "objdump", "-D", "-z", "-b", "binary", "-m", "riscv:rv32",
         f"--adjust-vma={PC:#x}", *options, flat],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = re.findall(r"^ *[0-9a-f]+:\t[0-9a-f]+ +\t(.+)$", done.stdout, re.MULTILINE)
    return [re.sub(r" # .*", "", line).replace("\t", " ").strip() for line in lines]


def relative(word: int, text: str) -> str:
    """The line with its target as a distance, which GNU as takes at any address."""
    decoded = decode(word)
    assert decoded is not None
    if decoded.insn.fmt not in BRANCHES:
        return text
    return re.sub(r"0x[0-9a-f]+$", f". + ({decoded.imm})", text)


def common(text: str) -> list[str]:
    """Mnemonic and operands, numbers in decimal and without spaces, as both spell them."""
    words = re.findall(r"-?[\w.]+", text)
    return [str(int(w, 0)) if re.fullmatch(r"-?(0x[0-9a-f]+|\d+)", w) else w for w in words]


def comparable(words: list[int]) -> list[int]:
    """The words without those that objdump shows otherwise for a reason.

    These are fences with reserved fields, which we show as data with a comment, and CSRs that
    this machine does not have but objdump has a name for (hypervisor, floating point, debug).
    """
    decoded = [(w, decode(w)) for w in words if not disasm(w).startswith(".word")]
    return [
        w for w, d in decoded if d and (d.insn.fmt not in ("CSR", "CSRI") or d.csr in BY_NUMBER)
    ]


@pytest.mark.parametrize("pseudo", [True, False])
def test_gnu_as_makes_the_same_words_of_our_text(tmp_path: Path, pseudo: bool) -> None:
    words = list(instructions(samples=40, seed=4))
    # GNU as cannot write an empty set of accesses.
    words = [w for w in words if not re.match(r"fence .*\b0\b", disasm(w))]
    lines = [relative(w, disasm(w, PC, pseudo=pseudo)) for w in words]
    made = gnu_as(lines, tmp_path)
    assert len(made) == len(words)
    wrong = [(hex(a), hex(b), t) for a, b, t in zip(words, made, lines, strict=True) if a != b]
    assert not wrong


def test_objdump_shows_the_same_real_instructions(tmp_path: Path) -> None:
    words = comparable(list(instructions(samples=40, seed=5)))
    theirs = objdump(words, tmp_path, "-M", "no-aliases")
    assert len(theirs) == len(words)
    for pc, word, line in zip(range(PC, PC + 4 * len(words), 4), words, theirs, strict=True):
        ours = re.sub(r"^(fence.*)\b0\b", r"\1unknown", disasm(word, pc, pseudo=False))
        ours = re.sub(r"^(fence) 0", r"\1 unknown", ours)
        assert common(ours) == common(line), hex(word)


# Where objdump has a shorter mnemonic for an immediate form; ours keeps the real one.
SHORTER = {
    "addi": "add", "xori": "xor", "ori": "or", "andi": "and",
    "slli": "sll", "srli": "srl", "srai": "sra",
    "csrwi": "csrw", "csrsi": "csrs", "csrci": "csrc",
    "csrrwi": "csrrw", "csrrsi": "csrrs", "csrrci": "csrrc",
}  # fmt: skip


def test_objdump_shows_the_same_pseudo_instructions(tmp_path: Path) -> None:
    words = [w for w in comparable(list(instructions(samples=60, seed=6))) if w & 0x7F != 0x0F]
    theirs = objdump(words, tmp_path)
    assert len(theirs) == len(words)
    for pc, word, line in zip(range(PC, PC + 4 * len(words), 4), words, theirs, strict=True):
        mnemonic, *operands = common(disasm(word, pc))
        assert [SHORTER.get(mnemonic, mnemonic), *operands] == common(line), hex(word)


def test_objdump_has_the_same_names_for_the_csrs(tmp_path: Path) -> None:
    words = [encode(Op.CSRRW, rd=1, rs1=1, csr=c.number) for c in CSRS]
    names = [line.split(",")[1] for line in objdump(words, tmp_path)]
    assert names == [c.name for c in CSRS]


SAMPLES = {"rd": "a0", "rs1": "a1", "rs2": "a2", "imm": ". + 16", "csr": "mscratch", "uimm": "7"}


def test_gnu_as_expands_the_pseudo_instructions_to_the_same_words(tmp_path: Path) -> None:
    rows = [p for p in PSEUDOS if not p.computed]
    for row in rows:
        values = dict(SAMPLES)
        if row.mnemonic in ("jr", "jalr"):
            values["imm"] = "16"
        mnemonic, _, rest = row.syntax.partition(" ")
        line = f"{mnemonic} {NAME.sub(lambda m, v=values: v[m[0]], rest)}".strip()
        ours = assemble(line.replace(". + 16", hex(PC + 16)), PC)
        assert gnu_as([line], tmp_path) == ours, line
    assert len(rows) > 40


def test_the_generated_includes_are_accepted_by_gnu_as(tmp_path: Path) -> None:
    include = Path(__file__).parents[2] / "guestos" / "include"
    lines = [f'.include "{include / name}"' for name in ("csr.inc", "platform.inc")]
    lines += [".word MSTATUS_MPP, MIP_MTIP, CAUSE_ECALL_U, SATP_MODE, UART0_BASE"]
    expected = [3 << 11, 1 << 7, 8, 1 << 31, 0x1000_0000]
    assert gnu_as(lines, tmp_path) == expected
