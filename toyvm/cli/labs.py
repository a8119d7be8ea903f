"""Running a lab to its end: console lines or a live view, Ctrl-C, the facts afterwards."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from toyvm.control.labs import LabError
from toyvm.ui.live import GuestRow, lab_view
from toyvm.ui.pace import Interrupt, Pacer
from toyvm.ui.tables import Table, grouped, print_table

from .errors import (
    FAILED,
    INTERNAL,
    INTERRUPTED,
    OK,
    SPENT,
    CliError,
    input_errors,
    log_text,
    say,
)
from .images import LoadedImage, open_image
from .neighbours import await_neighbours
from .output import print_json

if TYPE_CHECKING:
    from toyvm.control.labrun import LabGuest, RunningLab
    from toyvm.control.labs import Lab

#: Console text kept of each guest for --json.
KEEP = 1 << 20


@dataclass(frozen=True)
class LabOptions:
    """How to run and show a lab. `pace` slows a live view down to that many steps a second."""

    max_steps: int = 0
    live: bool | None = None
    json: bool = False
    pace: int = 0
    parallel: bool = False


class _Silent:
    """A view that shows nothing, for --json."""

    def console(self, name: str, data: bytes) -> None:
        """Nothing to show."""

    def update(self, rows: object, clock: str) -> None:
        """Nothing to show."""

    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *_exc: object) -> None:
        pass


@dataclass
class LabResult:
    """A lab that has ended. `reason`: "ended", "budget", "idle" or "interrupted"."""

    running: RunningLab
    reason: str
    texts: dict[str, bytearray]
    seconds: float
    disks_after: dict[str, list[str]]

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        if any(getattr(guest.vm, "errors", 0) for guest in self.running.guests):
            return INTERNAL
        if self.reason == "interrupted":
            return INTERRUPTED
        if self.reason == "budget":
            return SPENT
        good = all(
            guest.stop is not None and guest.stop.reason == "exit" and guest.stop.code == 0
            for guest in self.running.guests
        )
        return OK if good else FAILED


def open_lab_image(text: str, base: Path) -> LoadedImage:
    """An image named in a lab file: a file beside it, else what `toyvm run` would take.

    LabError says why it cannot be opened.
    """
    beside = base / Path(text).expanduser()
    try:
        return open_image(str(beside) if beside.is_file() else text)
    except Exception as error:
        if not isinstance(error, (CliError, *input_errors())):
            raise
        raise LabError(str(error)) from None


def rows_of(running: RunningLab) -> list[GuestRow]:
    """The counters of all guests now."""
    return [
        GuestRow(
            guest.name, guest.state, guest.vm.instret, guest.exits, guest.sectors, guest.frames
        )
        for guest in running.guests
    ]


def execute_lab(
    lab: Lab, options: LabOptions, ready: Callable[[], None] | None = None
) -> LabResult:
    """Start the lab and run it until its guests have ended, Ctrl-C, or the budget.

    `ready` is called when everything is built, just before the first guest instruction.
    """
    from toyvm.control.labrun import start_lab
    from toyvm.storage import disk_sha256

    from .machines import warm_up

    names = [spec.name for spec in lab.vms]
    texts = {name: bytearray() for name in names}
    view: Any = _Silent() if options.json else lab_view(names, live=options.live)

    # Devices only leave their bytes here, in order; they are shown between the turns, where a
    # full disk or a reader that went away is not the guests' trouble.
    # Guests on threads of their own are heard in the order in which they would take turns.
    heard: dict[str, list[tuple[int, bytes]]] = {name: [] for name in names}

    def sink(name: str) -> Callable[[bytes], None]:
        return lambda data: heard[name].append((running.hypervisor.rounds, data))

    def show() -> None:
        pieces = [(at, i, name, data) for i, name in enumerate(names) for at, data in heard[name]]
        for _, _, name, data in sorted(pieces, key=lambda piece: piece[:2]):
            if len(texts[name]) < KEEP:
                texts[name] += data
            view.console(name, data)
        for waiting in heard.values():
            waiting.clear()

    running = start_lab(lab, open_lab_image, {name: sink(name) for name in names}, options.parallel)
    try:
        warm_up(options.json)
        cards = [card for guest in running.guests for card in guest.cards]
        await_neighbours(cards, options.json)
        if ready is not None:
            ready()
        began = time.monotonic()
        with view, Interrupt() as interrupt:
            reason = _loop(running, options, show, view, interrupt)
            view.update(rows_of(running), reason)
        seconds = time.monotonic() - began
        hashes = {
            guest.name: [disk_sha256(drive) for drive in guest.drives] for guest in running.guests
        }
    finally:
        running.close()
    return LabResult(running, reason, texts, seconds, hashes)


def _loop(
    running: RunningLab,
    options: LabOptions,
    show: Callable[[], None],
    view: Any,
    interrupt: Interrupt,
) -> str:
    """Turn after turn; why it ended."""
    from .machines import mtime_of

    pacer = Pacer()
    limit = options.max_steps
    while True:
        most = None
        if limit:
            most = limit - _progress(running)
            if most <= 0:
                return "budget"
        if options.pace:
            most = 1  # one round of slices, the least there is
        steps = pacer.next(most)
        began, before = time.monotonic(), _progress(running)
        idle = running.turn(steps)
        pacer.done(steps)
        show()
        clock = max((mtime_of(guest.vm) for guest in running.guests), default=0)
        view.update(rows_of(running), f"guest time {clock / 10_000_000:.4f} s")
        if interrupt.take():
            return "interrupted"
        if not running.running:
            return "ended"
        if idle:
            return "idle"
        if options.pace:
            nominal = (_progress(running) - before) / options.pace
            time.sleep(max(0.0, nominal - (time.monotonic() - began)))


def _progress(running: RunningLab) -> int:
    """Steps of the guest that is furthest."""
    return max((guest.vm.steps for guest in running.guests), default=0)


def run_lab(lab: Lab, options: LabOptions) -> int:
    """The whole of `toyvm up`."""
    result = execute_lab(lab, options)
    if options.json:
        print_json({"lab": str(lab.path), **facts(result)})
        return result.exit_code
    summary(result, sys.stderr)
    endings(result)
    return result.exit_code


def endings(result: LabResult) -> None:
    """A line on stderr for everything that did not end as it should."""
    if result.reason == "interrupted":
        say("interrupted")
    elif result.reason == "budget":
        say("stopped: the budget of steps is spent")
    elif result.reason == "idle":
        names = ", ".join(guest.name for guest in result.running.running)
        say(f"stopped: nothing can wake any guest that is left ({names})")
    for guest in result.running.guests:
        stop = guest.stop
        if stop is None or (stop.reason == "exit" and stop.code == 0):
            continue
        if getattr(guest.vm, "errors", 0):
            kept = log_text(guest.vm.report)
            say(
                f"internal error in the hardware of {guest.name}: {stop.detail}; please report it"
                + (f"; the traceback is in {kept}" if kept else "")
            )
        elif stop.reason == "exit":
            say(f"{guest.name} ended with code {stop.code} ({stop.detail})")
        else:
            say(f"{guest.name} stopped: {stop.reason} {stop.detail}".rstrip())


def guest_facts(
    running: RunningLab, guest: LabGuest, text: bytes, hashes: list[str]
) -> dict[str, Any]:
    """Everything about one guest, JSON-ready."""
    from .runner import card_facts, disk_facts

    exits = guest.exits
    total = sum(exits.values())
    stop = guest.stop
    return {
        "image": guest.image.name,
        "state": guest.state,
        "code": stop.code if stop is not None and stop.reason == "exit" else None,
        "detail": stop.detail if stop is not None else "",
        "instructions": guest.vm.instret,
        "steps": guest.vm.steps,
        "stolen": running.hypervisor.stolen[guest.name],
        "exits": {cause: count for cause, count in exits.items() if count},
        "exits_total": total,
        "instructions_per_exit": guest.vm.instret // total if total else None,
        "disks": [
            {**disk_facts(block), "sha256_before": before, "sha256_after": after}
            for block, before, after in zip(
                guest.vm.board.blocks, guest.disks_before, hashes, strict=True
            )
        ],
        "nets": [
            {**card_facts(nic), "sent": card.sent.as_dict()}
            for nic, card in zip(guest.vm.board.nics, guest.cards, strict=True)
        ],
        "console": text.decode("utf-8", "replace"),
    }


def facts(result: LabResult) -> dict[str, Any]:
    """Everything about a finished lab, JSON-ready."""
    running = result.running
    sent = [card.sent for guest in running.guests for card in guest.cards]
    return {
        "reason": result.reason,
        "exit_code": result.exit_code,
        "seconds": round(result.seconds, 3),
        "pings": sum(count.echo_requests for count in sent),
        "replies": sum(count.echo_replies for count in sent),
        "guests": {
            guest.name: guest_facts(
                running, guest, bytes(result.texts[guest.name]), result.disks_after[guest.name]
            )
            for guest in running.guests
        },
        "switches": {
            name: {port.name: port.stats.as_dict() for port in switch.ports.values()}
            for name, switch in running.switches.items()
        },
    }


def summary(result: LabResult, stream: IO[str]) -> None:
    """The table of guests, then the exits by cause."""
    running = result.running
    shared = running.lab.clock == "lab"
    columns: tuple[str, ...] = ("instructions", "exits", "per exit", "sectors", "frames")
    columns += ("of a hart",) if shared else ()
    table = Table(("guest", "ended", *columns), right=columns)
    rows = rows_of(running)
    for row in rows:
        got = (f"{100 * running.share(row.name):.1f} %",) if shared else ()
        table.add(
            row.name,
            row.state,
            grouped(row.instructions),
            grouped(row.total_exits),
            grouped(row.per_exit),
            grouped(row.sectors),
            grouped(row.frames),
            *got,
        )
    stream.write("\n")
    print_table(table, stream)
    causes = sorted(
        {cause for row in rows for cause, count in row.exits.items() if count},
        key=lambda cause: (-sum(row.exits.get(cause, 0) for row in rows), cause),
    )
    names = [row.name for row in rows]
    by_cause = Table(("exit by cause", *names), right=names)
    for cause in causes:
        by_cause.add(cause, *(grouped(row.exits.get(cause, 0)) for row in rows))
    if causes:
        stream.write("\n")
        print_table(by_cause, stream)
