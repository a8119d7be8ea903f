"""Directives that set options or record facts for linkers: .option, .attribute, .ident ..."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..diagnostics import Problem, did_you_mean
from ..elfstrings import TAG_ARCH
from ..lexer import Span, parse_string, split_operands
from ..sections import NOP, SHF_MERGE, SHF_STRINGS
from ..source import decode, encode

if TYPE_CHECKING:
    from ..unit import Unit

_OPTIONS = frozenset(["norvc", "relax", "norelax", "nopic", "nocsr-check", "csr-check"])
_KNOWN = ("push", "pop", "norvc", "relax", "norelax", "nopic", "csr-check", "nocsr-check", "arch")

# What an extension beyond RV32IMA would change here.
_COMPRESSED = "c"
_PRESENT = frozenset(["i", "m", "a", "zicsr", "zifencei", "zmmul", "zaamo", "zalrsc"])


def option(unit: Unit, args: Span) -> None:
    """.option WORD"""
    word, _, rest = args.text.strip().partition(",")
    word = word.strip()
    if word == "push":
        unit.options.append(unit.attributes.get(TAG_ARCH))
    elif word == "pop":
        if not unit.options:
            raise Problem("`.option pop` has no `.option push`", operand=0)
        arch = unit.options.pop()
        unit.attributes.pop(TAG_ARCH, None)
        if arch is not None:
            unit.attributes[TAG_ARCH] = arch
    elif word == "rvc":
        raise Problem("this machine has no compressed instructions", operand=0, expected="norvc")
    elif word == "pic":
        raise Problem("position-independent code is not supported", operand=0, expected="nopic")
    elif word == "arch":
        _arch_changes(rest)
    elif word not in _OPTIONS:
        raise Problem(
            f"`{word}` is not an option",
            operand=0,
            expected="push, pop, norvc, relax, norelax, nopic or arch",
            hint=did_you_mean(word, _KNOWN),
        )


def _arch_changes(text: str) -> None:
    """.option arch, +EXTENSION, -EXTENSION or a whole architecture"""
    parts = [p.strip() for p in text.split(",")]
    if not text.strip():
        raise Problem("an architecture is missing here", expected=".option arch, +m")
    for index, part in enumerate(parts, 1):
        if part.startswith("rv"):
            check_arch(part, index)
            continue
        found = re.fullmatch(r"([-+])([a-z][a-z0-9]*?)(?:\d+p\d+)?", part)
        if found is None:
            raise Problem(
                f"`{part}` is not a change of the architecture",
                operand=index,
                expected="+extension, -extension or an architecture such as rv32ima",
            )
        if found[1] == "+" and found[2] not in _PRESENT:
            raise Problem(
                f"this machine has no extension `{found[2]}`",
                operand=index,
                expected="extensions of RV32IMA: " + ", ".join(sorted(_PRESENT)),
            )


def check_arch(text: str, index: int) -> None:
    """Problem if an architecture's name is malformed, or means other machine code than ours."""
    name = text.lower()
    found = re.match(r"rv(\d+)([a-z].*)$", name)
    if found is None:
        raise Problem(
            f"`{text}` is not an architecture", operand=index, expected="for instance rv32ima_zicsr"
        )
    if found[1] != "32":
        raise Problem(f"`{text}` is not for 32 bits", operand=index, expected="rv32...")
    letters = extensions(found[2])
    if "c" in letters or any(e.startswith("zc") for e in letters):
        raise Problem(
            f"`{text}` has compressed instructions, which this machine has not",
            operand=index,
            expected="rv32ima with zicsr and zifencei",
            hint="compile with -march=rv32ima_zicsr_zifencei -mabi=ilp32",
        )


def extensions(text: str) -> list[str]:
    """The extensions named in an architecture behind its rv32: i2p1_m2p0_zicsr2p0."""
    out: list[str] = []
    for part in text.split("_"):
        if re.match(r"[szx]", part) and len(part) > 1:
            out.append(re.sub(r"\d+p\d+$", "", part))
        else:
            out += re.findall(r"[a-z](?=(?:\d+p\d+|[a-z]|\d*$))", re.sub(r"\d+p\d+", "", part))
    return out


_TAGS = {
    "stack_align": 4, "Tag_RISCV_stack_align": 4,
    "arch": 5, "Tag_RISCV_arch": 5,
    "unaligned_access": 6, "Tag_RISCV_unaligned_access": 6,
    "priv_spec": 8, "Tag_RISCV_priv_spec": 8,
    "priv_spec_minor": 10, "Tag_RISCV_priv_spec_minor": 10,
    "priv_spec_revision": 12, "Tag_RISCV_priv_spec_revision": 12,
}  # fmt: skip


def attribute(unit: Unit, args: Span) -> None:
    """.attribute TAG, VALUE: odd tags have strings, even ones numbers (RISC-V ELF, attributes)."""
    spans = split_operands(args.text, args.start)
    if len(spans) != 2:
        raise Problem("a tag and a value are needed here", expected=".attribute tag, value")
    name = spans[0].text.strip()
    tag = _TAGS.get(name)
    if tag is None:
        if not name[:1].isdigit():
            raise Problem(
                f"`{name}` is not an attribute", operand=0,
                expected="stack_align, arch, unaligned_access or a number",
                hint=did_you_mean(name, _TAGS),
            )  # fmt: skip
        tag = unit.evaluate(spans[0], 0, "a tag")
    if tag & 1:
        try:
            value: int | str = decode(parse_string(spans[1].text, encode))
        except Problem as problem:
            problem.operand, problem.span = 1, None
            raise
        if tag == _TAGS["arch"]:
            check_arch(str(value), 1)
    else:
        value = unit.evaluate(spans[1], 1, "a number")
    if len(unit.attributes) < 1000:
        unit.attributes[tag] = value


def ident(unit: Unit, args: Span) -> None:
    """.ident "text": who made this; .comment keeps it, behind an empty string."""
    try:
        text = parse_string(args.text, encode) + b"\0"
    except Problem as problem:
        problem.operand, problem.span = -2, None
        raise
    current, before = unit.section, unit.previous
    comment = unit.section_named(".comment")
    if not comment.data:
        comment.flags, comment.entsize = SHF_MERGE | SHF_STRINGS, 1
        text = b"\0" + text
    unit.switch(comment)
    unit.emit(text)
    unit.switch(current)
    unit.previous = before


def version(unit: Unit, args: Span) -> None:
    """.version "text": a note (System V ABI, chapter 5) of type 1 with the text as its name."""
    try:
        text = parse_string(args.text, encode) + b"\0"
    except Problem as problem:
        problem.operand, problem.span = -2, None
        raise
    current, before = unit.section, unit.previous
    unit.switch(unit.section_named(".note"))
    unit.section.align = max(unit.section.align, 4)
    header = b"".join(n.to_bytes(4, "little") for n in (len(text), 0, 1))
    unit.emit(header + text + bytes(-len(text) % 4))
    unit.switch(current)
    unit.previous = before


def nop(unit: Unit, args: Span) -> None:
    """.nop: an instruction that does nothing"""
    if args.text.strip():
        raise Problem("`.nop` takes no operands", operand=-2)
    unit.emit(NOP, instruction=True)


def accepted(unit: Unit, args: Span) -> None:
    """A directive for linkers, listings or other tools that changes no byte here."""


_ACCEPTED = (
    ".extern", ".xref", ".line", ".linefile",
    ".variant_cc", ".title", ".ttl", ".sbttl", ".list", ".nolist", ".page", ".psize",
    ".eject", ".plen", ".llen", ".lflags", ".format", ".noformat", ".spc", ".name", ".debug",
    ".addrsig", ".addrsig_sym", ".func", ".endfunc", ".gnu_attribute", ".linkonce",
    ".vtable_entry", ".vtable_inherit", ".stabs", ".stabn", ".stabd",
)  # fmt: skip


def thread_local(name: str) -> Callable[[Unit, Span], None]:
    """A handler for directives about thread-local storage."""

    def handler(unit: Unit, args: Span) -> None:
        raise Problem(
            f"`{name}` is about thread-local storage, which programs here have not",
            operand=None,
            hint="use an ordinary variable in .data or .bss",
        )

    return handler


DIRECTIVES: dict[str, Callable[[Unit, Span], None]] = {
    ".option": option,
    ".attribute": attribute,
    ".ident": ident,
    ".version": version,
    ".nop": nop,
    **{n: thread_local(n) for n in (".tls_common", ".dtprelword", ".dtpreldword")},
    **dict.fromkeys(_ACCEPTED, accepted),
}
