"""The entry point: builds the command table and turns every ending into an exit code."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from . import (
    cmd_asm,
    cmd_bench,
    cmd_compare,
    cmd_debug,
    cmd_demo,
    cmd_disasm,
    cmd_doctor,
    cmd_guests,
    cmd_isolate,
    cmd_learn,
    cmd_objdump,
    cmd_prove,
    cmd_run,
    cmd_up,
)
from .errors import (
    FAILED,
    INTERRUPTED,
    OK,
    USAGE,
    CliError,
    input_errors,
    internal_error,
    say,
)
from .output import forget_stdout

#: What the parser says of values, in the words of our own messages.
_PLAINER = (
    (
        r"Invalid value for '(.*?)': Input should be a valid integer.*",
        r"\1: expected a whole number",
    ),
)
_HOST_TROUBLE = (errno.ENOSPC, errno.EIO, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


#: What stands for a value in the help.
_VALUES = {
    "ad": "hardware|fault",
    "bios": "sbi|none|FILE",
    "bss": "ADDRESS",
    "bug": "NAME",
    "data": "ADDRESS",
    "define": "SYM[=VALUE]",
    "defsym": "SYM=EXPR",
    "device": "DEVICE",
    "drive": "DRIVE",
    "dtb": "FILE",
    "entry": "SYMBOL",
    "error_format": "text|json",
    "format_": "elf|obj|bin",
    "image": "IMAGE",
    "include": "DIR",
    "initrd": "FILE",
    "lab": "LAB.toml",
    "net": "NET",
    "ram": "SIZE",
    "section": "NAME",
    "section_start": "NAME=ADDRESS",
    "serial": "SERIAL",
    "shadow": "lazy|protect",
    "technique": "u|s|pv|upv",
    "text": "ADDRESS",
    "tier": "1|2",
    "trace": "exits|traps",
    "virtio": "legacy|modern",
    "warnings": "NAME",
}
#: The same by the type of the value, as the parser would show it.
_KINDS = {"int": "N", "str": "TEXT", "Path": "FILE"}


class _Interrupted(Exception):
    """Ctrl-C, before typer turns it into a silent exit code."""


class _Group(TyperGroup):
    """The command table; lets us say that Ctrl-C ended a command."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command, its values named for the help."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            _name_values(found)
        return found

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _Interrupted from None


def _name_values(command: Any) -> None:
    """Say FILE and N where the parser would say what it turns the text into."""
    for below in getattr(command, "commands", {}).values():
        _name_values(below)
    for parameter in command.params:
        if parameter.metavar is None and not getattr(parameter, "is_flag", False):
            given = parameter.name.rstrip("_")
            shown = _VALUES.get(parameter.name) or _VALUES.get(given)
            if parameter.param_type_name == "argument":
                shown = shown or given.upper()
            parameter.metavar = shown or _KINDS.get(_kind(parameter), "TEXT")


def _kind(parameter: Any) -> str:
    """The name of the type of a value, or of one of several values."""
    text = str(parameter.type_descriptor.annotation)
    return next((kind for kind in ("Path", "int") if kind in text), "str")


app = typer.Typer(
    name="toyvm",
    cls=_Group,
    help="A whole virtualisation stack to read, run, break and rebuild.",
    epilog="Start with: toyvm demo. Then: toyvm learn. Every command has --help with an example.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from toyvm import __version__

        typer.echo(f"toyvm {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    pass


for _module in (
    cmd_demo,
    cmd_run,
    cmd_up,
    cmd_asm,
    cmd_disasm,
    cmd_objdump,
    cmd_guests,
    cmd_debug,
    cmd_learn,
    cmd_compare,
    cmd_isolate,
    cmd_prove,
    cmd_bench,
    cmd_doctor,
):
    _module.register(app)


def call(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code. Never raises, except SystemExit from signal handlers."""
    try:
        result = typer.main.get_command(app).main(
            args=None if arguments is None else list(arguments),
            prog_name="toyvm",
            standalone_mode=False,
        )
        return result if isinstance(result, int) else OK
    except typer.Exit as ending:
        return ending.exit_code
    except (_Interrupted, KeyboardInterrupt, typer.Abort):
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        forget_stdout()
        return FAILED
    except CliError as error:
        say(f"error: {error}" if str(error) else "error")
        return error.code
    except RecursionError as error:
        return internal_error(error)
    except Exception as error:
        return _other(error)


def _other(error: Exception) -> int:
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        return _usage(error)
    if isinstance(error, input_errors()):
        say(f"error: {error}")
        return USAGE
    if isinstance(error, OSError) and (error.filename or error.errno in _HOST_TROUBLE):
        # The host refused a file, or has no room: nothing that a report to us would mend.
        if error.filename is None:
            forget_stdout()
        where = f"{error.filename}: " if error.filename else "cannot write the output: "
        say(f"error: {where}{error.strerror}")
        return USAGE
    return internal_error(error)


def _usage(error: Exception) -> int:
    """A mistake in the command line itself, found by the parser."""
    message = error.format_message()  # type: ignore[attr-defined]
    if type(error).__name__ == "NoArgsIsHelpError":
        # The help text itself: it answers `toyvm` without arguments.
        typer.echo(message, err=True)
        return USAGE
    context = getattr(error, "ctx", None)
    where = f"; see {context.command_path} --help" if context is not None else ""
    for told, plain in _PLAINER:
        message = re.sub(told, plain, message)
    say(f"error: {message.rstrip('.')}{where}")
    return USAGE


def open_closed_streams() -> None:
    """Lead standard streams that the caller closed (`>&-`) to nowhere.

    Else the next file that is opened, such as a disk, would get their number and their bytes.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is not None:
            continue
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)
        setattr(sys, name, os.fdopen(number, mode, closefd=False))


def main() -> None:
    """The `toyvm` console script."""
    open_closed_streams()
    code = call()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        forget_stdout()
        code = FAILED
    except OSError as error:
        forget_stdout()
        say(f"error: cannot write the output: {error.strerror}")
        code = code or USAGE
    sys.exit(code)


if __name__ == "__main__":
    main()
