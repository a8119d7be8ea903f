"""The library face: ``assemble`` takes sources and gives an image or an AssemblyError."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .diagnostics import Diagnostic, Problem, Reporter, Stop
from .image import Image
from .limits import DEFAULT_LIMITS, Limits
from .link import make_image
from .source import Files, Source
from .unit import Unit

TEXT_BASE = 0x8000_0000


def assemble(
    sources: Sequence[Path | str | Source] | Path | str | Source,
    *,
    include_dirs: Sequence[Path | str] = (),
    defines: Mapping[str, int] | None = None,
    text_base: int = TEXT_BASE,
    entry: str | int = "_start",
    section_addresses: Mapping[str, int] | None = None,
    jail: Path | str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Image:
    """Assemble the sources and link them into one program.

    A source is a path or a ``Source`` with its text.  ``defines`` are symbols for every
    source.  Code begins at ``text_base``; ``section_addresses`` places sections by name.
    ``entry`` is a symbol (without ``_start`` the first address of the code) or an address.
    With a ``jail`` ``.include`` and ``.incbin`` read only files inside that directory.

    Raises AssemblyError; never anything else because of what the sources say.
    """
    if isinstance(sources, Path | str | Source):
        sources = [sources]
    reporter = Reporter(limits.errors, limits.warnings)
    files = Files([Path(d) for d in include_dirs], None if jail is None else Path(jail), limits)
    units: list[Unit] = []
    try:
        for source in sources:
            found = _read(source, files, reporter)
            if found is None:
                continue
            name, text = found
            units.append(_assemble_unit(name, text, files, reporter, limits, defines or {}))
        if reporter.errors:
            raise reporter.failure()
        image = make_image(units, reporter, text_base, entry, section_addresses or {})
    except Stop:
        raise reporter.failure() from None
    if reporter.errors:
        raise reporter.failure()
    return image


def _read(source: Path | str | Source, files: Files, reporter: Reporter) -> tuple[str, str] | None:
    if isinstance(source, Source):
        return source.name, source.text
    name = str(source)
    try:
        return name, files.read_text(Path(source))
    except Problem as problem:
        reporter.add(Diagnostic("error", problem.message, name, 0, hint=problem.hint))
        return None


def _assemble_unit(
    name: str,
    text: str,
    files: Files,
    reporter: Reporter,
    limits: Limits,
    defines: Mapping[str, int],
) -> Unit:
    """Assemble one source as often as its far branches need."""
    far: set[int] = set()
    rounds = work = 0
    while True:
        own = Reporter(limits.errors, limits.warnings)
        unit = Unit(name, files, own, limits, defines, far)
        unit.assemble(text)
        if own.errors:
            break
        more = unit.out_of_reach()
        if not more:
            break
        far = far | more
        rounds += 1
        work += unit.statements
        if rounds >= limits.relaxation_rounds or work > limits.statements:
            # Long everywhere is right as well, only larger.
            far = far | set(range(unit.branch_count))
    reporter.absorb(own)
    unit.reporter = reporter
    return unit
