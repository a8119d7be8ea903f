"""Commands about the debugger itself: help, apropos, source, echo, quit."""

from __future__ import annotations

from pathlib import Path

from ..errors import DebugError, Quit
from ..session import Session
from .base import Command, execute, find


class Help(Command):
    """help."""

    names = ("help", "h")
    usage = "[COMMAND]"
    help = """List the commands, or explain one of them."""
    completes = "command"

    def run(self, session: Session, arguments: str, form: str) -> None:
        if not arguments:
            for name in sorted(session.commands):
                command = session.commands[name]
                session.write(f"{', '.join(command.names[:2]):<18} {command.summary}")
            session.write(
                "\nAn empty line repeats the last command. Names may be shortened. "
                "`help COMMAND` says more; `apropos WORD` searches."
            )
            return
        command = find(session.commands.values(), arguments.split()[0])
        form = "[/FMT] " if command.takes_format and "/FMT" not in command.usage else ""
        session.write(f"{command.name} {form}{command.usage}".rstrip())
        if len(command.names) > 1:
            session.write(f"also: {', '.join(command.names[1:])}")
        session.write(command.help)


class Apropos(Command):
    """apropos."""

    names = ("apropos",)
    usage = "WORD"
    help = """List the commands whose help contains a word."""

    def run(self, session: Session, arguments: str, form: str) -> None:
        word = arguments.lower()
        if not word:
            raise DebugError("Argument required (a word).")
        found = [
            command
            for name, command in sorted(session.commands.items())
            if word in name or word in command.help.lower()
        ]
        if not found:
            raise DebugError(f'Nothing about "{arguments}".')
        for command in found:
            session.write(f"{command.name:<14} {command.summary}")


class Source(Command):
    """source."""

    names = ("source",)
    usage = "FILE"
    help = """Run the commands of a file, one a line; # starts a comment.
The first command that fails ends it, with file and line."""
    completes = "file"
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        if not arguments:
            raise DebugError("source command requires file name of file to source.")
        run_script(session, Path(arguments).expanduser())


def run_script(session: Session, path: Path) -> None:
    """Run the lines of `path`; DebugError with file and line at the first failure."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DebugError(f"{path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise DebugError(f"{path}: not a text file.") from None
    if session.script_depth >= 10:
        raise DebugError(f"{path}: scripts call each other too deeply (10 levels).")
    session.script_depth += 1
    try:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                execute(session, line)
            except DebugError as error:
                raise DebugError(f"{path}:{number}: {error}") from None
    finally:
        session.script_depth -= 1


class Echo(Command):
    """echo."""

    names = ("echo",)
    usage = "TEXT"
    help = """Print TEXT: useful in scripts."""
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        session.write(arguments)


class QuitCommand(Command):
    """quit."""

    names = ("quit", "q", "exit")
    help = """Leave the debugger; so does the end of the input (Ctrl-D)."""
    repeats = False

    def run(self, session: Session, arguments: str, form: str) -> None:
        raise Quit


COMMANDS: tuple[Command, ...] = (Help(), Apropos(), Source(), Echo(), QuitCommand())
