"""Running one image on stdio: slices, keys, Ctrl-C, the report at the end."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass
from typing import Any

from toyvm.platform import RAM_BASE, STEPS_PER_TICK, TIMEBASE_HZ
from toyvm.ui.console import GuestKeys
from toyvm.ui.pace import Interrupt, Pacer
from toyvm.ui.stdin import InputSource
from toyvm.ui.tables import grouped
from toyvm.ui.theme import is_tty

from .errors import FAILED, INTERNAL, INTERRUPTED, OK, SPENT, fail, log_text, say
from .machines import Built, MachineOptions, build, check, choice, mtime_of, warm_up
from .neighbours import await_neighbours
from .output import forget_stdout, print_json

TRACES = ("exits", "traps")
#: As many steps a trace of traps does in a second or so.
TRACED = 100_000
#: How long an idle guest waits for a key or a frame before the host is looked at again.
IDLE_SECONDS = 0.1
#: What a Stop says of a guest that wants to start again.
REBOOTS = ("reset", "cold reboot", "warm reboot")


@dataclass(frozen=True)
class RunOptions(MachineOptions):
    """The options of `toyvm run`; `max_steps` 0 means no limit.

    `realtime`: a guest that sleeps in wfi sleeps as long on the host.
    """

    max_steps: int = 0
    realtime: bool = False
    reboot: bool = True
    trace: str = ""
    json: bool = False
    verbose: bool = False


@dataclass
class Outcome:
    """How a run ended: `reason` as in Stop, or "left" (Ctrl-A X) or "interrupted" (Ctrl-C)."""

    reason: str
    code: int = 0
    detail: str = ""

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        if self.reason == "exit":
            return OK if self.code == 0 else FAILED
        return {"left": OK, "budget": SPENT, "interrupted": INTERRUPTED}.get(self.reason, FAILED)


class Output:
    """The guest's bytes on stdout, and nothing else.

    `hear` is called from inside of a device and only keeps the bytes; `flush` writes them between
    slices, so that a full disk or a reader that went away is our trouble and not the guest's.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self.count = 0
        self.at_line_start = True

    def hear(self, data: bytes) -> None:
        """The guest wrote `data`."""
        self._pending += data

    def flush(self) -> None:
        """Hand everything to the host; BrokenPipeError if nobody reads any more."""
        if not self._pending:
            return
        data = bytes(self._pending)
        self._pending.clear()
        self.count += len(data)
        self.at_line_start = data.endswith(b"\n")
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            forget_stdout()
            fail(f"cannot write the guest's output: {error.strerror}")


def run_image(options: RunOptions) -> int:
    """The whole of `toyvm run`; its exit code."""
    if options.max_steps < 0:
        fail(f"--max-insns {options.max_steps}: expected a positive number, or 0 for no limit")
    if options.trace:
        choice(options.trace, TRACES, "--trace")
        if options.trace == "exits" and not options.vm:
            fail("--trace exits needs --vm: a bare machine has no hypervisor to exit to")
    output = Output()
    check(options)
    built = build(options, output.hear)
    try:
        for warning in getattr(built.computer, "warnings", ()):
            say(f"warning: {warning}")
        warm_up(options.json)
        await_neighbours(built.cards, options.json)
        outcome = drive(built, options, output)
        output.flush()
    finally:
        built.close()
    return report(built, options, output, outcome)


def drive(built: Built, options: RunOptions, output: Output) -> Outcome:
    """Run slice after slice until something ends it."""
    computer = built.computer
    limit = options.max_steps or None
    step = None
    if options.trace:
        from .tracing import trace_exits, trace_traps

        if options.trace == "exits":
            trace_exits(computer)
        else:
            step = trace_traps(computer, built.image.symbols)
    # A neighbour in another process lives in host time: so must whoever waits for it.
    naps = options.realtime or built.remote
    slept = 0.0
    pacer = Pacer(seconds=0.005) if naps else Pacer()
    # Without a device that reads it, stdin is left alone.
    source = None if built.keyboards else InputSource(None)
    with Interrupt() as interrupt, GuestKeys(source) as keys:
        while True:
            left = None if limit is None else limit - built.spent - computer.steps
            if left is not None and left <= 0:
                return Outcome("budget", detail=f"{limit} steps")
            budget = pacer.next(left)
            if step is not None:
                budget = min(budget, 200)
                stop = step(budget)
            elif naps:
                # It may sleep as long as the host has waited for it.
                stop = computer.run(budget, idle=int(slept * TIMEBASE_HZ * STEPS_PER_TICK))
            else:
                stop = computer.run(budget)
            pacer.done(budget if stop.reason == "budget" else 0)
            output.flush()
            built.pump()
            if interrupt.take():
                return Outcome("interrupted")
            if options.reboot and stop.reason == "exit" and stop.detail in REBOOTS:
                built.restart()
                continue
            if stop.reason in ("exit", "error"):
                return Outcome(stop.reason, stop.code, stop.detail)
            forever = (
                stop.reason == "idle"
                and not computer.hart_pending()
                and computer.sleep_distance() is None
            )
            if forever and keys.ended and not built.remote and not built.attended:
                return Outcome("idle")
            wait = IDLE_SECONDS if forever else 0.0
            if naps and stop.reason == "idle" and not forever:
                # Until its timer, or a key or a frame before that.
                steps = computer.sleep_distance() or 0
                wait = min(IDLE_SECONDS, steps / (TIMEBASE_HZ * STEPS_PER_TICK))
            began = time.monotonic()
            typed = keys.poll(wait, built.descriptors())
            slept = time.monotonic() - began if wait else 0.0
            if typed:
                built.type(typed)
            for _ in range(keys.breaks):
                computer.board.uart.receive_break()
            keys.breaks = 0
            command = keys.take_command()
            if command == "leave":
                return Outcome("left")
            if command == "debug":
                _debug(built, keys, output)


def _debug(built: Built, keys: GuestKeys, output: Output) -> None:
    """Ctrl-A C: the debugger on the running machine; leaving it resumes the guest."""
    from .cmd_debug import debug_live

    keys.__exit__()
    say("paused; `quit` goes back to the guest")
    debug_live(built)
    keys.__enter__()


def report(built: Built, options: RunOptions, output: Output, outcome: Outcome) -> int:
    """Say how it ended: to people on stderr, or as one JSON object there."""
    computer = built.computer
    code = outcome.exit_code
    log = ""
    if getattr(computer, "errors", 0):
        code = INTERNAL
        log = str(log_text(getattr(computer, "report", "")) or "")
    if options.json:
        print_json({**facts(built, outcome, output), "exit_code": code, "log": log}, sys.stderr)
        return code
    if not output.at_line_start and is_tty(sys.stderr):
        sys.stderr.write("\n")
    tell(built, outcome, log, bool(options.trace))
    if options.verbose or (is_tty(sys.stderr) and is_tty(sys.stdout)):
        summary(built)
    return code


def tell(built: Built, outcome: Outcome, log: str, traced: bool = False) -> None:
    """One line where the ending is not an ordinary success."""
    name, pc = built.image.name, built.computer.pc
    if outcome.reason == "exit":
        if outcome.code:
            say(f"{name} ended with code {outcome.code} ({outcome.detail})")
        return
    where = built.image.symbols.describe(pc)
    at = f"{pc:#010x}" + (f" <{where}>" if where else "")
    if outcome.reason == "budget":
        say(f"{name} stopped: the budget of {outcome.detail} is spent, at {at}")
    elif outcome.reason == "idle":
        say(
            f"{name} stopped: it waits in wfi at {at}, no interrupt is enabled that could wake "
            "it, and there is no more input"
        )
    elif outcome.reason == "interrupted":
        say(f"{name} interrupted at {at}")
    elif outcome.reason == "error":
        kind = "internal error" if log else "stopped"
        kept = f"; please report it, the traceback is in {log}" if log else ""
        say(f"{kind}: {name}: {outcome.detail}{kept}")
        loop = re.match(r"trap loop: (\d+) ", outcome.detail)
        before = built.computer.steps - int(loop[1]) if loop else TRACED
        if before < TRACED and not traced:
            say(f"add --trace traps --max-insns {before + 10} to see the first traps")
        if not log and lacks_mode_m(built):
            say(
                f"{name} is linked at {RAM_BASE:#x} and was entered in S-mode, by the built-in "
                "firmware; if it starts in M-mode, give --bios none"
            )


def lacks_mode_m(built: Built) -> bool:
    """True for a kernel that is placed like one without firmware, and was started with it.

    Sources are always placed there, so they say nothing.
    """
    program = built.image.data
    return (
        built.bios == "sbi"
        and built.image.kind == "elf"
        and getattr(program, "lowest", 0) == RAM_BASE
    )


def facts(built: Built, outcome: Outcome, output: Output) -> dict[str, Any]:
    """What there is to know about a run, for --json."""
    from toyvm.debugger.target import exits_of

    computer = built.computer
    return {
        "image": built.image.name,
        "vm": exits_of(computer) is not None,
        "reason": outcome.reason,
        "code": outcome.code,
        "detail": outcome.detail,
        "steps": computer.steps,
        "instret": computer.instret,
        "mtime": mtime_of(computer),
        "pc": computer.pc,
        "mode": computer.mode,
        "ram": built.ram,
        "bios": built.bios,
        "console_bytes": computer.console.written,
        "reboots": built.reboots,
        "exits": exits_of(computer),
        "disks": [disk_facts(disk) for disk in computer.board.blocks],
        "nets": [card_facts(nic) for nic in computer.board.nics],
        "devices": [device_facts(device) for device in computer.board.devices],
    }


def disk_facts(block: Any) -> dict[str, Any]:
    """Counters of one virtual disk."""
    return {
        "sectors_read": block.stats.sectors_read,
        "sectors_written": block.stats.sectors_written,
        "errors": block.stats.errors,
    }


def device_facts(device: Any) -> dict[str, Any]:
    """Counters of another virtio device; `id` is its number in the specification."""
    stats = device.stats
    return {
        "id": device.device_id,
        "requests": stats.requests,
        "bytes_in": stats.bytes_in,
        "bytes_out": stats.bytes_out,
        "errors": stats.errors,
    }


def card_facts(nic: Any) -> dict[str, Any]:
    """Counters of one virtual network card."""
    return {
        "mac": nic.mac.hex(":"),
        "frames_out": nic.stats.frames_out,
        "frames_in": nic.stats.frames_in,
        "drops": nic.stats.drops,
    }


def summary(built: Built) -> None:
    """The counters of the run in a line or two on stderr."""
    from toyvm.debugger.target import exits_of
    from toyvm.ui.live import top_exits

    computer = built.computer
    parts = [
        f"{grouped(computer.instret)} instructions",
        f"{grouped(computer.steps)} steps",
        f"mtime {grouped(mtime_of(computer))}",
    ]
    read = sum(block.stats.sectors_read for block in computer.board.blocks)
    written = sum(block.stats.sectors_written for block in computer.board.blocks)
    if computer.board.blocks:
        parts.append(f"{read} sectors read, {written} written")
    if computer.board.nics:
        sent = sum(nic.stats.frames_out for nic in computer.board.nics)
        got = sum(nic.stats.frames_in for nic in computer.board.nics)
        parts.append(f"{sent} frames sent, {got} received")
    say("; ".join(parts))
    exits = exits_of(computer)
    if exits is not None:
        total = sum(exits.values())
        each = f", {grouped(computer.instret // total)} instructions per exit" if total else ""
        say(f"{grouped(total)} exits: {top_exits(exits, 8)}{each}")
