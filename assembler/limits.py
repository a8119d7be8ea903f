"""Bounds that keep any source, hostile or mistaken, within known time and memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one call of ``assemble`` may use; exceeding a bound is an ordinary diagnostic.

    ``statements`` counts lines of files and of every macro and ``.rept`` expansion, and some
    for each expansion itself.
    ``image_bytes`` bounds the stored content of all sections together, ``memory_bytes`` the
    address space of one section (``.bss`` takes no storage).
    """

    statements: int = 1_000_000
    image_bytes: int = 64 << 20
    memory_bytes: int = 1 << 30
    source_bytes: int = 16 << 20
    expansion_bytes: int = 16 << 20
    line_bytes: int = 1 << 20
    macro_depth: int = 100
    include_depth: int = 32
    condition_depth: int = 200
    expression_depth: int = 60
    expression_tokens: int = 20_000
    expression_nodes: int = 250
    relaxation_rounds: int = 40
    errors: int = 20
    warnings: int = 100


DEFAULT_LIMITS = Limits()
