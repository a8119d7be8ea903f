"""The conversation with the user: prompt_toolkit on a terminal, plain lines from a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

from toyvm.ui.console import GuestKeys
from toyvm.ui.theme import is_tty, live_wanted

from . import context
from .commands import ALL, execute, register
from .commands.meta import run_script
from .errors import DebugError, Quit
from .formats import with_symbol
from .session import Session
from .world import World


def new_session(world: World, out: IO[str] | None = None, keys: Any = None) -> Session:
    """A session with all commands."""
    session = Session(world, out, keys)
    register(session, ALL)
    return session


def one(session: Session, line: str) -> bool:
    """Run one line; True if the session goes on. Mistakes are printed, never raised."""
    try:
        execute(session, line)
    except DebugError as error:
        session.write(str(error))
    except Quit:
        return False
    except KeyboardInterrupt:
        session.write("Quit")
    session.out.flush()
    return True


def plain_loop(session: Session, lines: Iterable[str]) -> None:
    """Commands from a pipe or a file: no prompt, no escape sequences, end of input ends it."""
    for line in lines:
        if not one(session, line):
            return


def toolbar(session: Session) -> str:
    """The line at the bottom of the screen."""
    target = session.target
    state = "ended" if target.name in session.ended else "stopped"
    where = with_symbol(target.pc, session.symbols)
    satp = context.satp_text(target)
    facts = (
        f"{target.name} {state}",
        target.mode,
        f"pc {where}",
        satp,
        f"{target.instret:,} insns",
    )
    return " " + " · ".join(facts)


def interactive_loop(session: Session, history: Path | None) -> None:
    """The prompt on a terminal; Ctrl-C drops the line, Ctrl-D leaves."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.output import ColorDepth

    from .completion import CommandCompleter

    store: History = InMemoryHistory()
    if history is not None:
        try:
            history.parent.mkdir(parents=True, exist_ok=True)
            with history.open("a"):
                pass
            store = FileHistory(str(history))
        except OSError:
            session.write(f"note: no history is kept: cannot write {history}")
    keys = KeyBindings()
    for key, line in (("f5", "continue"), ("f10", "nexti"), ("f11", "stepi"), ("f12", "finish")):
        keys.add(key)(_runner(line))
    prompt: PromptSession[str] = PromptSession(
        history=store,
        auto_suggest=AutoSuggestFromHistory(),
        completer=CommandCompleter(session),
        complete_while_typing=False,
        bottom_toolbar=lambda: toolbar(session),
        key_bindings=keys,
        color_depth=None if session.paint.enabled else ColorDepth.DEPTH_1_BIT,
        enable_open_in_editor=False,
    )
    while True:
        name = f" {session.selected}" if session.many else ""
        try:
            line = prompt.prompt(f"(toyvm{name}) ")
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if not one(session, line):
            return


def _runner(line: str) -> Callable[[Any], None]:
    def press(event: Any) -> None:
        event.app.exit(result=line)

    return press


def banner(session: Session) -> None:
    """What is being debugged, and where it stands."""
    target = session.target
    session.write(
        f"{session.world.title} at {with_symbol(target.pc, session.symbols)}, mode {target.mode}. "
        "`help` lists the commands."
    )


def debug(
    world: World,
    script: Path | None = None,
    history: Path | None = None,
    stdin: IO[str] | None = None,
    out: IO[str] | None = None,
) -> int:
    """A whole debugging session; the exit code of the command.

    `script` is run first; a command that fails in it is reported and ends it. Then commands
    come from `stdin` (default: the process's own) until `quit` or its end.
    """
    source = sys.stdin if stdin is None else stdin
    sink = sys.stdout if out is None else out
    talk = is_tty(source) and live_wanted(sink)
    session = new_session(world, sink, GuestKeys if talk else None)
    banner(session)
    if talk:
        context.show(session)
    try:
        if script is not None and not _script(session, script):
            return 0
        if talk:
            interactive_loop(session, history)
        elif source is not None:
            plain_loop(session, source)
    finally:
        session.finish_output()
    return 0


def _script(session: Session, path: Path) -> bool:
    """Run `-x SCRIPT`; False if it said quit."""
    try:
        run_script(session, path)
    except DebugError as error:
        session.write(str(error))
    except Quit:
        return False
    session.out.flush()
    return True
