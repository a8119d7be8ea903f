"""The guest kernels, in assembly: what there is, and images made from it.

manifest()["teachos"].bios        what a guest needs
sources("teachos")                its files, in link order
build("teachos").to_elf()         assembled by the project's own assembler
"""

from __future__ import annotations

from .images import build, expectation, include_dirs, sources
from .listing import Guest, GuestError, manifest

__all__ = ["Guest", "GuestError", "build", "expectation", "include_dirs", "manifest", "sources"]
