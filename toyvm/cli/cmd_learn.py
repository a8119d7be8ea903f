"""`toyvm learn`, `check`, `hint`, `reset` and `lesson check`: the course."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .errors import fail


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(
        name="learn",
        help="Show the lessons, your progress and what is next.",
        epilog="Example: toyvm learn",
    )(learn)
    app.command(
        name="check",
        help="Grade your source of a lesson, or any file.",
        epilog="Example: toyvm check 01 my_answer.s --seed 7",
    )(check)
    app.command(
        name="hint",
        help="Print the next hint of a lesson.",
        epilog="Example: toyvm hint 02",
    )(hint)
    app.command(
        name="reset",
        help="Start a lesson again; the old source is kept beside it.",
        epilog="Example: toyvm reset 02",
    )(reset)
    author = typer.Typer(
        help="For authors of lessons.", rich_markup_mode=None, no_args_is_help=True
    )
    author.callback()(_lesson)
    author.command(
        name="check",
        help="Prove that a lesson's solution passes and that each wrong solution is caught.",
        epilog="Example: toyvm lesson check 02_memory_loops",
    )(lesson_check)
    app.add_typer(author, name="lesson")


def _lesson() -> None:
    pass


Lesson = Annotated[
    str | None,
    typer.Argument(help="A lesson: its number, its name or the start of it.", show_default=False),
]


Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def learn(
    plain: Annotated[bool, typer.Option("--plain", help="No boxes, no colour.")] = False,
    json_: Json = False,
) -> int:
    """Show the course."""
    from lessons import cli_api

    return cli_api.learn(plain=plain, json=json_)


def check(
    lesson: Lesson = None,
    file: Annotated[
        Path | None,
        typer.Argument(help="A source file; default: your own of the lesson.", show_default=False),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Use this one seed for the random inputs.")
    ] = None,
    json_: Json = False,
) -> int:
    """Grade."""
    from lessons import cli_api

    if file is None and lesson is not None and _looks_like_file(lesson):
        file, lesson = Path(lesson), None
    if file is not None and not file.is_file():
        if file.is_dir():
            fail(f"{file} is a directory; expected a source file, such as {file / 'start.s'}")
        fail(f"no such file: {file}")
    _warm(json_)
    return cli_api.check(lesson=lesson, file=file, seed=seed, json=json_)


def _looks_like_file(text: str) -> bool:
    return text.lower().endswith(".s") or Path(text).is_file()


def _warm(quiet: bool) -> None:
    from .machines import warm_up

    warm_up(quiet)


def hint(lesson: Lesson = None, json_: Json = False) -> int:
    """Give a hint."""
    from lessons import cli_api

    return cli_api.hint(lesson, json=json_)


def reset(lesson: Lesson = None, json_: Json = False) -> int:
    """Start again."""
    from lessons import cli_api

    return cli_api.reset(lesson, json=json_)


def lesson_check(lesson: Lesson = None, json_: Json = False) -> int:
    """The author's proof."""
    from lessons import cli_api

    _warm(json_)
    return cli_api.lesson_check(lesson, json=json_)
