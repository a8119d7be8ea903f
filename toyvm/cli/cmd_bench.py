"""`toyvm bench`: measured here and now."""

from __future__ import annotations

from typing import Annotated

import typer

from .errors import fail

WHAT = ("cpu", "overhead", "exits", "scale", "start")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        name="bench",
        help="Measure here: cpu (MIPS), overhead (virtualised / bare), exits, scale or start.",
        epilog="Example: toyvm bench overhead --json",
    )(bench)


def bench(
    what: Annotated[str, typer.Argument(help="cpu, overhead, exits, scale or start.")] = "overhead",
    rounds: Annotated[int, typer.Option(help="Rounds in which everybody takes a turn.")] = 5,
    steps: Annotated[
        int, typer.Option(help="cpu: guest instructions of one run, about.")
    ] = 200_000_000,
    peer: Annotated[
        list[str] | None, typer.Option(help="cpu: only these peers; default: all installed.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> int:
    """Run one measurement."""
    import importlib

    from toyvm.ui.tables import Table, print_table

    from .machines import choice, warm_up
    from .output import print_json

    choice(what, WHAT, "bench")
    if not 1 <= rounds <= 1000:
        fail(f"--rounds {rounds}: expected 1 to 1000")
    if what != "start":
        warm_up(json_)
    if what == "cpu":
        return bench_cpu(rounds, steps, peer or [], json_)
    if what == "overhead":
        return bench_overhead(rounds, json_)
    if what == "scale":
        return bench_scale(rounds, json_)
    if what == "exits":
        return bench_exits(rounds, json_)
    facts = getattr(importlib.import_module("toyvm.proofs.bench"), what)(rounds)
    if json_:
        print_json(facts)
        return 0
    table = Table(("what", "value"), right=("value",), title=f"bench {what}")
    for name, value in facts.items():
        table.add(name, f"{value:,.3f}" if isinstance(value, float) else value)
    print_table(table)
    return 0


def bench_cpu(rounds: int, steps: int, names: list[str], json_: bool) -> int:
    """The six programs on everybody who is here: a table, then a chart."""
    from toyvm.proofs.cpu import TooShort, measure
    from toyvm.proofs.peers import PROGRAMS, peers
    from toyvm.ui.chart import print_bars
    from toyvm.ui.progress import work_progress
    from toyvm.ui.tables import Table, print_table

    from .machines import choice
    from .output import print_json

    if not 1_000_000 <= steps <= 100_000_000_000:
        fail(f"--steps {steps}: expected 1000000 to 100000000000")
    everybody = peers()
    for name in names:
        choice(name, tuple(peer.name for peer in everybody), "--peer")
    chosen = [peer for peer in everybody if not names or peer.name in names]
    total = len(chosen) * len(PROGRAMS) * rounds
    try:
        with work_progress("measuring", total, show=not json_) as report:
            result = measure(chosen, steps=steps, rounds=rounds, progress=report)
    except TooShort as error:
        fail(f"--steps {steps} are too few: {error}; give it more, or name others with --peer")
    if json_:
        print_json(result.facts())
        return 0
    heads = [peer.name for peer in chosen]
    table = Table(
        ("program", *heads), right=heads, title="Guest MIPS (median), processor time, one core"
    )
    for name in result.programs:
        table.add(name, *(f"{result.cells[head, name].median:,.0f}" for head in heads))
    table.add("geometric mean", *(f"{result.geomean(head):,.0f}" for head in heads))
    print_table(table)
    print_bars(
        "Geometric mean, guest MIPS",
        [(f"{peer.what} ({peer.name})", result.geomean(peer.name)) for peer in chosen],
    )
    return 0


def bench_overhead(rounds: int, json_: bool) -> int:
    """Virtualised / bare of four loads on each rung."""
    from toyvm.proofs.overhead import TECHNIQUES, measure, runs
    from toyvm.proofs.overhead import WHAT as OPERATION
    from toyvm.ui.chart import print_bars
    from toyvm.ui.progress import work_progress
    from toyvm.ui.tables import Table, print_table

    from .output import print_json

    with work_progress("measuring", runs(rounds=rounds), show=not json_) as report:
        loads = measure(rounds=rounds, progress=report)
    if json_:
        print_json({load.name: load.facts() for load in loads})
        return 0
    columns = ("steps each, bare", "virtualised / bare", "exits each", "steps per exit")
    table = Table(
        ("load", "does", "rung", *columns), right=columns, title="Virtualised against bare, medians"
    )
    for load in loads:
        for rung, facts in load.facts()["rungs"].items():
            table.add(
                load.name,
                OPERATION[load.name],
                rung,
                f"{load.path:,.0f}",
                f"{facts['ratio']['median']:.3f}",
                f"{facts['exits_per_operation']:.2f}",
                f"{facts['instructions_per_exit']:,.0f}",
            )
    print_table(table)
    for rung in TECHNIQUES:
        print_bars(
            f"Virtualised / bare, technique {rung}",
            [(load.name, load.ratio(rung)["median"]) for load in loads],
        )
    return 0


def bench_exits(rounds: int, json_: bool) -> int:
    """What an exit costs, and how many each rung of the ladder needs for the same guest."""
    from toyvm.proofs import bench as micro
    from toyvm.proofs import ladder
    from toyvm.ui.chart import print_bars
    from toyvm.ui.progress import work_progress
    from toyvm.ui.tables import Table, print_table

    from .output import print_json

    with work_progress("measuring", ladder.runs(rounds), show=not json_) as report:
        bare, rungs = ladder.measure(rounds, report)
    facts = ladder.facts(bare, rungs)
    single = micro.exits(rounds)
    if json_:
        print_json(single | {"ladder": facts})
        return 0
    columns = ("exits", "emulated", "filled", "reflected", "steps per exit", "ms", "/ bare")
    table = Table(("rung", "how", *columns), right=columns, title=f"{ladder.IMAGE} on each rung")
    for rung in rungs:
        row = facts["rungs"][rung.name]
        table.add(
            rung.name,
            rung.what,
            f"{rung.total:,}",
            *(f"{rung.outcomes[outcome]:,}" for outcome in ("emulate", "fill", "reflect")),
            f"{rung.per_exit:,}",
            f"{row['seconds'] * 1000:.1f}",
            f"{row['ratio']:.2f}",
        )
    print_table(table)
    print_bars(f"Exits of {ladder.IMAGE}", [(rung.name, float(rung.total)) for rung in rungs])
    print_bars(
        "Virtualised / bare, processor time",
        [(rung.name, facts["rungs"][rung.name]["ratio"]) for rung in rungs],
    )
    costs = Table(("one exit", "ns"), right=("ns",), title="One exit")
    for name, value in single.items():
        costs.add(name.removesuffix(", ns"), f"{value:,.0f}")
    print_table(costs)
    return 0


def bench_scale(rounds: int, json_: bool) -> int:
    """What many guests cost."""
    from toyvm.proofs import scale
    from toyvm.ui.tables import Table, print_table

    from .output import print_json

    facts = scale.boot() | {"memory": scale.idle_memory()} | {"idle": scale.idle_guests()}
    facts["threads"] = scale.threads(rounds)
    if json_:
        print_json(facts)
        return 0
    table = Table(("what", "value"), right=("value",), title="bench scale")
    for name, value in facts.items():
        if isinstance(value, dict):
            for detail, number in value.items():
                table.add(f"{name}: {detail}", f"{number:,}")
        else:
            table.add(name, f"{value:,}")
    print_table(table)
    return 0
