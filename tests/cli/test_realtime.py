"""`--realtime`: what a guest sleeps, the host sleeps too, instead of spinning."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from tests.cli.conftest import environment, program

#: A letter, then a timer a hundred times a second for two seconds of guest time, with wfi in
#: between.
TICKS = """
    .globl _start
_start:
    li   t0, 0x10000000
    li   t1, 'a'
    sb   t1, 0(t0)
    la   t0, tick
    csrw mtvec, t0
    li   s0, 0x02004000
    li   s1, 0x0200bff8
    li   s2, 200
    li   t0, 0x80
    csrw mie, t0
    csrsi mstatus, 8
    j    arm
again:
    wfi
    j    again
    .align 2
tick:
    addi s2, s2, -1
    beqz s2, over
arm:
    lw   t0, 0(s1)
    li   t1, 100000
    add  t0, t0, t1
    sw   zero, 4(s0)
    sw   t0, 0(s0)
    csrr t0, mcause
    la   t1, again
    csrw mepc, t1
    li   t2, 0x1880
    csrs mstatus, t2
    mret
over:
    li   t0, 0x100000
    li   t1, 0x5555
    sw   t1, 0(t0)
"""


def cpu_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system


@pytest.mark.skipif(os.name != "posix", reason="CPU time of children is a matter of Unix")
def test_an_idle_guest_leaves_the_host_alone(compiled, source):
    """Two seconds, almost all of them asleep; what starting costs is measured and taken away."""
    used, took = [], []
    for options in ((), ("--realtime",)):
        before = cpu_of_children()
        with subprocess.Popen(
            program("run", source(TICKS), "--bios", "none", "--ram", "1M", *options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as running:
            assert running.stdout is not None
            # Not from the start of the process: how long that takes is the host's affair.
            assert running.stdout.read(1) == b"a"
            began = time.monotonic()
            _, problems = running.communicate(timeout=60)
            took.append(time.monotonic() - began)
        assert running.returncode == 0, problems
        used.append(cpu_of_children() - before)
    # Guest time is host time now: 200 ticks of 10 ms, less what the letter took to come here.
    assert took[1] > 1.5, took
    # The promise is 2 % of a core; the bound is wide, for the host is busy with other tests.
    assert (used[1] - used[0]) / 2.0 < 0.25, used
