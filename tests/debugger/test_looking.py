"""print, x, disassemble, list, context, backtrace, explain, info, display, pagewalk."""

from __future__ import annotations

import pytest

from toyvm.debugger.pagewalk import refused, walk


def test_print_keeps_a_history(talk):
    assert talk.say("print 40 + 2") == "$1 = 0x2a (42)\n"
    assert talk.say("p/d -1") == "$2 = -1\n"
    assert talk.say("p/t 5") == f"$3 = {5:032b}\n"
    assert talk.say("p/a loop") == f"$4 = {talk.address('loop'):#010x} <loop>\n"
    assert "<loop>" in talk.say("p loop")
    assert "meaningless in print" in talk.say("p/s loop")


def test_x_words_like_gdb(talk):
    words = talk.address("words")
    text = talk.say("x/2xw words")
    assert text == f"{words:#010x} <words>:  0x11223344  0xdeadbeef\n"
    assert talk.say("x/4xb words").endswith("0x44  0x33  0x22  0x11\n")
    assert talk.say("x/2dh words").endswith(f"{0x3344}  {0x1122}\n")


def test_x_goes_on_where_it_stopped(talk):
    talk.say("x/1xw words")
    assert "0xdeadbeef" in talk.say("x")
    assert f"{talk.address('text'):#010x}" in talk.say("")


def test_x_strings_and_instructions(talk):
    assert '"Hi!\\n"' in talk.say("x/s text")
    text = talk.say("x/2i triple")
    assert "slli t0, a0, 1" in text
    assert "add a0, a0, t0" in text


def test_x_physical(talk):
    base = talk.address("words")
    assert "0x11223344" in talk.say(f"x/1xw p:{base:#x}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x/xw 0", "Cannot access memory at address 0x0"),
        ("x/0x words", "Count 0"),
        ("x/gx words", 'Size "g"'),
        ("x/yx words", 'Undefined output format "y"'),
        ("x/2i 0x80000002", "Instructions lie at multiples of 4"),
        ("print", "Argument required"),
        ("set a0 = 1", "expected $REGISTER"),
        ("set $zero = 1", "zero is always 0."),
        ("set $misa = 1", "misa is now"),
        ("set $mhartid = 1", "mhartid is read-only."),
        ("set $pc = 2", "pc must be a multiple of 4"),
        ("set {int}0 = 1", "Cannot access memory at address 0x0"),
        ("set nonsense", "Expected an assignment"),
        ("info regs", "Undefined info command"),
        ("info registers a9", 'Invalid register "a9"; did you mean'),
        ("info csr mstatsu", 'No CSR "mstatsu"; did you mean "mstatus"?'),
        ("info exits", "bare machine"),
        ("vm other", 'No VM "other": there is naive'),
        ("context colours", 'No section "colours"'),
        ("list 0x80100000", "No source line"),
        ("undisplay 4", "No display number 4."),
        ("apropos", "Argument required"),
        ("source /nonexistent/file", "No such file"),
        ("explain 0", "Cannot access memory at address 0x0"),
    ],
)
def test_mistakes(talk, line, message):
    text = talk.say(line)
    assert message in text
    assert text.count("\n") == 1


def test_set_registers_memory_and_csrs(talk):
    talk.say("set $a0 = -1", "set {char}text = 'h'", "set $mscratch = 0x1234")
    assert talk.session.target.reg(10) == 0xFFFF_FFFF
    assert '"hi!' in talk.say("x/s text")
    assert "0x1234" in talk.say("p/x $mscratch")
    talk.say("set {short}words = 0x10000")
    assert "0x11220000" in talk.say("x/1xw words")
    talk.say("set $pc = loop")
    assert talk.session.target.pc == talk.address("loop")


def test_context_marks_what_changed_without_colour(talk):
    talk.say("context on", "stepi 4")
    text = talk.say("stepi")
    line = next(line for line in text.splitlines() if "*ra" in line)
    assert "*ra   0x8000" in line
    assert " sp   0x8000" in text
    assert "*pc" in text
    assert "=>" in text
    assert "\x1b" not in text


def test_context_shows_all_sections_and_can_be_chosen(talk):
    text = talk.say("context")
    for section in ("registers", "code", "stack", "mode"):
        assert f"-- {section} -" in text
    only = talk.say("context mode")
    assert "naive (machine) · mode M · satp bare" in only
    assert "registers" not in only
    talk.say("set context code")
    text = talk.say("stepi")
    assert "-- code" in text
    assert "-- stack" not in text


def test_context_says_where_a_branch_goes(talk):
    talk.say("advance loop", "stepi")
    assert "; taken -> loop" in talk.say("context code")
    talk.say("set $a0 = 0")
    assert "; not taken" in talk.say("context code")


def test_stack_is_telescoped(talk):
    talk.say("break putc", "continue")
    text = talk.say("context stack")
    assert "<- $sp" in text
    assert "<_start+24>" in text  # the saved return address
    assert '-> "Hi!\\n"' in talk.say("telescope words+8 1")


def test_disassemble_marks_pc_and_breakpoints(talk):
    talk.say("break triple", "continue", "break *triple+4")
    text = talk.say("disassemble")
    lines = text.splitlines()
    assert lines[0].startswith("=>b ")
    assert lines[1].startswith("  b ")
    assert "slli t0, a0, 1" in lines[0]
    assert len(lines) == 3
    assert talk.say("disassemble triple, +2").count("\n") == 2


def test_disassemble_folds_what_repeats(start):
    talk = start(
        "    .globl _start\n_start:\n    li a0, 1\n    .rept 30\n    nop\n    .endr\n    ret\n"
    )
    text = talk.say("disassemble")
    assert text.count("nop") == 1
    assert "... 29 more of the same, to 0x80000078" in text
    assert "ret" in text.splitlines()[-1]
    talk.say("break *0x80000040")
    parts = talk.say("disassemble")
    assert "b 0x80000040" in parts, "what is marked is shown"
    assert "... 14 more of the same, to 0x8000003c" in parts
    assert "... 14 more of the same, to 0x80000078" in parts


def test_list_shows_the_source(talk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test.s").write_text("line one\n" * 20)
    assert "=>   10  line one" in talk.say("list loop")


def test_backtrace_follows_prologues_and_says_what_it_is(talk):
    talk.say("break putc", "continue")
    text = talk.say("backtrace")
    lines = text.splitlines()
    assert lines[0].startswith("#0  0x")
    assert "<putc>" in lines[0]
    assert "<next+16>" in lines[1]
    assert "(from ra)" in lines[1]
    assert "<_start+24>" in lines[2]
    assert "saved ra at" in lines[2]
    assert "no further frame can be told" in lines[3]


def test_backtrace_after_an_epilogue(talk):
    talk.say("advance done+8")
    lines = talk.say("bt").splitlines()
    assert "<_start+24>" in lines[1]


def test_explain_takes_fields_apart(talk):
    text = talk.say("explain triple+4")
    assert "add a0, a0, t0" in text
    assert "x10 = a0" in text
    assert "x[rd] = x[rs1] + x[rs2]" in text
    assert "0110011" in text
    # 0x00550533: funct7 0, rs2 5, rs1 10, funct3 0, rd 10, opcode 0x33
    assert "00101" in text


def test_explain_at_pc_uses_the_values_now(talk):
    talk.say("advance triple")
    assert "now      a0 = 0x00000005 (5)" in talk.say("explain")


def test_explain_words_that_are_not_in_memory(talk):
    assert "no instruction of RV32IMA" in talk.say("explain word 0")
    text = talk.say("explain word 0x30529073")
    assert "mtvec" in text
    assert "needs mode M" in text


def test_info_registers_and_csr(talk):
    talk.say("stepi 2")
    assert talk.say("info registers zero").startswith(" zero   0x00000000")
    assert talk.say("ir sp").startswith("*sp ")
    text = talk.say("info csr mstatus")
    assert "MPP" in text
    assert "12:11" in text
    assert "mtvec" in talk.say("info csr")
    assert "mcause" in talk.say("info registers all")


def test_info_symbols_and_lines(talk):
    assert "triple" in talk.say("info symbols tri")
    assert "putc" not in talk.say("info symbols tri")
    assert "loop+4 is at" in talk.say("info symbol loop+4")
    assert "test.s:10" in talk.say("info line loop")


def test_info_breakpoints_counts_hits(talk):
    assert talk.say("info breakpoints") == "No breakpoints.\n"
    talk.say("break loop if $a0 < 14", "continue", "continue")
    text = talk.say("info b")
    assert "$a0 < 14" in text
    assert text.splitlines()[1].split()[5] == "2"


def test_info_vm_and_exits(talk):
    assert "=>  naive  machine" in talk.say("info vm")
    talk.session.target.exits = {"csr": 7, "mmio": 3, "sret": 0}
    text = talk.say("stepi 20", "info exits")
    assert text.splitlines()[-4].split() == ["csr", "7"]
    assert "total" in text
    assert "2 instructions per exit" in text
    assert "sret" not in text
    assert "exits 10" in talk.say("context mode")


def test_display_at_every_stop(talk):
    talk.say("display $a0", "display/x $sp")
    text = talk.say("stepi")
    assert "1: $a0 = 0x00000000" in text
    assert "2:/x $sp = 0x" in text
    talk.say("undisplay 1")
    assert "$a0" not in talk.say("stepi")
    assert talk.say("info display") == "2: $sp\n"


def test_help_and_apropos(talk):
    text = talk.say("help")
    for name in ("stepi", "continue", "break", "pagewalk", "explain"):
        assert name in text
    assert "also: si" in talk.say("help stepi")
    assert "pagewalk" in talk.say("apropos page")


def test_every_command_has_help_and_no_two_share_a_name(talk):
    names = [name for command in talk.session.commands.values() for name in command.names]
    assert len(names) == len(set(names))
    for command in talk.session.commands.values():
        assert command.summary.endswith(".")


def test_input_reaches_the_console(talk):
    talk.say(r"input ls\t-l", "input -n x")
    assert bytes(talk.session.target.fed) == b"ls\t-l\nx"


def test_scripts(talk, tmp_path):
    script = tmp_path / "a.gdb"
    script.write_text("# a comment\n\nbreak triple\ncontinue\necho here\n")
    text = talk.say(f"source {script}")
    assert "Breakpoint 1, " in text
    assert text.endswith("here\n")
    script.write_text("stepi\nnonsense\nstepi\n")
    text = talk.say("start", f"source {script}")
    assert f"{script}:2: Undefined command" in text
    assert talk.session.target.steps == 1
    script.write_text(f"source {script}\n")
    assert "too deeply" in talk.say(f"source {script}")


# -- page walks -------------------------------------------------------------------------------


def _memory(words: dict[int, int]):
    def read(pa: int, count: int) -> bytes | None:
        if not 0x8000_0000 <= pa < 0x8001_0000:
            return None
        return words.get(pa, 0).to_bytes(4, "little")

    return read


SATP = 1 << 31 | 0x80000  # root table at 0x80000000


def _pte(pa: int, flags: int) -> int:
    return pa >> 12 << 10 | flags


def test_walk_of_two_levels():
    read = _memory(
        {0x8000_0000 + 4 * 1: _pte(0x8000_1000, 1), 0x8000_1000 + 4 * 2: _pte(0x8000_5000, 0xCF)}
    )
    found = walk(read, SATP, 1 << 22 | 2 << 12 | 0x345)
    assert found.pa == 0x8000_5345
    assert "DA--XWRV" in "\n".join(found.lines)


def test_walk_of_a_megapage():
    found = walk(_memory({0x8000_0000 + 4 * 3: _pte(0x8040_0000, 0xDF)}), SATP, 3 << 22 | 0x12345)
    assert found.pa == 0x8041_2345


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ({}, "level 1: V = 0"),
        ({0x8000_0000: _pte(0x8000_1000, 5)}, "level 1: W = 1 with R = 0"),
        ({0x8000_0000: _pte(0x8000_1000, 3)}, "the 4 MiB page is not aligned"),
        ({0x8000_0000: _pte(0x8000_1000, 0x11)}, "D, A and U must be 0"),
        ({0x8000_0000: _pte(0x9000_0000, 1)}, "outside RAM: access fault"),
        (
            {0x8000_0000: _pte(0x8000_1000, 1), 0x8000_1000: _pte(0x8000_2000, 1)},
            "level 0: R = W = X = 0",
        ),
    ],
)
def test_walks_that_fail_name_the_bit(words, fault):
    found = walk(_memory(words), SATP, 0)
    assert found.pa is None
    assert fault in found.fault


@pytest.mark.parametrize(
    ("flags", "access", "mode", "sum_bit", "mxr", "reason"),
    [
        (0xCF, "load", "S", False, False, ""),
        (0xCF, "load", "U", False, False, "U = 0"),
        (0xDF, "load", "S", False, False, "SUM = 0"),
        (0xDF, "load", "S", True, False, ""),
        (0xDF, "fetch", "S", True, False, "never executes"),
        (0xDF, "fetch", "U", False, False, ""),
        (0xC9, "load", "S", False, False, "R = 0"),
        (0xC9, "load", "S", False, True, ""),
        (0xCB, "store", "S", False, False, "W = 0"),
        (0xC7, "fetch", "S", False, False, "X = 0"),
    ],
)
def test_permissions_name_the_bit(flags, access, mode, sum_bit, mxr, reason):
    why = refused(flags, access, mode, sum_bit, mxr)
    assert reason in why
    assert bool(why) == bool(reason)


def test_pagewalk_command(talk):
    assert "addresses are physical" in talk.say("pagewalk loop")
    assert "Argument required" in talk.say("pagewalk")
    root = 0x8004_0000
    talk.say(f"set {{int}}p:{root + 4 * 512:#x} = {_pte(0x8000_0000, 0xCF):#x}")
    talk.say(f"set $satp = {1 << 31 | root >> 12:#x}")
    text = talk.say("pagewalk loop")
    assert f"physical   {talk.address('loop'):#010x}" in text
    assert "M-mode does not translate" in text
