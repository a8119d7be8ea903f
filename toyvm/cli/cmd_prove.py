"""`toyvm prove`: Popek and Goldberg's theorem, word by word."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import FAILED, OK, fail

if TYPE_CHECKING:
    from toyvm.proofs.prove import Finding, Proof


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="prove",
        help="Execute instruction words from paired states: can this machine be virtualised?",
        epilog="Example: toyvm prove --sample 1000000; toyvm prove --bug sfence-u; "
        "toyvm prove --bug list",
    )(prove)


def prove(
    bug: Annotated[
        str, typer.Option(help="Switch in a historical bug by name; `list` shows them.")
    ] = "",
    sample: Annotated[
        int, typer.Option(help="About so many words, evenly spread; 0: all 2^32.")
    ] = 0,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> int:
    """Scan the words and report the classes."""
    from toyvm.ui.text import did_you_mean

    from .output import print_json

    if bug == "list":
        return list_bugs(json_)
    if sample < 0:
        fail(f"--sample {sample}: expected a positive number of words, or 0 for all")
    from toyvm.proofs import bugs

    if bug and bug not in bugs.BY_NAME:
        near = did_you_mean(bug, list(bugs.BY_NAME))
        fail(f'--bug "{bug}": no such bug{near}; toyvm prove --bug list shows them')
    from .machines import warm_up

    warm_up(json_)
    from toyvm.proofs import prove as proving
    from toyvm.ui.progress import work_progress

    _compile(json_)
    total = sample or proving.WORDS
    with work_progress("executing words", total, show=not json_) as report:
        proof = proving.prove(bug or None, sample or None, report)
    if json_:
        print_json(facts(proof))
    else:
        _tell(proof)
    return OK if proof.holds else FAILED


def _compile(quiet: bool) -> None:
    """Load or compile the scan's own kernels, and say so if that takes a while."""
    from toyvm import jit
    from toyvm.proofs import prove as proving
    from toyvm.ui.progress import compile_progress

    with compile_progress("compiling the proof", show=not quiet) as report:
        jit.compile_with_progress(
            lambda: proving.Prover().block(proving.directed()[:1], proving.Proof()), report, 30
        )


def facts(proof: Proof) -> dict[str, Any]:
    """A proof, JSON-ready."""
    from toyvm.proofs.prove import CLASSES

    finding = proof.finding
    return {
        "holds": proof.holds,
        "whole": proof.whole,
        "bug": proof.bug.name if proof.bug else None,
        "words": proof.words,
        "executed": proof.executed,
        "by_decoding_alone": proof.words - proof.executed,
        "of_these_executed_as_a_check": proof.checked,
        "emulated": proof.emulated,
        "seconds": round(proof.seconds, 3),
        "words_per_second": round(proof.rate),
        "classes": proof.by_class(),
        "details": [
            {"class": CLASSES[kind][0], "what": CLASSES[kind][1], "words": count}
            for kind, count in sorted(proof.counts.items())
        ],
        "finding": None
        if finding is None
        else {
            "word": f"{finding.word:#010x}",
            "instruction": finding.text,
            "class": finding.kind,
            "what": finding.meaning,
            "breaks": proof.bug.breaks if proof.bug else "",
            "states": finding.states,
            "differences": finding.table,
        },
    }


def list_bugs(json_: bool) -> int:
    """The answer to `--bug list`."""
    from toyvm.proofs.bugs import BUGS
    from toyvm.ui.tables import Table, print_table

    from .output import print_json

    if json_:
        print_json([vars(bug) for bug in BUGS])
        return OK
    table = Table(("bug", "of the", "what it does", "seen in"))
    for bug in BUGS:
        table.add(bug.name, bug.where, bug.what, bug.origin)
    print_table(table)
    return OK


THEOREM = """\
Popek and Goldberg (1974): a machine can be virtualised by trap and emulate if every sensitive \
instruction is privileged.  Sensitive: it changes the machine (mode, CSRs, translation, sleep), or \
its result depends on the machine (mode, status bits, place in memory, owner).  Privileged: it \
traps in user mode.  And what traps must be emulated as the bare machine would have done it."""


def _tell(proof: Proof) -> None:
    from toyvm.proofs.prove import CLASSES
    from toyvm.ui.tables import Table, grouped, paragraph, print_table

    out = sys.stdout
    out.write(paragraph(THEOREM) + "\n\n")
    if proof.bug:
        bug = proof.bug
        out.write(f"bug {bug.name} of the {bug.where}: {bug.what}\n\n")
    table = Table(("class", "words", "what was seen"), right=("words",))
    for kind, (name, what) in CLASSES.items():
        if proof.counts[kind]:
            table.add(name, grouped(proof.counts[kind]), what)
    print_table(table)
    part = "all words" if proof.whole else "a part of all words"
    out.write(
        f"\n{part}: {grouped(proof.words)}, {grouped(round(proof.rate))} a second\n"
        f"executed from seven states: {grouped(proof.executed)}; emulated in four virtual "
        f"states: {grouped(proof.emulated)}\n"
        f"by decoding alone: {grouped(proof.words - proof.executed)}, of which "
        f"{grouped(proof.checked)} were executed as a check\n\n"
    )
    if proof.finding:
        _tell_finding(proof, proof.finding)
    elif proof.whole:
        out.write(
            "Every sensitive instruction is privileged, and what traps is emulated as the bare "
            "machine does it: the conditions hold.\n"
        )
    else:
        out.write("No word of the sample breaks a condition; without --sample all are tried.\n")


def _tell_finding(proof: Proof, finding: Finding) -> None:
    from toyvm.ui.tables import Table, print_table

    sys.stdout.write(
        f"{finding.word:#010x}  {finding.text}\nis {finding.kind}: {finding.meaning}\n\n"
    )
    table = Table(("after one step", *finding.states))
    for row in finding.table:
        table.add(*row)
    print_table(table)
    if proof.bug:
        sys.stdout.write(f"\nWhat it breaks: {proof.bug.breaks}.\n")
