"""Loops that walk through memory, in tier 2: pages are looked up once for many rounds."""

from __future__ import annotations

import os
import random

import pytest

from tests.hypervisor.guests import BASE, RAM, RW, A, D, guest, identity
from tests.support.tiers import Tiers, both, sizes
from toyvm.hart.translate import translator as tier2
from toyvm.hart.translate.backend import unavailable
from toyvm.hart.translate.emit import Emitter, emit
from toyvm.hart.translate.loops import Loop, find_loops
from toyvm.hart.translate.region import Region
from toyvm.hypervisor import Vm
from toyvm.machine import Machine
from toyvm.platform import FINISHER_BASE

pytestmark = pytest.mark.skipif(unavailable() != "", reason=f"no tier 2: {unavailable()}")

FULL = bool(os.environ.get("TOYVM_FULL"))
SKIP = """
.balign 4
skip:                           # the next instruction; it counts what it was called for
    csrr s8, mtval
    add  s9, s9, s8
    csrr s8, mepc
    add  s9, s9, s8
    addi s8, s8, 4
    csrw mepc, s8
    addi s10, s10, 1
    mret
"""


def loops_of(text: str) -> dict[int, Loop]:
    """What `find_loops` says about assembly that begins at rel 0."""
    data = next(data for address, data, _ in guest(text).segments if address == BASE)
    words = {i: int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data) & ~3, 4)}
    return find_loops(words, Emitter(Region(words, (0,))).jumps)


def body(rng: random.Random) -> str:
    """The inside of a loop: accesses by s0 to s3, which move; a4 counts down outside."""
    lines = []
    pointers = ("s0", "s1", "s2")
    moves = {}
    for pointer in pointers:
        moves[pointer] = rng.choice(("4", "8", "-4", "12", "64", "1", "-2", "384", "0", "t3", "t4"))
    for number in range(rng.randrange(2, 8)):
        pointer = rng.choice(pointers)
        kind = rng.choice(("lw", "lw", "sw", "sw", "lbu", "lb", "lh", "lhu", "sb", "sh"))
        width = {"w": 4, "h": 2, "b": 1}[kind.rstrip("u")[1]]
        offset = rng.randrange(-64, 64) // width * width
        if rng.random() < 0.05:
            offset += 1
        value = rng.choice(("a0", "a1", "a2"))
        if rng.random() < 0.3:
            other = rng.choice(("beq", "bltu", "bge"))
            lines.append(f"{other} {rng.choice(('a0', 'a1'))}, a2, 2{number}f")
            lines.append(f"addi a2, a2, {rng.randrange(9)}")
            if rng.random() < 0.2:
                lines.append(f"addi {pointer}, {pointer}, 4")
        lines.append(f"{kind} {value}, {offset}({pointer})")
        lines.append(f"2{number}:")
        if rng.random() < 0.3:
            lines.append("add a1, a1, a0")
    for pointer, move in moves.items():
        place = rng.randrange(len(lines) + 1)
        while place < len(lines) and lines[place].endswith(":") and rng.random() < 0.5:
            place += 1
        lines.insert(place, f"add{'' if move[0] == 't' else 'i'} {pointer}, {pointer}, {move}")
    return "\n".join(lines)


def program(seed: int) -> str:
    """A loop that is run again and again from other places, over pages of several kinds."""
    rng = random.Random(f"loops {seed}")
    starts = "\n".join(
        f"    .word data + {rng.choice((0x1000, 0x2000, 0x3000)) + 4 * rng.randrange(-20, 20)},"
        f" data + {rng.randrange(0x800, 0x3800) & ~rng.choice((3, 3, 3, 1, 0))},"
        f" data + {rng.randrange(0x800, 0x3800) & ~3},"
        f" {rng.choice((0, 4, 36, 100, 512, 513, 2048, -8, 6))}, {rng.randrange(1, 120)}"
        for _ in range(8)
    )
    return f"""
            handler skip
            li   s4, 12
            li   t4, 24
        outer:
            la   s5, starts
            li   s6, 8
        next:
            lw   s0, 0(s5)
            lw   s1, 4(s5)
            lw   s2, 8(s5)
            lw   t3, 12(s5)
            lw   a4, 16(s5)
        again:
            {body(rng)}
            addi a4, a4, -1
            bnez a4, again
            addi s5, s5, 20
            addi s6, s6, -1
            bnez s6, next
            addi s4, s4, -1
            bnez s4, outer
            pass
        {SKIP}
        .balign 4096
        starts:
        {starts}
        .balign 4096
        .space 0x1000
        data:
            .space 0x8000
    """


@pytest.mark.parametrize("seed", range(400 if FULL else 6))
def test_loops_of_every_kind(seed: int) -> None:
    """Strides up and down, constant and not, odd addresses, branches inside, stops anywhere."""
    kind = (Machine, Vm)[seed & 1]
    pair = Tiers(guest(program(seed)), kind, ram=RAM, bios="none")
    pair.finish(sizes(seed, 60_000))
    assert pair.translator.installed


def test_which_loops_are_found() -> None:
    """By rel: a walk, a walk by a register's stride, and none for what cannot be foretold."""
    found = loops_of("""
    1:  lw   a0, 0(a1)
        addi a1, a1, 4
        sb   a0, 3(a2)
        add  a2, a2, a3
        beqz a0, 2f
        lhu  a4, 8(sp)
    2:  bnez a5, 1b
    """)
    (loop,) = found.values()
    assert (loop.first, loop.last, loop.shortest) == (0, 24, 6)
    assert {
        rel: (g.base, g.write, g.low, g.high, g.stride, g.step) for rel, g in loop.groups.items()
    } == {
        0: (11, False, 0, 4, 4, 0),
        8: (12, True, 3, 4, 0, 13),
        20: (2, False, 8, 10, 0, 0),
    }
    # A list, a pointer that moves only at times, a stride that does not fit, one that changes.
    for text in (
        "1: lw a0, 0(a0)\n bnez a0, 1b",
        "1: lw a0, 0(a1)\n beqz a0, 2f\n addi a1, a1, 4\n2: bnez a0, 1b",
        "1: lw a0, 0(a1)\n addi a1, a1, 2\n bnez a0, 1b",
        "1: lw a0, 0(a1)\n add a1, a1, a0\n bnez a0, 1b",
        "1: lw a0, 0(a1)\n addi a1, a1, 1024\n bnez a0, 1b",
        "1: lw a0, 0(a1)\n addi a1, a1, 4\n jal ra, 1b",
    ):
        assert not any(loop.groups for loop in loops_of(text).values()), text


def test_the_quick_copy_looks_nothing_up() -> None:
    """Of a loop with one load there are two lookups in its plain copy and one before the other."""
    words = {0: 0x0005_A503, 4: 0x0045_8593, 8: 0xFE05_1CE3}
    text = emit(Region(words, (0,)))
    quick = text[text.index("\nqb0:") :]
    quick = quick[: quick.index("br i1")]
    assert "load i32, ptr %v" in quick
    assert "%tlb" not in quick
    assert "%cache" not in quick


def test_a_pointer_wraps_around_the_address_space() -> None:
    """From the last page to page 0, up and down; the register alone passes 0 as well."""
    tables = identity().map(0xFFFF_F000, BASE + 0x8_0000, RW | A | D)
    tables.map(0, BASE + 0x8_5000, RW | A | D).map(FINISHER_BASE, FINISHER_BASE, RW | A | D)
    text = (
        """
            open_pmp
            paging
            handler skip
            enter MSTATUS_MPP_S, super
        super:
            li   s4, 6
        outer:
            li   s0, -400
            li   a4, 200
        1:  lw   a0, 0(s0)
            add  a0, a0, a4
            sw   a0, 0(s0)
            addi s0, s0, 4
            addi a4, a4, -1
            bnez a4, 1b
            li   s1, -2048
            li   a4, 600
        2:  lbu  a0, 2047(s1)
            add  s9, s9, a0
            addi a0, a0, 1
            sb   a0, 2047(s1)
            addi s1, s1, 5
            addi a4, a4, -1
            bnez a4, 2b
            li   s2, 300
            li   a4, 300
        3:  lhu  a0, 6(s2)
            add  s9, s9, a0
            addi s2, s2, -2
            addi a4, a4, -1
            bnez a4, 3b
            addi s4, s4, -1
            bnez s4, outer
            pass
    """
        + SKIP
    )
    for pair in both(guest(text, tables), (*[300] * 20, 5000, 60_000), ram=RAM, bios="none"):
        assert pair.one.stopped is not None
        assert pair.translated > 10_000


def test_pages_side_by_side_lie_apart_in_ram() -> None:
    """To the last byte of a page, and not further, in both directions."""
    tables = identity().map(FINISHER_BASE, FINISHER_BASE, RW | A | D)
    for number, place in enumerate((3, 0, 2, 1)):
        tables.map(0x4000_0000 + 0x1000 * number, BASE + 0x8_0000 + 0x2000 * place, RW | A | D)
    walks = "".join(
        f"""
            li   s0, 0x40001000 + {start}
            li   a4, {0x1800 // abs(stride)}
            li   t3, {stride}
        1:  {load} a0, 0(s0)
            add  s9, s9, a0
            add  a0, a0, a4
            {store} a0, {offset}(s0)
            {move}
            addi a4, a4, -1
            bnez a4, 1b
        """
        for load, store, start, stride, offset in (
            ("lbu", "sb", 0x800, 1, 0),
            ("lbu", "sb", 0x7FF, -1, 0),
            ("lhu", "sh", 0x802, 2, -2),
            ("lb", "sb", 0x801, 3, 1),
            ("lw", "sw", 0x7FC, -4, 4),
            ("lw", "sb", 0x40, 20, 3),
        )
        for move in (f"addi s0, s0, {stride}", *(("add s0, s0, t3",) if stride > 0 else ()))
    )
    text = f"""
            open_pmp
            paging
            handler skip
            enter MSTATUS_MPP_S, super
        super:
            li   s4, 2
        outer:
            {walks}
            addi s4, s4, -1
            bnez s4, outer
            pass
        {SKIP}
    """
    for pair in both(guest(text, tables), (*[3000] * 8, 800_000), ram=RAM, bios="none"):
        assert pair.one.stopped is not None
        assert pair.translated > 100_000


def test_a_loop_writes_over_its_own_page() -> None:
    """A fill that walks towards the code, and into it."""
    text = """
            la   s0, _start + 0x800 + 0x3000
            li   a4, 3000
            li   a0, 0x13
        1:  sw   a0, 0(s0)
            addi s0, s0, -4
            addi a4, a4, -1
            bnez a4, 1b
            pass
        .balign 4096
            .space 0x8000
    """
    for pair in both(guest(text), (*[200] * 10, 30_000), ram=RAM, bios="none"):
        assert pair.one.stopped is not None
        assert pair.translated > 1000


def test_where_a_switch_leads_becomes_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """A label that is reached by a table and by falling through."""
    monkeypatch.setattr(tier2, "SETTLED", 3000)
    text = """
            li   s4, 6000
            la   s5, table
        again:
            andi a0, s4, 4
            add  a1, s5, a0
            lw   a1, 0(a1)
            jr   a1
        first:
            addi a2, a2, 1
        second:
            addi a3, a3, 1
            addi s4, s4, -1
            bnez s4, again
            pass
        .balign 4096
        table:
            .word first, second
    """
    for pair in both(guest(text), (*[400] * 20, 60_000), ram=RAM, bios="none"):
        assert pair.one.stopped is not None
        second = pair.one.program.symbols["second"] & 0xFFF
        assert any(second in one.translated.region.heads for one in pair.translator.regions)
