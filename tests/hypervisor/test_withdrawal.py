"""What a guest has taken away is gone, in every technique and every way to keep the shadow true."""

from __future__ import annotations

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
    V,
    X,
    guest,
    identity,
)
from tests.hypervisor.test_memory import DATA, LOAD_FAULT, REPORT, S_MODE, STORE_FAULT, VA, faults
from tests.hypervisor.test_shadow import check_entries, check_shadow
from tests.hypervisor.twin import Twin
from toyvm.hypervisor import shadow
from toyvm.machine import Program

pytestmark = pytest.mark.usefixtures("variant")

PAGES = 80
MIB = 1 << 20
#: Run lengths: step by step, and all at once, as a warm machine runs.
LENGTHS = ((1,), (100_000,))


def run(program: Program, **options: bool | int) -> list[Twin]:
    """To the guest's end in short and in long runs."""
    twins = []
    for sizes in LENGTHS:
        twin = Twin(program, **options)  # type: ignore[arg-type]
        assert twin.to_the_end(sizes, 100_000).reason == "exit"
        check_shadow(twin.vm)
        check_entries(twin.vm)
        twins.append(twin)
    return twins


def kernel(body: str, tables: Tables, **options: bool | int) -> list[Twin]:
    return run(guest(S_MODE + body + REPORT, tables), **options)


# ---- stores to tables ----------------------------------------------------------------------------


@pytest.mark.parametrize("page", [0, 1, 5, 1023])
@pytest.mark.parametrize("store", ["sb", "sh", "sw", "amoand.w"])
def test_a_store_of_any_kind_to_a_table_withdraws_what_it_said(store: str, page: int) -> None:
    """The entry loses its V bit; its neighbours stay."""
    va = VA + 0x1000 * page
    tables = identity(PAGES).map(va, DATA, RW | A | D)
    others = [va + 0x1000 * step for step in (-1, 1) if 0 <= page + step < 1024]
    for other in others:
        tables.map(other, DATA + 0x1000, RW | A | D)
    body = f"""
        li   a0, {va:#x}
        li   a1, {tables.entry(va):#x}
        lw   a2, 0(a0)
        sw   a2, 4(a0)
    """
    body += "".join(f"li a3, {other:#x}\n sw a3, 0(a3)\n" for other in others)
    body += "amoand.w a4, zero, (a1)\n" if store[0] == "a" else f"{store} zero, 0(a1)\n"
    body += f"""
        sfence.vma a0
        li   a3, {others[0]:#x}
        lw   a5, 0(a3)
        lw   a6, 0(a0)
    """
    for twin in kernel(body, tables):
        assert faults(twin) == (LOAD_FAULT, va)
        assert int(twin.vm.x[15]) == others[-1]


@pytest.mark.parametrize("at", [2, 3])
def test_a_store_across_two_entries_changes_both(at: int) -> None:
    """A misaligned word over the end of one entry and the beginning of the next."""
    tables = identity(PAGES).map(VA, DATA, RW | A | D, 2)
    body = f"""
        li   a0, {VA:#x}
        li   a1, {tables.entry(VA) + at:#x}
        li   a2, {VA + 0x1000:#x}
        lw   a3, 0(a0)
        lw   a3, 0(a2)
        sw   zero, 0(a1)
        sfence.vma
        lw   a4, 0(a2)
    """
    for twin in kernel(body, tables):
        assert faults(twin) == (LOAD_FAULT, VA + 0x1000)


def test_an_entry_of_the_root_takes_its_whole_table_with_it() -> None:
    tables = identity(PAGES).map(VA, DATA, RW | A | D, 4).map(VA + (1 << 22), DATA, RW | A | D)
    body = f"""
        li   a0, {VA:#x}
        li   a1, {ROOT + 4 * (VA >> 22):#x}
        li   a2, 0x3000
        add  a2, a2, a0
        sw   a0, 0(a0)
        sw   a0, 0(a2)
        li   a3, {VA + (1 << 22):#x}
        lw   a4, 0(a3)
        sw   zero, 0(a1)
        sfence.vma
        lw   a4, 0(a3)
        lw   a5, 0(a2)
    """
    for twin in kernel(body, tables):
        assert faults(twin) == (LOAD_FAULT, VA + 0x3000)
        assert int(twin.vm.x[14]) == VA


def test_a_table_that_two_entries_share() -> None:
    """One table below two entries of the root: a store to it changes both regions."""
    tables = identity(PAGES).map(VA, DATA, RW | A | D)
    again = VA + (3 << 22)
    tables.raw(ROOT + 4 * (again >> 22), tables.second[VA >> 22] >> 12 << 10 | V)
    for first, last in ((VA, again), (again, VA)):
        body = f"""
            li   a0, {first:#x}
            li   a1, {last:#x}
            li   a2, {tables.entry(VA):#x}
            sw   a0, 0(a0)
            lw   a3, 0(a1)
            sw   zero, 0(a2)
            sfence.vma
            lw   a4, 0(a1)
        """
        for twin in kernel(body, tables):
            assert faults(twin) == (LOAD_FAULT, last)
            assert int(twin.vm.x[13]) == first


def test_a_page_becomes_a_table_while_it_can_be_written() -> None:
    """The guest writes a page by its own mapping, then makes it a table, then writes it again."""
    page = DATA + 0x8000
    tables = identity(PAGES)
    body = f"""
        li   a0, {VA:#x}
        li   a1, {page:#x}
        li   a2, {DATA >> 12 << 10 | RW | A | D | V:#x}
        sw   a2, 0(a1)
        li   a3, {ROOT + 4 * (VA >> 22):#x}
        li   a4, {page >> 12 << 10 | V:#x}
        sw   a4, 0(a3)
        sfence.vma
        sw   a0, 0(a0)
        lw   a5, 0(a0)
        sw   zero, 0(a1)
        sfence.vma
        lw   a6, 0(a0)
    """
    for twin in kernel(body, tables):
        assert faults(twin) == (LOAD_FAULT, VA)
        assert int(twin.vm.x[15]) == VA
        assert twin.vm.read_phys(DATA, 4) == VA.to_bytes(4, "little")


# ---- fences --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reserved", [False, True])
@pytest.mark.parametrize(("fence", "page"), [("a1", 0), ("a1", 32), ("a1", 1023), ("zero", 0)])
def test_one_address_of_a_megapage_names_all_of_it(fence: str, page: int, reserved: bool) -> None:
    """In the shadow it is one entry if its frames lie together, else pieces."""
    tables = identity(PAGES).mega(VA, BASE, RW | A | D)
    body = f"""
        li   a0, {VA + 0x1000 * page:#x}
        li   a1, {VA + 0x9_3000:#x}
        sw   a0, 0x7f0(a0)
        lw   a2, 0(a1)
        li   a3, {ROOT + 4 * (VA >> 22):#x}
        sw   zero, 0(a3)
        sfence.vma {fence}
        lw   a4, 0(a0)
    """
    for twin in kernel(body, tables, ram_size=8 * MIB, reserved=reserved):
        assert faults(twin) == (LOAD_FAULT, VA + 0x1000 * page)


@pytest.mark.parametrize("kind", ["page", "megapage", "megapage in one"])
@pytest.mark.parametrize("named", ["own", "other"])
@pytest.mark.parametrize("with_address", [False, True])
def test_a_fence_of_one_address_space(kind: str, named: str, with_address: bool) -> None:
    """It takes the entries of that space; a fence of another one may leave them.

    Which it does is not compared: the machines may differ there until the fence that counts.
    """
    tables = identity(PAGES)
    if kind == "page":
        tables.map(VA, DATA, RW | A | D)
        entry = tables.entry(VA)
    else:
        tables.mega(VA, BASE, RW | A | D)
        entry = ROOT + 4 * (VA >> 22)
    body = f"""
        li   t0, SATP_MODE | 0x155 << 22 | {ROOT >> 12:#x}
        csrw satp, t0
        li   a0, {VA:#x}
        li   a1, {entry:#x}
        li   a2, {0x155 if named == "own" else 0x154}
        li   a3, 0x155
        sw   a0, 0(a0)
        sw   zero, 0(a1)
        sfence.vma {"a0" if with_address else "zero"}, a2
        sfence.vma zero, a3
        lw   a4, 0(a0)
    """
    options = {"ram_size": 8 * MIB, "reserved": True} if kind == "megapage in one" else {}
    for twin in kernel(body, tables, **options):
        assert faults(twin) == (LOAD_FAULT, VA)


@pytest.mark.parametrize("va", [VA, 0])
def test_global_entries_go_with_a_fence_of_all_spaces(va: int) -> None:
    tables = identity(PAGES).map(va, DATA, RW | A | D | G)
    body = f"""
        li   a0, {va:#x}
        li   a1, {tables.entry(va):#x}
        sw   a0, 0(a0)
        sw   zero, 0(a1)
        sfence.vma a0
        lw   a4, 0(a0)
    """
    for twin in kernel(body, tables):
        assert faults(twin) == (LOAD_FAULT, va)


def test_rights_go_one_by_one() -> None:
    """From all rights down to none, with a fence after each step."""
    tables = identity(PAGES).map(VA, DATA, RWX | A | D)
    body = f"""
        li   a0, {VA:#x}
        li   a1, {tables.entry(VA):#x}
        li   a2, 0x00008067          # ret
        sw   a2, 0(a0)
        fence.i
        jalr a0
        li   a3, {DATA >> 12 << 10 | R | X | A | D | V:#x}
        sw   a3, 0(a1)
        sfence.vma a0
        lw   a4, 0(a0)
        jalr a0
        li   a3, {DATA >> 12 << 10 | X | A | D | V:#x}
        sw   a3, 0(a1)
        sfence.vma a0
        jalr a0
        {{last}}
    """
    for last, cause in (("lw a5, 0(a0)", LOAD_FAULT), ("sw a5, 0(a0)", STORE_FAULT)):
        for twin in kernel(body.format(last=last), tables):
            assert faults(twin) == (cause, VA)


def test_one_exit_in_sixty_four_is_measured() -> None:
    source = "li s0, 640\n1: csrw mscratch, s0\n addi s0, s0, -1\n bnez s0, 1b\n pass\n"
    twin = Twin(guest(source), judged=False)
    assert twin.to_the_end((100_000,)).reason == "exit"
    c = twin.vm.control
    measured = int(c[shadow.SAMPLES : shadow.SAMPLE_TICKS].sum())
    exits = int(c[shadow.SERIAL])
    assert exits >= 640
    assert exits // shadow.SAMPLE_EVERY - 1 <= measured <= exits // shadow.SAMPLE_EVERY + 1
    assert int(c[shadow.SAMPLE_TICKS : shadow.TAGS].sum()) > 0
