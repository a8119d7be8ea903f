"""Waiting for the other end of a cable before the first guest instruction.

A guest that listens would else spend its patience while somebody types the other command.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .errors import say

#: How long one look lasts; Ctrl-C is heard between two.
LOOK_SECONDS = 0.1


def await_neighbours(cards: Iterable[Any], quiet: bool = False) -> None:
    """Return when every card with `listen:HOST:PORT` has its neighbour."""
    for card in cards:
        if not card.remote or not card.backend.listening:
            continue
        host, port = card.backend.address
        if not quiet:
            say(f"waiting for a neighbour at {host}:{port}; Ctrl-C ends it")
        while not card.backend.accept(LOOK_SECONDS):
            pass
