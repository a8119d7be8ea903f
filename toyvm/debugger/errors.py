"""What a command says when it cannot do what was asked."""

from __future__ import annotations


class DebugError(Exception):
    """A one-line message for the user; the session goes on."""


class Quit(Exception):
    """The user wants to leave the debugger."""
