"""Shadow tables are a cache: they may be dropped at any time and nobody notices."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from tests.hypervisor.guests import (
    BASE,
    ROOT,
    RW,
    RWX,
    A,
    D,
    G,
    R,
    Tables,
    U,
    V,
    W,
    X,
    guest,
    identity,
)
from tests.hypervisor.twin import Twin, agree, check_whole
from tests.support.fast import Runner, sizes
from tests.support.short import KINDS, short_program
from toyvm.hart import state as s
from toyvm.hypervisor import Vm, shadow
from toyvm.isa import sv32
from toyvm.machine import Machine
from toyvm.machine.memory import PAGE
from toyvm.platform import RAM_BASE


def tables_of(vm: Vm) -> Iterator[tuple[int, int, int]]:
    """(tag, gva, real entry) of every leaf of every shadow table."""
    c = vm.control
    ram = vm.host.ram

    def table(frame: int) -> np.ndarray:
        return ram[frame * PAGE : (frame + 1) * PAGE].view("<u4")

    for root in range(shadow.ROOTS):
        if not c[shadow.TAGS + root]:
            continue
        for upper, pointer in enumerate(table(int(c[shadow.TABLES + root])).tolist()):
            if not pointer & V:
                continue
            below = (pointer >> 10) - (RAM_BASE >> 12)
            if pointer & RWX:
                yield int(c[shadow.TAGS + root]), upper << 22, pointer
                continue
            for lower, leaf in enumerate(table(below).tolist()):
                if leaf & V:
                    yield int(c[shadow.TAGS + root]), upper << 22 | lower << 12, leaf


def check_shadow(vm: Vm) -> int:
    """Every invariant of the shadow tables; returns the number of leaves."""
    mine = vm.host.frames_of(vm.name) - ({0} if 0 not in vm.memory.fmap else set())
    ram = [frame for frame in vm.memory.fmap.tolist() if frame >= 0]
    c = vm.control
    used = []
    for root in range(shadow.ROOTS):
        if c[shadow.TAGS + root]:
            frame = int(c[shadow.TABLES + root])
            used.append(frame)
            words = vm.host.ram[frame * PAGE : (frame + 1) * PAGE].view("<u4")
            for pointer in words[words & V != 0].tolist():
                if not pointer & RWX:
                    piece = 0x200
                    assert pointer & 0x3FF & ~piece == V, "a pointer and nothing else"
                    used.append((pointer >> 10) - (RAM_BASE >> 12))
    nodes = c[shadow.NODE_FRAME : shadow.NODE_FRAME + c[shadow.NODES]].tolist()
    assert sorted(used) == sorted(nodes), "tables lost or doubled"
    free = c[shadow.STACK : shadow.STACK + c[shadow.FREE]].tolist()
    assert sorted(used + free + ram) == sorted(mine), "frames lost or doubled"
    leaves = 0
    frames = set(ram)
    for tag, gva, leaf in tables_of(vm):
        leaves += 1
        frame = (leaf >> 10) - (RAM_BASE >> 12)
        assert frame in frames, f"{gva:#x} leads out of the VM's memory"
        native = tag >> 41
        fixed = sv32.PTE_V | sv32.PTE_A | sv32.PTE_D | (0 if native else sv32.PTE_U)
        assert leaf & fixed == fixed
        assert leaf & (sv32.PTE_R | sv32.PTE_X)
        if leaf & sv32.PTE_W:
            assert leaf & sv32.PTE_R
            guests = c[shadow.NODE_GUEST : shadow.NODE_GUEST + c[shadow.NODES]].tolist()
            tables = {
                int(vm.memory.fmap[page - (RAM_BASE >> 12)])
                for page in guests
                if 0 <= page - (RAM_BASE >> 12) < len(vm.memory.fmap)
            }
            assert not c[shadow.PROTECT] or frame not in tables, "a table can be written"
    return leaves


def check_entries(vm: Vm) -> int:
    """Every leaf of the shadow against the guest's own table, walked here; how many there were.

    Where the guest translates nothing that is always so; its tables themselves are followed
    exactly only if they are protected (otherwise until the next fence).
    """
    fmap = vm.memory.fmap
    followed = 0
    for tag, gva, leaf in tables_of(vm):
        where = f"{gva:#x} in {tag:#x}: {leaf:#x}"
        own, page, piece = guest_entry(vm, tag, gva) if tag & 8 else (RWX | A | D, gva >> 12, 0)
        if tag & 8 and vm.shadow_mode != "protect":
            continue
        followed += 1
        assert own & V or not tag & 8, where
        assert (leaf >> 10) - (RAM_BASE >> 12) == fmap[page - (RAM_BASE >> 12)], where
        if not tag & 8:
            assert leaf & 0x300 == 0, where
            continue
        user, mode, total, readable = bool(own & U), tag >> 1 & 3, tag >> 4 & 1, tag >> 5 & 1
        assert own & A, where
        assert not leaf & W or own & (W | D) == W | D, where
        assert not leaf & X or own & X, where
        assert not leaf & R or own & R or (readable and own & X), where
        assert bool(leaf & 0x100) == bool(own & G), where
        # A megapage has lost its mark only where it is one in the shadow, too.
        assert not leaf & 0x200 or piece, where
        if tag >> 41:
            assert bool(leaf & U) == user, where
        else:
            assert user if mode == 0 else not user or (total and not leaf & X), where
    return followed


def guest_entry(vm: Vm, tag: int, gva: int) -> tuple[int, int, bool]:
    """The guest's own leaf for an address, its page, and whether it is a megapage's."""
    table = (tag >> 6 & 0x3F_FFFF) << 12
    pte = 0
    for shift in (22, 12):
        data = vm.read_phys(table + 4 * (gva >> shift & 1023), 4)
        assert data is not None, f"the table of {gva:#x} lies outside of RAM"
        pte = int.from_bytes(data, "little")
        table = pte >> 10 << 12
        if pte & RWX or not pte & V:
            break
    megapage = shift == 22
    return pte, (pte >> 10) + (gva >> 12 & 1023 if megapage else 0), megapage


def wide(regions: int, step: int = 1 << 22) -> tuple[Tables, str]:
    """Tables that map one page in each of many 4 MiB regions, and a walk through all of them."""
    tables = Tables(BASE + 0x10_0000).map(BASE, BASE, RWX | A | D, 16)
    for i in range(regions):
        tables.map(0x1000_0000 + i * step, BASE + 0x8000 + 0x1000 * (i % 4), RW | A | D)
    source = f"""
        open_pmp
        li   t0, SATP_MODE | {(BASE + 0x10_0000) >> 12:#x}
        csrw satp, t0
        enter MSTATUS_MPP_S, kernel
    kernel:
        li   s2, 3
    rounds:
        li   s0, 0x10000000
        li   s1, {regions}
        li   s3, {step}
    again:
        lw   t0, 0(s0)
        addi t0, t0, 1
        sw   t0, 0(s0)
        add  s0, s0, s3
        addi s1, s1, -1
        bnez s1, again
        addi s2, s2, -1
        bnez s2, rounds
        ecall
    """
    return tables, source.replace("open_pmp", "handler done\n open_pmp") + ".align 2\ndone: pass\n"


def test_a_guest_that_needs_more_tables_than_the_reserve_has() -> None:
    """It goes through more 4 MiB regions than there are frames, three times over."""
    regions = 400
    assert regions > shadow.RESERVE
    tables, source = wide(regions)
    twin = Twin(guest(source, tables), ram_size=8 << 20, judged=False)
    stop = twin.to_the_end((1009,))
    assert (stop.reason, stop.code) == ("exit", 0)
    assert check_shadow(twin.vm) > 0
    # The counters in the four data pages: 100 visits a round each.
    for page in range(4):
        data = twin.vm.read_phys(BASE + 0x8000 + 0x1000 * page, 4)
        assert int.from_bytes(data or b"", "little") == 300
    assert twin.vm.ledger["fill"] >= 2 * regions
    assert twin.vm.host.intruders() == []


def test_exhaustion_is_judged_by_the_model_too() -> None:
    tables, source = wide(300)
    twin = Twin(guest(source, tables), ram_size=4 << 20)
    stop = twin.to_the_end((1, 2, 500, 77, 1009))
    assert (stop.reason, stop.code) == ("exit", 0)


def test_a_small_guest_needs_no_second_fill() -> None:
    tables, source = wide(20)
    twin = agree(guest(source, tables), ram_size=2 << 20, judged=False)
    # Each data page: a load and a store. Fetches: M-mode (three times, PMP), S-mode, and the
    # trap to M-mode and its device.
    assert twin.vm.ledger["fill"] == 2 * 20 + 4


def test_more_contexts_than_roots() -> None:
    """Every write of satp names another address space, by turns of two tables; none is confused."""
    asids = 3 * shadow.ROOTS
    second = ROOT + 0x8000
    source = f"""
        handler done
        open_pmp
        li   s5, SATP_MODE | {ROOT >> 12:#x}
        li   s6, SATP_MODE | {second >> 12:#x}
        csrw satp, s5
        enter MSTATUS_MPP_S, kernel
    kernel:
        li   s4, 0x40000000
        li   s2, 3
    rounds:
        li   s1, {asids // 2}
        li   s3, 1 << 22
        mv   t0, s5
        mv   t1, s6
    again:
        csrw satp, t0
        lw   t2, 0(s4)
        add  s8, s8, t2
        csrw satp, t1
        lw   t2, 0(s4)
        add  s9, s9, t2
        add  t0, t0, s3
        add  t1, t1, s3
        addi s1, s1, -1
        bnez s1, again
        addi s2, s2, -1
        bnez s2, rounds
        ecall
        .align 2
    done:
        pass
    """
    tables = identity().map(0x4000_0000, BASE + 0x8000, R | A)
    other = Tables(second).map(BASE, BASE, RWX | A | D, 64).map(0x4000_0000, BASE + 0x9000, R | A)
    tables.words.update(other.words)
    program = guest(source, tables)
    program.segments += [(BASE + 0x8000, b"\1\0\0\0", 4), (BASE + 0x9000, b"\0\1\0\0", 4)]
    twin = agree(program)
    visits = 3 * (asids // 2)
    assert [int(twin.vm.x[i]) for i in (24, 25)] == [visits, visits << 8]
    assert check_shadow(twin.vm)


def test_roots_follow_mode_sum_mxr_and_mprv() -> None:
    """Sixteen contexts over one page table, in random order: all stay apart."""
    source = """
        handler next
        shandler next
        open_pmp
        paging
        li   s0, 400
        li   s1, 12345
    next:
        csrr t1, mcause
        addi s0, s0, -1
        bgtz s0, 1f
        pass
    1:  li   t0, 1103515245
        mul  s1, s1, t0
        addi s1, s1, 1013
        srli t1, s1, 8
        li   t2, MSTATUS_SUM | MSTATUS_MXR | MSTATUS_MPP_S
        csrc mstatus, t2
        and  t1, t1, t2
        csrs mstatus, t1
        la   t0, body
        csrw mepc, t0
        mret
    body:
        lw   t3, 0(a0)
        ecall
    """
    source = source.replace(
        "    next:\n        csrr t1, mcause", "        .align 2\n    next:\n        csrr t1, mcause"
    )
    tables = identity(16).map(0x4000_0000, BASE + 0x8000, R | W | A)
    program = guest(source, tables)
    twin = Twin(program)
    for computer in (twin.bare, twin.vm):
        computer.set_x(10, 0x4000_0000)
    assert twin.model
    twin.model.hart.set_x(10, 0x4000_0000)
    assert twin.to_the_end((1,) * 300 + (97,), 50_000).reason == "exit"
    assert check_shadow(twin.vm)
    tags = {tag for tag, _, _ in tables_of(twin.vm)}
    assert len(tags) >= 4


@pytest.mark.parametrize("seed", range(8))
def test_dropping_everything_at_random_times_changes_nothing(seed: int) -> None:
    """The host may take the tables away whenever it likes."""
    from tests.support.kernels import machine_kernel

    rng = random.Random(f"drop {seed}")
    image = machine_kernel(5_000 + seed).image
    bare, vm = Machine(ram=1 << 20, bios="none"), Vm(ram=1 << 20, bios="none")
    for computer in (bare, vm):
        computer.load(image)
    for _ in range(150):
        size = rng.randrange(1, 60)
        if bare.run(size).reason != "budget":
            break
        vm.run(size)
        check_shadow(vm)
        shadow.drop_all(vm.hart.core, vm.control)
        assert vm.control[shadow.NODES] == 0
    vm.run(60)
    if bare.steps < vm.steps:
        bare.run(60)
    check_whole(bare, vm)


def test_invariants_hold_while_random_kernels_run() -> None:
    from tests.support.kernels import machine_kernel

    leaves = 0
    for seed in range(6_000, 6_012):
        vm = Vm(ram=1 << 20, bios="none")
        vm.load(machine_kernel(seed).image)
        for _ in range(40):
            if vm.run(97).reason != "budget":
                break
            leaves += check_shadow(vm)
        assert vm.host.intruders() == []
    assert leaves > 1_000


@pytest.mark.parametrize("technique", ["u", "s"])
@pytest.mark.parametrize("shadow_mode", ["lazy", "protect"])
def test_entries_say_what_the_guests_tables_say(technique: str, shadow_mode: str) -> None:
    """After each short program that the bare machine and the model agree about."""
    runners = {
        kind: Runner(kind, with_vm=True, technique=technique, shadow_mode=shadow_mode)
        for kind in KINDS
    }
    followed = 0
    for seed in range(20_000_000, 20_000_100):
        program = short_program(seed)
        runner = runners[program.kind]
        runner.in_runs(program, sizes(seed))
        vm = runner.computers[1]
        assert isinstance(vm, Vm)
        check_shadow(vm)
        followed += check_entries(vm)
    assert followed > 100


def test_the_real_hart_stays_in_user_mode_with_nothing_allowed() -> None:
    """Resource control: whatever the guest does, the real privileged state is ours."""
    from tests.support.kernels import machine_kernel

    for seed in range(7_000, 7_010):
        vm = Vm(ram=1 << 20, bios="none")
        vm.load(machine_kernel(seed).image)
        for _ in range(20):
            vm.run(150)
            real = vm.hart.p
            assert real[s.MODE] == s.MODE_U
            assert real[s.DELIVER] == 0
            for field in (s.MSTATUS, s.MEDELEG, s.MIDELEG, s.MIE, s.MIP, s.LINES):
                assert real[field] == 0
            assert real[s.MCOUNTEREN] == real[s.SCOUNTEREN] == 0
            assert real[s.SATP] >> 31 == 1


def test_megapages_are_shadowed_page_by_page() -> None:
    tables = Tables().mega(BASE, BASE, RWX | A | D)
    source = """
        handler done
        open_pmp
        paging
        enter MSTATUS_MPP_S, kernel
    kernel:
        li   s0, 0x80010000
        sw   s0, 0(s0)
        li   s0, 0x80012000
        sw   s0, 0(s0)
        ecall
        .align 2
    done:
        pass
    """
    twin = agree(guest(source, tables))
    mapped = {gva for tag, gva, _ in tables_of(twin.vm) if tag & 8}
    assert mapped == {0x8000_0000, 0x8001_0000, 0x8001_2000}
    entry = twin.vm.read_phys(ROOT + 4 * (BASE >> 22), 4)
    assert int.from_bytes(entry or b"", "little") & W
