"""toyvm debug: through a pipe, with scripts, on VMs and labs, and on a terminal."""

from __future__ import annotations

import os
import sys

import pytest

from tests.cli.conftest import ECHO, LOOP, READY, environment, program

BARE = ("--bios", "none", "--ram", "1M")
#: Says `!` when it runs, then gives every key back until `q`.
TALKER = READY + ECHO.split("_start:\n")[1]


def test_continue_through_a_pipe(process):
    result = process("debug", "teachos", stdin="continue")
    assert result.code == 0
    assert "teachos: S-mode kernel\n" in result.out
    assert "[teachos exited with code 0" in result.out
    assert "\x1b" not in result.out
    assert result.err == ""


@pytest.mark.parametrize("vm", [(), ("--vm",)])
def test_breakpoints_steps_and_memory(process, hello, vm):
    lines = [
        "break next", "continue", "info registers pc", "x/s $s0", "stepi", "print $a0",
        "nexti 2", "delete", "finish", "continue", "quit", "nonsense",
    ]  # fmt: skip
    result = process("debug", hello, *BARE, *vm, stdin="\n".join(lines))
    assert result.code == 0
    assert "Breakpoint 1, 0x80000008 <next>" in result.out
    assert '"hello\\n"' in result.out
    assert "$1 = 0x68 (104)" in result.out
    assert "hello\n" in result.out
    assert "exited with code 0" in result.out
    assert "nonsense" not in result.out


def test_a_vm_counts_exits(process, hello):
    result = process("debug", hello, *BARE, "--vm", stdin="continue\ninfo exits\ninfo vm\n")
    assert "mmio" in result.out
    row = next(line for line in result.out.splitlines() if line.startswith("mmio"))
    assert row.split() == ["mmio", "7"]
    assert "=>  hello.s  vm" in result.out


def test_source_lines(process, hello):
    result = process("debug", hello, *BARE, stdin="break hello.s:9\ncontinue\nlist\n")
    assert "line 9" in result.out
    assert "=>    9  " in result.out


def test_scripts_and_their_mistakes(process, hello, tmp_path):
    script = tmp_path / "s.gdb"
    script.write_text("break over\ncontinue\nquit\n")
    result = process("debug", hello, *BARE, "-x", script, stdin="stepi\n")
    assert result.code == 0
    assert "Breakpoint 1, " in result.out
    assert result.out.count("<over>") >= 1
    script.write_text("nonsense\n")
    result = process("debug", hello, *BARE, "-x", script, stdin="info breakpoints\n")
    assert f"{script}:1: Undefined command" in result.out
    assert "No breakpoints." in result.out
    assert process("debug", hello, *BARE, "-x", tmp_path / "none", stdin="").code == 2


def test_input_from_the_debugger(process, source):
    result = process("debug", source(ECHO), *BARE, stdin="input -n abq\ncontinue\n")
    assert "abq" in result.out
    assert "exited with code 0" in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch"], "no such file or guest"),
        (["nosuch.toml"], "no such lab file"),
        (["hello", "--ram", "1"], "does not fit"),
    ],
)
def test_bad_input(cli, arguments, message):
    result = cli("debug", *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1


def test_a_lab(process):
    from tests.cli.conftest import ROOT

    lines = [
        "context off", "vm appliance", "break serve", "vm teachos", "break sys_write",
        "continue", "vm", "continue", "info exits", "delete", "continue", "continue", "vm nobody",
    ]  # fmt: skip
    result = process("debug", ROOT / "labs" / "demo.toml", stdin="\n".join(lines))
    assert result.code == 0
    assert "appliance: Breakpoint 1, " in result.out
    assert "teachos: Breakpoint 2, " in result.out
    assert "teachos | ping 10.0.0.2: replies 4 of 4" in result.out
    assert "[teachos exited with code 0" in result.out
    assert "[appliance exited with code 0" in result.out
    assert 'No VM "nobody": there is teachos, appliance' in result.out


# -- on a terminal ----------------------------------------------------------------------------


@pytest.fixture
def terminal(tmp_path, compiled):
    """A program on a pseudo-terminal; whatever is left of it is ended."""
    pexpect = pytest.importorskip("pexpect", reason="pexpect drives terminals")
    if sys.platform == "win32":
        pytest.skip("pseudo-terminals need Unix")
    running = []

    def start(*arguments: object, **extra: str):
        command = program(*arguments)
        child = pexpect.spawn(
            command[0],
            command[1:],
            env={
                **environment(),
                "TERM": "xterm",
                "NO_COLOR": "1",
                "PROMPT_TOOLKIT_NO_CPR": "1",
                **extra,
            },
            cwd=str(tmp_path),
            timeout=40,
            dimensions=(40, 110),
            encoding="utf-8",
            codec_errors="replace",
        )
        running.append(child)
        return child

    yield start
    for child in running:
        child.close(force=True)


PROMPT = r"\(toyvm\)"


def test_the_prompt(terminal, hello, tmp_path):
    import pexpect

    child = terminal("debug", hello, *BARE)
    child.expect("`help` lists the commands")
    child.expect("-- registers")
    child.expect(PROMPT)
    child.sendline("break next")
    child.expect("Breakpoint 1 at 0x80000008")
    child.sendline("continue")
    child.expect("Breakpoint 1, 0x80000008 <next>")
    child.send("info bre\t")
    child.expect("info breakpoints")
    child.sendline("")
    child.expect("hits")
    child.sendline("stpe")
    child.expect("did you mean")
    child.send("\x03")  # drops the line, nothing else
    child.sendline("quit")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    history = (tmp_path / "data" / "debug_history").read_text()
    assert "+break next" in history


def test_ctrl_c_stops_the_guest_and_ctrl_d_leaves(terminal, source):
    import pexpect

    child = terminal("debug", source(LOOP), *BARE)
    child.expect(PROMPT)
    child.sendline("continue")
    child.expect("!")
    child.expect(pexpect.TIMEOUT, timeout=0.5)
    child.send("\x03")
    child.expect("Interrupted at 0x8000", timeout=5)
    child.expect(PROMPT)
    child.sendline("print $t1")
    child.expect(r"0x21 \(33\)")
    child.send("\x04")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_keys_go_to_the_guest_while_it_runs(terminal, source):
    child = terminal("debug", source(TALKER), *BARE)
    child.expect(PROMPT)
    child.sendline("continue")
    child.expect("!")
    child.send("xyzq")
    child.expect("xyzq")
    child.expect("exited with code 0")


def test_run_on_a_terminal_keys_help_and_leaving(terminal, source):
    import pexpect

    child = terminal("run", source(TALKER), *BARE)
    child.expect("!")
    child.send("hey")
    child.expect("hey")
    child.send("\x01h")
    child.expect("Ctrl-A X")
    child.send("\x01x")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_ctrl_a_c_opens_the_debugger_and_comes_back(terminal, source):
    import pexpect

    child = terminal("run", source(TALKER), *BARE)
    child.expect("!")
    child.send("\x01c")
    child.expect("paused")
    child.expect(PROMPT)
    child.sendline("print $pc")
    child.expect("0x8000")
    child.sendline("run")
    child.expect("running already")
    child.sendline("quit")
    child.expect(pexpect.TIMEOUT, timeout=1)
    child.send("okq")
    child.expect("okq")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@pytest.mark.parametrize("ending", ["\x03", "\x01x", "q"])
def test_the_terminal_comes_back_as_it_was(compiled, source, ending, tmp_path):
    """A shell that asks stty before and after."""
    pexpect = pytest.importorskip("pexpect", reason="pexpect drives terminals")

    run = " ".join(program("run", source(TALKER), *BARE))
    script = tmp_path / "t.sh"
    # The shell gets the Ctrl-C as well and has to survive it.
    script.write_text(f"trap : INT\nstty -g > before\n{run}\necho code $?\nstty -g > after\n")
    child = pexpect.spawn(
        "/bin/sh", [str(script)], env={**environment(), "TERM": "xterm"}, cwd=str(tmp_path),
        timeout=60, encoding="utf-8",
    )  # fmt: skip
    child.expect("!")
    child.send(ending)
    child.expect("code (130|0)")
    child.expect(pexpect.EOF)
    child.close()
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text() != ""


def test_no_colour_when_not_wanted(terminal, hello):
    child = terminal("debug", hello, *BARE)
    child.expect(PROMPT)
    assert "\x1b[1;31m" not in child.before
    coloured = terminal("debug", hello, *BARE, NO_COLOR="")
    coloured.expect("-- registers")
    coloured.expect("=>")
    assert "\x1b[1;32m" in coloured.before + coloured.after or os.environ.get("TERM") == "dumb"


def test_a_console_that_the_debugger_cannot_serve(cli, hello):
    result = cli("debug", hello, *BARE, "--device", "virtio-console,pty")
    assert result.code == 2
    assert "in the debugger a console leads to stdio, null or file:PATH" in result.err


@pytest.mark.parametrize("vm", [(), ("--vm",)])
def test_harts_are_threads(process, vm):
    """All harts of a machine: listed, chosen, stopped at a breakpoint one after the other."""
    lines = [
        "info threads", "thread 2", "print $s0", "break code", "continue", "continue", "continue",
        "print $s0", "thread 9", "info threads", "delete", "continue", "quit",
    ]  # fmt: skip
    result = process("debug", "probe-smp", *vm, stdin="\n".join(lines))
    assert result.out.count("0x80000000 <_start>") >= 4
    assert "[Switching to hart 2]" in result.out
    assert result.out.count("Breakpoint 1, ") == 3
    for hart in (1, 2, 3):
        assert f"[Switching to hart {hart}]" in result.out
    assert "hart 9: this machine has harts 0 to 3" in result.out + result.err
    assert "probe smp: ok" in result.out
