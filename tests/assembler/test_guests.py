"""The guest kernels of this project assemble to the bytes and addresses of GNU as and ld."""

from __future__ import annotations

import pytest

import guestos.images
from assembler import assemble
from guestos.listing import manifest

from .gnu import differences, gnu_link, needs_gnu, read_program


@needs_gnu
@pytest.mark.parametrize("name", sorted(n for n, guest in manifest().items() if not guest.elf))
def test_guest_is_equal_to_gnu(tmp_path, name):
    sources = guestos.images.sources(name)
    includes = guestos.images.include_dirs()
    base = manifest()[name].base
    image = assemble(sources, include_dirs=includes, text_base=base)
    gnu = gnu_link(tmp_path, sources, includes, base)
    ours = read_program(image.to_elf())
    # Local symbols of one name exist in several sources; only the shared ones are unique.
    shared = {s.name for s in image.symtab if s.binding != "LOCAL"}
    for program in (ours, gnu):
        for symbol in set(program.symbols) - shared:
            del program.symbols[symbol]
    assert differences(ours, gnu) == []
    assert image.warnings == []
