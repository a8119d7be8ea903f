"""Every directive and mnemonic with any operands: an image, an object or diagnostics, in bounds."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler import AssemblyError, Source, assemble_object
from assembler.directives import DIRECTIVES
from assembler.forms import FORMS

from .test_hostile import SMALL, outcome
from .test_snippets import ALL

# Reading files is tried where there is a folder for it.
NAMES = sorted({*DIRECTIVES, *FORMS} - {".include", ".incbin"})
OPERANDS = st.sampled_from(
    ["a0", "x0", "sp", "5", "-1", "0", "1<<31", "-1<<63", "0xffffffffffffffff", "x", "y", "1f",
     "1b", ".", "x-y", "x+5", "%hi(x)", "%lo(x)(sp)", "8(sp)", "(sp)", '"text"', '"a\\n\\0"', '""',
     "@function", "@nobits", '"aw"', '"ax"', "OP", "r OP", "i LOAD", "arch", "push", "pop",
     "simple",
     "1.5", "-inf", "nan", "1e400", "'a'", "mstatus", "rw", "\\x", "<a, b>", "!", "&x", "%(1+2)",
     "x = 3", "", " ", "1 2", "ra, -4", "1 5 is_stmt 0", "0x9b", "3, 8, 1", "R_RISCV_32"]
)  # fmt: skip
STATEMENTS = st.builds(
    lambda label, name, operands: f"{label}{name} {', '.join(operands)}",
    st.sampled_from(["", "", "x: ", "y: ", "1: "]),
    st.sampled_from(NAMES),
    st.lists(OPERANDS, max_size=4),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STATEMENTS, min_size=1, max_size=12), st.sampled_from(["\n", "; "]))
def test_statements_of_all_kinds(statements, separator):
    text = separator.join(statements) + "\n"
    if outcome(text) == "":
        try:
            assemble_object(Source("a.s", text), limits=SMALL).to_elf()
        except AssemblyError as error:
            str(error)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=4), st.booleans())
def test_snippets_one_after_the_other(snippets, loop):
    text = "\n".join(snippets).replace("|", "\n") + "\n"
    outcome(f".rept 3\n{text}.endr\n" if loop else text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_as_a_file(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("bytes") / "a.s"
    path.write_bytes(data)
    from assembler import assemble

    try:
        assemble(path, limits=SMALL, jail=path.parent)
    except AssemblyError as error:
        str(error)


ENDLESS = {
    "subsections": "".join(f".data {n}\n.space 60000\n" for n in range(8000)),
    "ds": ".ds.d 1<<40\n",
    "dcb": ".dcb.l 1<<40, 5\n",
    "nops": ".nops 1<<40\n",
    "struct": ".struct 1<<40\n",
    "octa": ".octa 0x" + "f" * 10_000 + "\n",
    "float": ".double " + "9" * 10_000 + "\n",
    "float exponent": ".double 1e999999999\n",
    "local names": ".altmacro\n.macro m\nLOCAL a\na: m\n.endm\nm\n",
    "alternate argument": ".altmacro\n.macro m a\nm <a a>\n.endm\nm x\n",
    "cfi": ".cfi_startproc\n.rept 1000000\n.cfi_remember_state\n.endr\n.cfi_endproc\n",
    "loc": '.file 1 "a"\n.rept 1000000\n.loc 1 1\n.endr\n',
    "files": ".rept 1000000\n.ident \"x\"\n.endr\n",
    "attributes": "".join(f".attribute {2 * n}, 1\n" for n in range(10_000)),
    "wide strings": '.rept 100000\n.string64 "' + "x" * 1000 + '"\n.endr\n',
    "irp in altmacro": ".altmacro\n.rept 1000000\n.irp a, <b c>\n.endr\n.endr\n",
}  # fmt: skip


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_directives_are_bounded(name):
    began = time.process_time()
    outcome(ENDLESS[name])
    assert time.process_time() - began < 10
