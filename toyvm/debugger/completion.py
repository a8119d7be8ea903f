"""What may come next on a command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from toyvm.isa.csr import BY_NAME
from toyvm.isa.registers import ABI_NAMES

from .commands.base import find, split
from .errors import DebugError
from .session import Session

_LAST_WORD = re.compile(r"[$\w.+:-]*$")


def candidates(session: Session, line: str) -> tuple[str, list[str]]:
    """(the word under the cursor, what it may become) for the text before the cursor."""
    stripped = line.lstrip()
    if " " not in stripped:
        names = {name for command in session.commands.values() for name in command.names}
        return stripped, sorted(n for n in names if n.startswith(stripped) and len(n) > 1)
    try:
        word, _, _ = split(stripped)
        command = find(session.commands.values(), word)
    except DebugError:
        return "", []
    match = _LAST_WORD.search(stripped)
    last = match[0] if match else ""
    kind = command.completes
    if command.name == "info":
        topic = stripped.split()[1:]
        if len(topic) > 1 or (len(topic) == 1 and stripped.endswith(" ")):
            return last, _begin(_info_words(session, topic[0]), last)
    return last, _begin(_words(session, kind, last), last)


def _begin(words: Iterable[str], start: str) -> list[str]:
    return sorted({word for word in words if word.startswith(start)})


def _info_words(session: Session, topic: str) -> list[str]:
    if topic.startswith("csr"):
        return list(BY_NAME)
    if topic.startswith("reg"):
        return [*ABI_NAMES, "pc", "all"]
    if topic.startswith("sym"):
        return session.symbols.names
    return []


def _words(session: Session, kind: str | tuple[str, ...], last: str) -> list[str]:
    if isinstance(kind, tuple):
        return list(kind)
    if kind in ("expression", "location"):
        if last.startswith("$"):
            return [f"${name}" for name in (*ABI_NAMES[1:], "pc", *BY_NAME)]
        return session.symbols.names
    if kind == "register":
        return [*ABI_NAMES, "pc"]
    if kind == "vm":
        return [guest.target.name for guest in session.world.guests]
    if kind == "command":
        return list(session.commands)
    if kind == "file":
        folder = Path(last).parent
        try:
            return [str(path) + ("/" if path.is_dir() else "") for path in folder.iterdir()]
        except OSError:
            return []
    return []


class CommandCompleter(Completer):
    """Completion for prompt_toolkit."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
        """Offer commands first, then what the command's arguments may be."""
        word, found = candidates(self.session, document.text_before_cursor)
        for text in found:
            meta: Any = ""
            command = self.session.commands.get(text)
            if command is not None and " " not in document.text_before_cursor.lstrip():
                meta = command.summary
            yield Completion(text, start_position=-len(word), display_meta=meta)
