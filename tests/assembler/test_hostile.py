"""Whatever the text is: an image or diagnostics, in bounded time and memory."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler import AssemblyError, Limits, Source, assemble

from .cases import CASES

SMALL = Limits(statements=20_000, image_bytes=1 << 20, expansion_bytes=1 << 20)


def outcome(text: str, limits: Limits = SMALL, **options) -> str:
    """The first error, or "" for an image; every face of the image and the errors is tried."""
    failure = None
    try:
        image = assemble(Source("a.s", text), limits=limits, **options)
    except AssemblyError as error:
        failure = error
    if failure is not None:
        assert failure.errors
        for item in failure.diagnostics:
            assert item.message
            assert item.line >= 0
            assert item.column <= item.end_column
            item.render(color=True)
        return failure.errors[0].message
    image.to_elf()
    image.listing()
    image.symbol_at(image.entry)
    image.line_at(image.entry)
    return ""


ENDLESS = {
    "rept": ".rept 1000000000\nnop\n.endr\n",
    "nested rept": ".rept 1000000\n.rept 1000000\nnop\n.endr\n.endr\n",
    "empty nested rept": ".rept 1000000000\n.rept 1000000000\n.endr\n.endr\n",
    "rept of a condition": ".rept 1000000000\n.if 0\n.endif\n.endr\n",
    "rept of a macro": ".macro m\n.endm\n.rept 1000000000\nm\n.endr\n",
    "rept of separators": ".rept 1000000000\nnop;nop;.if 1;.endif\n.endr\n",
    "rept of a mistake": ".rept 1000000000\nadd a0\n.endr\n",
    "rept of a long line": ".rept 1000000000\n.word " + "1," * 9999 + "1\n.endr\n",
    "macro recursion": ".macro m\nm\n.endm\nm\n",
    "double recursion": ".macro m\nm\nm\n.endm\nm\n",
    "growing argument": ".macro m a\nm \\a\\a\n.endm\nm xx\n",
    "irpc in irpc": f".irpc x,{'a' * 3000}\n.irpc y,{'b' * 3000}\n.byte 1\n.endr\n.endr\n",
    "space": ".data\n.space 1<<40\n",
    "fill": ".fill 1<<30, 8, 1\n",
    "org": ".org 1<<40\n",
    "bss": ".bss\n.space 1<<31\n",
    "alignment": ".data\n" + ".byte 1\n.align 24\n" * 100,
    "parentheses": ".word " + "(" * 100_000 + "1" + ")" * 100_000,
    "signs": ".word " + "-" * 100_000 + "1",
    "symbols": ".word " + "+".join(["x"] * 100_000),
    "conditions": ".if 1\n" * 10_000,
    "section stack": ".pushsection .data\n" * 10_000,
    "set chain": ".set x, f\n" + ".set x, x+g\n" * 1000 + ".word x\n",
    "set cycle": ".set a, b\n.set b, a\n.word a\n",
    "labels": "a:" * 50_000,
    "many mistakes": "foo bar\n" * 50_000,
    "many unknown names": "\n".join(f"call f{i}" for i in range(15_000)),
    "common": "\n".join(f".comm c{i},1<<30" for i in range(100)),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_sources_end_in_diagnostics(name):
    start = time.process_time()
    assert outcome(ENDLESS[name]) != ""
    assert time.process_time() - start < 10


HARMLESS = {
    "long label": "a" * 100_000 + ":\n",
    "blank lines": "\n" * 15_000,
    "tabs": "\t" * 100_000,
    "comments": "/**/" * 50_000,
    "numeric labels": "1:" * 50_000,
    "far chains of branches": "\n".join(
        f"l{i}: beq a0, a1, l{min(i + 1023, 3999)}" for i in range(4000)
    ),
    "many symbols": "\n".join(f"s{i} = {i}" for i in range(15_000)),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_odd_but_right(name):
    start = time.process_time()
    assert outcome(HARMLESS[name]) == ""
    assert time.process_time() - start < 10


def test_include_of_itself(tmp_path):
    path = tmp_path / "self.s"
    path.write_text('nop\n.include "self.s"\n')
    with pytest.raises(AssemblyError) as caught:
        assemble(path)
    (item,) = caught.value.errors
    assert "deeper than 32 levels" in item.message
    assert len(item.chain) <= 12


def test_the_jail(tmp_path):
    jail = tmp_path / "jail"
    (jail / "sub").mkdir(parents=True)
    (tmp_path / "secret.inc").write_text("nop\n")
    (jail / "sub" / "ok.inc").write_text("nop\n")
    (jail / "link.inc").symlink_to(tmp_path / "secret.inc")
    main = jail / "main.s"
    for directive in (".include", ".incbin"):
        outside = ["../secret.inc", str(tmp_path / "secret.inc"), "link.inc", "/etc/passwd",
                   "sub/../../secret.inc", "/proc/self/environ"]  # fmt: skip
        for name in outside:
            main.write_text(f'{directive} "{name}"\n')
            with pytest.raises(AssemblyError) as caught:
                assemble(main, jail=jail)
            assert "outside the directory" in caught.value.errors[0].message, name
        main.write_text(f'{directive} "sub/ok.inc"\n')
        assemble(main, jail=jail)
        assemble(main, jail=jail, include_dirs=[tmp_path])
        main.write_text(f'{directive} "secret.inc"\n')
        with pytest.raises(AssemblyError):
            assemble(main, jail=jail, include_dirs=[tmp_path])
        # Without a jail the same names work.
        main.write_text(f'{directive} "../secret.inc"\n')
        assemble(main)


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "noise.s"
    rng = random.Random(3)
    for size in (1, 10, 1000):
        for _ in range(30):
            path.write_bytes(rng.randbytes(size))
            try:
                assemble(path, limits=SMALL)
            except AssemblyError as error:
                str(error)
    path.write_bytes(b'.ascii "\xff\xfe"\n')
    assert assemble(path).to_bin()[:2] == b"\xff\xfe"


WORDS = st.sampled_from(
    [*" \t\n;:,()\"'\\#/*=.-+~!&|<>%@$_0a", "\n", " ", "a0", "sp", "x", "1b", "1f", "1:", "x:", "5",
     "0x", "addi ", "lw ", "li ", "la ", "call ", "beqz ", "csrr ", "fence ", "(sp)", "%lo(",
     "%pcrel_hi(", ".word ", ".byte ", ".ascii ", '"a"', ".macro m a\n", ".endm\n", "m ", "\\a",
     ".rept 3\n", ".irp i,1,2\n", ".irpc c,ab\n", ".endr\n", ".if ", ".else\n", ".endif\n",
     ".set x,", ".equ ", ".align ", ".balign ", ".space ", ".fill ", ".org ", ".section ",
     ".data\n", ".bss\n", ".text\n", ".pushsection ", ".popsection\n", ".previous\n", ".globl ",
     ".weak ",
     ".comm ", ".size ", ".type ", ".include ", ".incbin ", ".exitm\n", ".purgem ", ".end\n",
     "/*", "*/", "<<", ">>", "&&", "||", "!=", "99999999999999999999"]
)  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=60).map("".join)))
def test_any_text_ends_in_an_image_or_in_diagnostics(text):
    outcome(text)


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(), max_size=80))
def test_any_characters_at_all(text):
    outcome(f"li a0, {text}\n.ascii {text}\n{text}: .word {text}\n")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(CASES)),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), WORDS), min_size=1, max_size=6),
)
def test_damaged_sources(name, damages):
    text = CASES[name]
    for where, length, word in damages:
        at = int(where * len(text))
        text = text[:at] + word + text[at + length :]
    outcome(text)
