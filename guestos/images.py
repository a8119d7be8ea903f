"""Images of the guests, made by the project's assembler from the sources in this package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from .listing import Guest, GuestError, manifest

if TYPE_CHECKING:
    from assembler import Image


def root() -> Path:
    """The folder of the guests' sources, wherever the package is installed."""
    return Path(str(files(__package__)))


def include_dirs() -> list[Path]:
    """Where ``.include`` looks for the guests' sources."""
    return [root() / "include", root()]


def guest(name: str) -> Guest:
    """One guest; GuestError names those that exist if it does not."""
    known = manifest()
    if name not in known:
        names = ", ".join(n for n, g in known.items() if g.kind != "probe")
        raise GuestError(f"there is no guest {name!r}; expected one of {names} or a probe")
    return known[name]


def sources(name: str) -> list[Path]:
    """The source files of a guest in link order; GuestError if there is no such guest."""
    return [root() / source for source in guest(name).sources]


def build(name: str, defines: Mapping[str, int] | None = None) -> Image:
    """The guest ``name``, assembled and linked; the second time in one process from a cache.

    ``defines`` are symbols for the sources, as ``-D`` gives them to ``toyvm asm``.
    Raises GuestError for an unknown guest and assembler.AssemblyError for sources with errors.
    """
    return _build(name, tuple(sorted((defines or {}).items())))


@lru_cache(maxsize=64)
def _build(name: str, defines: tuple[tuple[str, int], ...]) -> Image:
    from assembler import assemble

    return assemble(
        sources(name),
        include_dirs=include_dirs(),
        defines=dict(defines),
        text_base=guest(name).base,
    )
