"""The library face: sources, objects and archives in, an image or an object out."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from .archive import MAGIC as ARCHIVE_MAGIC
from .archive import THIN_MAGIC, Archive, read_archive
from .diagnostics import Diagnostic, Problem, Reporter, Stop
from .dwarf_line import add_debug_sections
from .image import Image
from .limits import DEFAULT_LIMITS, Limits
from .link import Options, make_image, report_missing
from .lint import lint
from .lower import lower
from .objects import ObjectFile
from .objread import ObjectError, read_object
from .resolve import Input, report_object
from .script import parse_script
from .script_nodes import Script, ScriptError
from .source import Files, Source, decode
from .unit import Unit
from .unwind import add_unwind_sections
from .warnings import settings

TEXT_BASE = 0x8000_0000
Given: TypeAlias = Path | str | Source | ObjectFile | Archive
"""What can be linked: a path (of a source, an object or an archive), or one that is read."""


def assemble(
    sources: Sequence[Given] | Given,
    *,
    include_dirs: Sequence[Path | str] = (),
    defines: Mapping[str, int] | None = None,
    text_base: int = TEXT_BASE,
    entry: str | int | None = None,
    section_addresses: Mapping[str, int] | None = None,
    script: Script | Path | str | Source | None = None,
    defsyms: Mapping[str, str | int] | None = None,
    debug: bool = False,
    jail: Path | str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    warnings: Sequence[str] = (),
) -> Image:
    """Assemble the sources and link them, with objects and archives, into one program.

    A source is a path or a ``Source`` with its text; a path may also name an object or an
    archive, known by its first bytes.  ``defines`` are symbols for every source.  Code begins
    at ``text_base``; ``section_addresses`` places sections by name.  A linker ``script`` (its
    path, its text in a ``Source``, or parsed) decides instead if it is given.  ``defsyms`` are
    symbols for the linker: numbers or expressions.  ``entry`` is a symbol or an address; without
    it the script's entry counts, then ``_start``, then the first address of the code.
    With ``debug`` the ELF file has line information (DWARF) for debuggers.
    With a ``jail`` ``.include`` and ``.incbin`` read only files inside that directory.
    ``warnings`` are words of ``-W``: names of ``assembler.warnings.KINDS``, ``no-NAME``, ``all``,
    ``none``, ``error``; ValueError for others.

    Raises AssemblyError; never anything else because of what the files say.
    """
    reporter = Reporter(settings(warnings), limits.errors, limits.warnings)
    files = Files([Path(d) for d in include_dirs], None if jail is None else Path(jail), limits)
    try:
        with _kept():
            inputs = read_inputs(sources, files, reporter, limits, defines or {}, debug, True)
            options = Options(
                text_base, entry, section_addresses or {}, _script(script, files, reporter),
                [(name, str(value)) for name, value in (defsyms or {}).items()],
            )  # fmt: skip
            if reporter.errors:
                count = 1 if isinstance(sources, _SINGLE) else len(sources)
                if len(inputs) == count and not any(_hides(d) for d in reporter.diagnostics):
                    report_missing(inputs, reporter, options)
                raise reporter.failure()
            image = make_image(inputs, reporter, options)
    except Stop:
        raise reporter.failure() from None
    if reporter.errors:
        raise reporter.failure()
    return image


link = assemble
"""Link objects and archives; sources among them are assembled first.  See ``assemble``."""


def assemble_object(
    source: Path | str | Source,
    *,
    include_dirs: Sequence[Path | str] = (),
    defines: Mapping[str, int] | None = None,
    debug: bool = False,
    jail: Path | str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    warnings: Sequence[str] = (),
) -> ObjectFile:
    """Assemble one source into a relocatable object; ``to_elf()`` of it gives the file.

    Raises AssemblyError, as ``assemble`` does.  Warnings stand in ``warnings`` of the object.
    """
    reporter = Reporter(settings(warnings), limits.errors, limits.warnings)
    files = Files([Path(d) for d in include_dirs], None if jail is None else Path(jail), limits)
    try:
        with _kept():
            inputs = read_inputs(source, files, reporter, limits, defines or {}, debug, False)
            if reporter.errors:
                raise reporter.failure()
            (unit,) = inputs
            if not isinstance(unit, Unit):
                message = "this is no source but an object already"
                reporter.add(Diagnostic("error", message, str(source), 0))
                raise reporter.failure()
            made = lower(unit)
    except Stop:
        raise reporter.failure() from None
    if reporter.errors:
        raise reporter.failure()
    made.warnings = [d for d in reporter.diagnostics if d.severity != "error"]
    return made


_SINGLE = (Path, str, Source, ObjectFile, Archive)
# Directives that may bring definitions, which are missing if there is a mistake in them.
_BRINGING = (
    ".include", ".macro", ".endm", ".if", ".else", ".endif", ".rept", ".irp", ".endr", ".exitm",
    ".purgem", ".altmacro", ".noaltmacro", ".end", ".err", ".incbin", ".symver", ".weakref",
)  # fmt: skip


def _hides(item: Diagnostic) -> bool:
    """Whether symbols may be undefined only because of this mistake."""
    words = item.source.split()
    brings = any(word.lower().startswith(_BRINGING) for word in words)
    return item.severity == "error" and (brings or item.line == 0)


@contextmanager
def _kept() -> Iterator[None]:
    """What is made inside is kept: the collector would look at it again and again in vain."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def read_inputs(
    given: Sequence[Given] | Given,
    files: Files,
    reporter: Reporter,
    limits: Limits,
    defines: Mapping[str, int],
    debug: bool,
    linked: bool,
) -> list[Input]:
    """Everything that is to be linked; mistakes go to the reporter."""
    if isinstance(given, _SINGLE):
        given = [given]
    inputs: list[Input] = []
    for item in given:
        if isinstance(item, ObjectFile | Archive):
            inputs.append(item)
            continue
        if isinstance(item, Source):
            name, text = item.name, item.text
        else:
            name = str(item)
            data = _read_binary(name, files, reporter)
            if data is None:
                continue
            found = _binary(data, name, reporter)
            if found is not None:
                inputs.append(found)
                continue
            if _is_broken_binary(data):
                continue
            try:
                text = files.read_text(Path(item))
            except Problem as problem:
                reporter.add(Diagnostic("error", problem.message, name, 0, hint=problem.hint))
                continue
        inputs.append(_assemble_unit(name, text, files, reporter, limits, defines, debug, linked))
    return inputs


def _read_binary(name: str, files: Files, reporter: Reporter) -> bytes | None:
    """The file's bytes; read once more as text if it is a source."""
    try:
        head = files.read_bytes(Path(name), 0, 8)
        if _is_broken_binary(head):
            return files.read_bytes(Path(name))
    except Problem as problem:
        reporter.add(Diagnostic("error", problem.message, name, 0, hint=problem.hint))
        return None
    return head


def _is_broken_binary(data: bytes) -> bool:
    """Whether the first bytes say that this is an object or an archive."""
    return data[:4] == b"\x7fELF" or data[:8] in (ARCHIVE_MAGIC, THIN_MAGIC)


def _binary(data: bytes, name: str, reporter: Reporter) -> ObjectFile | Archive | None:
    """An object or an archive; None for a source, or if it is broken."""
    try:
        if data[:4] == b"\x7fELF":
            return read_object(data, name)
        if data[:8] in (ARCHIVE_MAGIC, THIN_MAGIC):
            return read_archive(data, name)
    except ObjectError as error:
        report_object(reporter, name, error)
    return None


def _script(
    given: Script | Path | str | Source | None, files: Files, reporter: Reporter
) -> Script | None:
    if given is None or isinstance(given, Script):
        return given
    try:
        if isinstance(given, Source):
            return parse_script(given.text, given.name)
        return parse_script(decode(files.read_bytes(Path(given))), str(given))
    except Problem as problem:
        reporter.add(Diagnostic("error", problem.message, str(given), 0, hint=problem.hint))
    except ScriptError as error:
        reporter.add(error.diagnostic)
    return None


def _here() -> str:
    """The directory in which relative names of sources begin."""
    try:
        return os.getcwd()
    except OSError:
        return "."


def _assemble_unit(
    name: str,
    text: str,
    files: Files,
    reporter: Reporter,
    limits: Limits,
    defines: Mapping[str, int],
    debug: bool,
    linked: bool,
) -> Unit:
    """Assemble one source as often as its far branches need."""
    far: set[int] = set()
    rounds = work = 0
    while True:
        own = Reporter(reporter.warnings_on, limits.errors, limits.warnings)
        unit = Unit(name, files, own, limits, defines, far)
        unit.assemble(text)
        if own.errors:
            break
        more = unit.out_of_reach()
        if not more:
            lint(unit)
            break
        far = far | more
        rounds += 1
        work += unit.statements
        if rounds >= limits.relaxation_rounds or work > limits.statements:
            # Long everywhere is right as well, only larger.
            far = far | set(range(unit.branch_count))
    reporter.absorb(own)
    unit.reporter = reporter
    if not own.errors:
        add_unwind_sections(unit)
        add_debug_sections(unit, _here(), debug, linked)
    return unit
