"""Labs under the hypervisor: several guests, their ends, breakpoints, isolation of a bad one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assembler import Source, assemble
from toyvm.control.labrun import start_lab
from toyvm.control.labs import LabError, parse_lab

PASS = """
    .globl _start
_start: li t0, 0x10000000
        li t1, 'A'
        sb t1, 0(t0)
        li t2, 200000
spin:   addi t2, t2, -1
        bnez t2, spin
        li t0, 0x100000
        li t1, 0x5555
        sw t1, 0(t0)
here:   j here
"""
FAIL = PASS.replace("0x5555", "0x73333").replace("'A'", "'B'").replace("200000", "10")
SLEEP = ".globl _start\n_start: wfi\n j _start\n"
WILD = ".globl _start\n_start: jr zero\n"

LOOP = ".globl _start\n_start: addi s0, s0, 1\n j _start\n"

TEXTS = {"pass": PASS, "fail": FAIL, "sleep": SLEEP, "wild": WILD, "loop": LOOP}


@dataclass
class Image:
    name: str
    data: Any
    bios: str = "none"


def open_image(name: str, base: Path) -> Image:
    return Image(name, assemble([Source(f"{name}.s", TEXTS[name])]))


def lab(*names: str, extra: str = ""):
    text = "".join(f'[vm.{name}{i}]\nimage="{name}"\nram="1M"\n{extra}' for i, name in
                   enumerate(names))  # fmt: skip
    return parse_lab(text.encode(), Path("lab.toml"))


def run(running, turns: int = 200) -> bool:
    return any(running.turn(50_000) or not running.running for _ in range(turns))


def test_every_guest_runs_to_its_own_end():
    consoles = {"pass0": bytearray(), "fail1": bytearray()}
    running = start_lab(
        lab("pass", "fail"), open_image, {name: c.extend for name, c in consoles.items()}
    )
    assert run(running)
    assert [guest.state for guest in running.guests] == ["exit 0", "exit 7"]
    assert consoles == {"pass0": b"A", "fail1": b"B"}
    # 200000 times two instructions, and a handful around them.
    assert 400_000 < running.guest("pass0").vm.instret < 400_020
    assert running.guest("pass0").exits["mmio"] == 2
    running.close()


def test_a_wild_guest_harms_nobody():
    running = start_lab(lab("wild", "pass"), open_image)
    assert run(running)
    assert running.guest("pass1").state == "exit 0"
    assert running.guest("wild0").stop is not None
    running.close()


def test_guests_that_sleep_for_ever_are_noticed():
    running = start_lab(lab("sleep", "pass"), open_image)
    for _ in range(200):
        if running.turn(50_000):
            break
    assert [guest.name for guest in running.running] == ["sleep0"]
    running.close()


def test_the_debuggers_run_tells_every_end_once():
    running = start_lab(lab("fail", "fail"), open_image)
    told = [running.run(1_000_000) for _ in range(2)]
    assert [(name, stop.reason, stop.code) for name, stop in told] == [
        ("fail0", "exit", 7),
        ("fail1", "exit", 7),
    ]
    running.close()


def test_the_debuggers_run_stops_at_a_breakpoint():
    running = start_lab(lab("pass", "pass"), open_image)
    second = running.guest("pass1").vm
    spin = second.program.symbols["spin"]
    second.add_breakpoint(spin)
    name, stop = running.run(1_000_000)
    assert (name, stop.reason) == ("pass1", "breakpoint")
    assert second.pc == spin
    running.close()


def test_an_image_that_does_not_fit_names_the_guest():
    big = parse_lab(b'[vm.a]\nimage="pass"\nram="64K"\n', Path("lab.toml"))

    def too_big(name: str, base: Path) -> Image:
        return Image(name, assemble([Source("b.s", PASS + "\n.space 200000\n")]))

    with pytest.raises(LabError, match=r"lab\.toml: vm\.a: .*does not fit"):
        start_lab(big, too_big)


def test_disk_hashes_are_taken_before_the_start():
    import hashlib

    running = start_lab(lab("pass", extra='drive=["temp:1K"]\n'), open_image)
    assert running.guests[0].disks_before == [hashlib.sha256(bytes(1024)).hexdigest()]
    running.close()


def test_a_budget_ends_in_the_same_state_however_fast_the_host_is():
    """The host's speed decides how long turns are; it must not decide where guests stop."""
    text = (
        '[vm.a]\nimage="loop"\nram="1M"\nweight=300\n'
        '[vm.b]\nimage="loop"\nram="1M"\n[vm.c]\nimage="loop"\nram="1M"\ncap=10\n'
    )
    limit = 3_000_000
    ends = set()
    for turn in (50_000, 500_000, 1 << 40):
        running = start_lab(parse_lab(text.encode(), Path("lab.toml")), open_image)
        while (left := limit - running.guests[0].vm.steps) > 0:
            running.turn(min(turn, left))
        ends.add(tuple(guest.vm.steps for guest in running.guests))
        running.close()
    assert len(ends) == 1
    # No further than one round past the budget.
    ((first, *_),) = ends
    assert limit <= first < limit + 250_000
