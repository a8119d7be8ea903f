"""Every mistake is reported once, at its place, with what was expected and what to do."""

from __future__ import annotations

import pytest

from assembler import AssemblyError, Diagnostic, Source, assemble


def errors(*texts: str, **options) -> list[Diagnostic]:
    """The errors of sources named a.s, b.s ..."""
    sources = [Source(f"{'abc'[i]}.s", text) for i, text in enumerate(texts)]
    with pytest.raises(AssemblyError) as caught:
        assemble(sources, **options)
    return caught.value.errors


def marked(item: Diagnostic) -> str:
    """The text over the carets."""
    return item.source[item.column - 1 : item.end_column - 1]


# (statement, marked text, part of the message, part of expected or hint)
STATEMENTS = [
    ("addi a0, a1, 5000", "5000", "does not fit in 12 bits", "-2048 to 2047"),
    ("addi a0, a1, 5000", "5000", "5000", "`li` can load this"),
    ("addi a0, a1, -2049", "-2049", "does not fit in 12 bits", "-2048 to 2047"),
    ("lw a0, 2048(sp)", "2048(sp)", "does not fit in 12 bits", "-2048 to 2047"),
    ("sw a0, -2049(sp)", "-2049(sp)", "does not fit", "-2048 to 2047"),
    ("addi a0, 5", "addi a0, 5", "takes 3 operands, not 2", "addi rd, rs1, imm"),
    ("addi", "addi", "takes 3 operands, not 0", "addi rd, rs1, imm"),
    ("ret a0", "a0", "takes no operands, not 1", "valid forms"),
    ("add a0, a1, a2, a3", "a3", "takes 3 operands, not 4", "add rd, rs1, rs2"),
    ("addi a0, a1, a2", "a2", "`a2` is a register", "`add` takes a register"),
    ("add a0, a1, a9", "a9", "`a9` is not a register", "a0 to a7"),
    ("add a0, x32, a1", "x32", "`x32` is not a register", "x0 to x31"),
    ("lw a0, 4(spp)", "spp", "`spp` is not a register", "did you mean `sp`"),
    ("lw a0, 4(a0", "(", "never closed", ""),
    ("lw a0, a1", "a1", "`a1` is a register", "write 0(a1)"),
    ("li a0, a1", "a1", "is a register", "mv a0, a1"),
    ("li a0, 0x1ffffffff", "0x1ffffffff", "does not fit in 32 bits", "4294967295"),
    ("li a0, -2147483649", "-2147483649", "does not fit in 32 bits", "-2147483648"),
    ("lui a0, 0x12345678", "0x12345678", "does not fit in 20 bits", "0x12345; `li`"),
    ("slli a0, a0, 32", "32", "shift amount 32", "0 to 31"),
    ("srai a0, a0, -1", "-1", "shift amount -1", "0 to 31"),
    ("csrwi mstatus, 32", "32", "out of range", "0 to 31"),
    ("csrr a0, msatus", "msatus", "is not a CSR", "did you mean `mstatus`"),
    ("csrr a0, 4096", "4096", "out of range", "0 to 0xfff"),
    ("ad a0, a1, a2", "ad", "is not an instruction", "did you mean"),
    ("ADDI a0, a0, 5000", "5000", "does not fit in 12 bits", "-2048 to 2047"),
    ("addi a0, a0, lo(main)", "main", "is not a register", "begin with `%`: %lo(main)"),
    ("mul a0, a1, 3", "3", "`3` is a number", "li t0, 3"),
    ("sub a0, a1, 3", "3", "`3` is a number", "addi a0, a1, -3"),
    ("beq a0, 5, main", "5", "`5` is a number", "li t0, 5"),
    ("beq a0, 0, main", "0", "`0` is a number", "`zero`"),
    ("beq a0, a1", "beq a0, a1", "takes 3 operands", "beq rs1, rs2, label"),
    ("j ra", "ra", "`ra` is a register", "jr ra"),
    ("sw 0(sp), ra", "0(sp)", "is a memory operand", "sw ra, 0(sp)"),
    ("csrr mstatus, a0", "mstatus", "`mstatus` is a CSR", "csrw mstatus, a0"),
    ("csrw a0, mstatus", "a0", "`a0` is a register", "csrw mstatus, a0"),
    ("add a0 a1 a2", "a1", "unexpected `a1`", "a0, a1, a2"),
    ("loop", "loop", "is not an instruction", "colon: `loop:`"),
    ("mov a0, a1", "mov", "is not an instruction", "`mv` copies"),
    ("adid a0, a0, 1", "adid", "is not an instruction", "`addi`"),
    (".asciiz 5", ".asciiz", "is not a directive", "`.asciz`"),
    (".insn q OP, 0, 0, a0, a1, a2", ".insn", "is not a format", "r, r4, i"),
    (".insn r OPP, 0, 0, a0, a1, a2", "", "`OPP` is not an opcode", "`OP`"),
    (".cfi_def_cfa_offset 16", ".cfi_def_cfa_offset", "outside a function", ".cfi_startproc"),
    (".cfi_startproc", ".cfi_startproc", "never closed", ".cfi_endproc"),
    (".loc 7 5", "", "file number 7 is not known", '.file 7 "name"'),
    (".option norcv", "norcv", "is not an option", "`norvc`"),
    (".attribute arhc, 5", "arhc", "is not an attribute", "`arch`"),
    (".float abc", "abc", "is not a floating-point number", "1.5"),
    ("uret", "uret", "withdrawn N extension", ""),
    ("la.tls.gd a0, x", "la.tls.gd", "thread-local", ""),
    ("ld a0, 0(sp)", "ld", "is not an instruction", "RV64"),
    ("c.addi a0, 1", "c.addi", "is not an instruction", "RV32IMA"),
    (".wrod 5", ".wrod", "is not a directive", "did you mean `.word`"),
    ("fence wr, r", "wr", "not a set of accesses", "letters of iorw"),
    ("amoadd.w a0, a1, 4(a2)", "4(a2)", "take no offset", "addi"),
    ("mv a0, 5", "5", "is a number", "a register"),
    ("addi a0, a0, %hi(x)", "%hi(x)", "`%hi` does not fit `addi`", "%lo"),
    ("lui a0, %lo(x)", "%lo(x)", "`%lo` does not fit `lui`", "%hi"),
    ("addi a0, a0, %tprel_lo(x)", "%tprel_lo(x)", "thread-local", "%lo"),
    ("lui a0, %high(x)", "%high", "is not a relocation operator", "%hi"),
    ("addi a0, a0, later", "later", "not defined before this line", ".equ later, value"),
    ("li a0, main", "main", "an address is not a number", "`la` loads an address"),
    ("li a0, 1 +", " ", "ends too early", "a number or a symbol"),
    ("li a0, (1", "(", "never closed", ""),
    ("li a0, 1 2", "2", "unexpected `2`", "comma"),
    ("li a0, 089", "089", "is not an octal number", "leave it away"),
    ("li a0, 0xg", "0xg", "is not a hexadecimal number", ""),
    ("li a0, 5x", "5x", "is not a number", "begin with a letter"),
    ("li a0, 5 / 0", "/", "division by zero", ""),
    ("li a0, 1 << 64", "<<", "shift by 64", ""),
    ("j 3b", "3b", "no label `3:` before this line", "`3f` looks forward"),
    ("j 3f", "3f", "no label `3:` after this line", "`3b` looks back"),
    ("call nothing_there", "nothing_there", "`nothing_there` is not defined", ""),
    ("call maim", "maim", "`maim` is not defined", "did you mean `main`"),
    (".align 40", "40", "out of range", ".balign takes"),
    (".balign 12", "12", "not a power of two", "1, 2, 4"),
    ('.ascii "abc', '"abc', "never closed", 'add a `"`'),
    (".ascii abc", "abc", "is not a string", "double quotes"),
    (r'.ascii "a\qb"', r"\q", "not an escape sequence", r"\n"),
    (".word a0", "a0", "is a register", "a number, a symbol"),
    (".set", ".set", "a name and a value are needed", "name, value"),
    (".globl 5", "5", "is not a symbol name", "letters, digits"),
    (".org -4", "-4", "cannot go back", "at least"),
    (".fill -1", "-1", "the count is -1", "0 or more"),
    (".rept -1\n.endr", "-1", "the number of repetitions is -1", "0 or more"),
    ('.section .x, "q"', '"q"', "`q` is not a section flag", "a (allocated)"),
    ('.section .x, "a", @progbit', "@progbit", "not a section type", "progbits"),
    (".option rvc", "rvc", "no compressed instructions", "norvc"),
    (".popsection", ".popsection", "has no `.pushsection`", ""),
    (".else", ".else", "`.else` has no `.if`", ""),
    (".endm", ".endm", "`.endm` closes nothing", ""),
    (".exitm", ".exitm", "outside a macro", ""),
    (".purgem nix", "nix", "there is no macro `nix`", ""),
    ('.include "nix"', '"nix"', "cannot find the file `nix`", "include directories"),
    ("1: .word 5 5", "5 5"[2:], "unexpected `5`", ""),
]


@pytest.mark.parametrize(("statement", "mark", "message", "more"), STATEMENTS)
def test_the_place_and_the_words(statement, mark, message, more):
    (item,) = errors(f"main: nop\n    {statement}\n    nop\n")
    assert message in item.message
    assert more in f"{item.expected} {item.hint} {' '.join(item.notes)}"
    assert (item.file, item.line) == ("a.s", 2)
    if mark.strip():
        assert marked(item) == mark
    assert item.severity == "error"
    assert item.render().startswith("error: ")


def test_rendering_is_exact():
    (item,) = errors("main:\n    addi a0, a1, 5000    # too much\n")
    assert item.render() == (
        "error: the immediate 5000 does not fit in 12 bits\n"
        " --> a.s:2:18\n"
        "  |\n"
        "2 |     addi a0, a1, 5000    # too much\n"
        "  |                  ^^^^ expected -2048 to 2047\n"
        "  = help: `li` can load this into a register; then use `add`"
    )
    coloured = item.render(color=True)
    assert "\x1b[" in coloured
    assert "\x1b[" not in item.render()


def test_tabs_stay_under_tabs():
    (item,) = errors("\taddi\ta0, a1, 5000\n")
    lines = item.render().split("\n")
    assert lines[3] == "1 | \taddi\ta0, a1, 5000"
    assert lines[4].startswith("  | \t    \t        ^^^^")


def test_columns_behind_a_comment_and_a_label_and_a_separator():
    (item,) = errors("x: /* note */ nop ; addi a0, a1, 5000 ; nop\n")
    assert marked(item) == "5000"
    assert item.column == 34


def test_inside_a_macro_the_calls_are_named():
    text = ".macro inner x\n    lw a0, \\x\n.endm\n.macro outer y\ninner \\y\n.endm\n"
    text += "nop\nouter a1\n"
    (item,) = errors(text)
    assert (item.line, marked(item), item.source) == (2, "a1", "    lw a0, a1")
    assert [(t.split("`")[1], p.line) for t, p in item.chain] == [("inner", 5), ("outer", 8)]
    assert "in the expansion of macro `outer`, called at a.s:8" in item.render()


def test_inside_an_include_the_includer_is_named(tmp_path):
    (tmp_path / "x.inc").write_text("nop\nbad_word\n")
    main = tmp_path / "main.s"
    main.write_text('nop\n.include "x.inc"\n')
    with pytest.raises(AssemblyError) as caught:
        assemble(main)
    (item,) = caught.value.errors
    assert item.file.endswith("x.inc")
    assert item.line == 2
    assert item.chain[0][0] == "included"
    assert item.chain[0][1].file.endswith("main.s")
    assert item.chain[0][1].line == 2


def test_a_repetition_reports_a_mistake_once():
    items = errors(".rept 50\naddi a0, a0, 4096\n.endr\n")
    assert len(items) == 1
    assert items[0].line == 2


def test_both_definitions_are_shown():
    (item,) = errors("one:\nnop\none: nop\n")
    assert item.message == "`one` is defined twice"
    assert (item.line, marked(item)) == (3, "one")
    ((label, place),) = item.related
    assert "first defined here" in label
    assert (place.line, place.column, place.end_column) == (1, 1, 4)


def test_both_places_across_sources():
    (item,) = errors(".globl f\nf: ret\n", "nop\n.globl f\nf: ret\n")
    assert (item.file, item.line, marked(item)) == ("b.s", 3, "f")
    assert (item.related[0][1].file, item.related[0][1].line) == ("a.s", 2)


def test_a_symbol_that_another_source_keeps_to_itself():
    (item,) = errors("call helper\n", "helper: ret\n")
    assert item.message == "`helper` is not defined"
    assert item.hint == "`b.s` defines it: add `.globl helper` there"


def test_an_undefined_symbol_is_reported_once():
    items = errors("call f\ncall f\nla a0, f\n.word f + 4\n")
    assert [(i.line, i.message) for i in items] == [(1, "`f` is not defined")]


def test_at_most_twenty_errors_are_shown():
    with pytest.raises(AssemblyError) as caught:
        assemble(Source("a.s", "".join(f"bad{i}\n" for i in range(50))))
    assert len(caught.value.diagnostics) == 20
    assert caught.value.more == 30
    assert str(caught.value).endswith("50 errors or more, 20 shown")


def test_no_cascade_behind_a_missing_include_or_definition():
    items = errors('.include "constants.inc"\nli a0, SIZE\npush a0\n.if SIZE\n.endif\n')
    assert len(items) == 1
    items = errors(".equ SIZE, 5 5\nli a0, SIZE\n")
    assert [i.line for i in items] == [1]


def test_a_wrong_condition_is_silent_inside():
    items = errors(".if what\nbad_word\n.else\nbad_word\n.endif\n")
    assert [(i.line, i.message) for i in items] == [(1, "`what` is not defined before this line")]


def test_an_open_condition_macro_or_comment():
    assert [(i.line, i.message) for i in errors("nop\n.if 1\nnop\n")] == [
        (2, "this condition is never closed")
    ]
    assert [(i.line, i.message) for i in errors("nop\n.macro m\nnop\n")] == [
        (2, "`.macro` is never closed")
    ]
    (item,) = errors("nop\n  /* open\nnop\n")
    assert (item.line, item.column, item.message) == (2, 3, "this comment is never closed")


def test_values_that_do_not_fit_after_linking():
    (item,) = errors("f: nop\n.data\n.byte f\n")
    assert (item.line, marked(item)) == (3, "f")
    assert "does not fit in 1 byte" in item.message
    (item,) = errors('j far\n.section .far, "ax"\n.space 0x200000\nfar: ret\n')
    assert (item.line, marked(item)) == (1, "far")
    assert "bytes away" in item.message
    assert "1 MiB" in item.expected
    (item,) = errors("f: nop\nj f + 1\n")
    assert "is odd" in item.message


def test_pcrel_lo_needs_the_label_of_its_auipc():
    (item,) = errors("x: .word 0\nauipc a0, %pcrel_hi(x)\nlw a0, %pcrel_lo(x)(a0)\n")
    assert item.line == 3
    assert "is not the label of an auipc" in item.message
    assert "label before the auipc" in item.hint


def test_symbols_defined_by_themselves():
    (item,) = errors(".set a, b\n.set b, a\n.word a\n")
    assert "defined in terms of itself" in item.message


def test_warnings_do_not_stop_assembly():
    image = assemble(Source("a.s", ".byte 300\n.section odd\n.word 1\n"))
    assert [w.name for w in image.warnings] == ["truncated", "section-flags"]
    assert image.warnings[0].render().startswith("warning[truncated]: 0x12c does not fit")
    assert image.to_bin()[:1] == bytes([44])


def test_sections_must_not_overlap_or_leave_memory():
    text = ".space 0x2000\n.data\n.word 1\n"
    (item,) = errors(text, section_addresses={".data": 0x8000_1000})
    assert "lies over section `.text`" in item.message
    (item,) = errors(".space 0x2000\n", text_base=0xFFFF_F000)
    assert "above 4 GiB" in item.message


def test_an_entry_that_is_not_there():
    (item,) = errors("start: nop\n", entry="begin")
    assert item.message == "the entry symbol `begin` is not defined"
    (item,) = errors("start: nop\n", entry="strat")
    assert item.hint == "did you mean `start`?"


def test_a_source_file_that_is_not_there(tmp_path):
    with pytest.raises(AssemblyError) as caught:
        assemble(tmp_path / "no.s")
    assert "not a regular file" in caught.value.errors[0].message
    with pytest.raises(AssemblyError):
        assemble(tmp_path)


def test_undefined_symbols_are_reported_beside_other_mistakes():
    text = """
        nowhere: adi a0, a0, 1
        adi a0, a0, a1
        j nowher
        here j nowhere
        j here
        .set late, 1 +
        li a0, late
    """
    items = [(d.line, d.hint) for d in errors(text)]
    assert items == [
        (2, "did you mean `addi`?"),
        (3, "did you mean `add`?"),
        (5, items[2][1]),
        (7, ""),
        (4, "did you mean `nowhere`?"),
    ]


def test_undefined_symbols_stay_silent_if_a_definition_may_be_missing(tmp_path):
    (item,) = errors('.include "not_there.inc"\nj somewhere\n')
    assert "not_there.inc" in item.message
    with pytest.raises(AssemblyError) as error:
        assemble([Source("a.s", "_start: j somewhere\n"), tmp_path / "b.s"])
    (item,) = error.value.diagnostics
    assert item.file.endswith("b.s")
