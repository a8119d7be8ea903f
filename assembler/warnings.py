"""The kinds of warnings: their names, what they are for, and which are on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .diagnostics import similar


@dataclass(frozen=True)
class Kind:
    """One kind of warning: its name for ``-W``, whether it is on by default, what it finds."""

    name: str
    default: bool
    meaning: str


KINDS: tuple[Kind, ...] = (
    Kind("unreachable", True, "an instruction behind a jump or return that no label leads to"),
    Kind("data-in-code", True, "data in a code section that the instruction before runs into"),
    Kind("misaligned-data", True, "`.half`, `.word` or `.dword` at an address it cannot be "
         "loaded from in one piece"),
    Kind("write-x0", True, "an instruction that only computes, into x0, which stays 0"),
    Kind("stack-alignment", True, "`addi sp, sp, n` with an n that is no multiple of 16, as the "
         "ABI wants"),
    Kind("unused-label", True, "a label of this source that nothing refers to; not in included "
         "files and macros"),
    Kind("truncated", True, "a value cut to the size of its data directive"),
    Kind("section-flags", True, "a section of an unknown name without flags: it is not loaded"),
    Kind("section-attributes", True, "a section named again with other flags or type"),
    Kind("csr-missing", True, "a CSR that the specification knows and this machine has not"),
    Kind("empty-source", True, "a source without code, data or symbols for others"),
    Kind("user", True, "`.warning` and `.fail` in the source"),
)  # fmt: skip
"""Every kind of warning, in the order of the manual."""

NAMES = {kind.name for kind in KINDS}


@dataclass(frozen=True)
class Warnings:
    """Which warnings are shown, and which of them count as errors."""

    enabled: frozenset[str] = frozenset(k.name for k in KINDS if k.default)
    errors: frozenset[str] = frozenset()


DEFAULT = Warnings()


def settings(words: Iterable[str]) -> Warnings:
    """The settings that the words of ``-W`` ask for, from left to right.

    ``NAME`` and ``no-NAME`` turn one on or off, ``all`` and ``none`` all; ``error`` makes
    every shown warning an error, ``error=NAME`` that one.  ValueError for an unknown name.
    """
    enabled = set(DEFAULT.enabled)
    errors: set[str] = set()
    for word in words:
        if word == "all":
            enabled |= NAMES
        elif word == "none":
            enabled.clear()
        elif word == "error":
            errors |= NAMES
        elif word.startswith("error="):
            name = _known(word.removeprefix("error="))
            errors.add(name)
            enabled.add(name)
        elif word.startswith("no-"):
            enabled.discard(_known(word.removeprefix("no-")))
        else:
            enabled.add(_known(word))
    return Warnings(frozenset(enabled), frozenset(errors))


def _known(name: str) -> str:
    if name in NAMES:
        return name
    near = similar(name, NAMES)
    meant = f'did you mean "{near}"?' if near else "known are " + ", ".join(sorted(NAMES))
    raise ValueError(f'there is no warning "{name}": {meant}')
