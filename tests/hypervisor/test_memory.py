"""What a guest's accesses mean: SUM and MXR, MPRV, virtual PMP.

Each guest runs bare, virtualised and on the model, compared step by step; the assertions name the
fact that the guest is about.
"""

from __future__ import annotations

import pytest

from tests.hypervisor.access_guests import (
    DATA,
    FETCH_FAULT,
    LOAD_FAULT,
    REPORT,
    S_MODE,
    START,
    STORE_FAULT,
    VA,
    faults,
    supervisor,
)
from tests.hypervisor.guests import (
    BASE,
    ROOT,
    RW,
    URW,
    URX,
    A,
    D,
    R,
    Tables,
    U,
    V,
    W,
    X,
    guest,
    identity,
)
from tests.hypervisor.twin import Twin, agree

# ---- SUM, MXR, U pages --------------------------------------------------------------------------


def test_supervisor_reaches_user_pages_only_with_sum() -> None:
    tables = identity().map(VA, DATA, URW | A | D)
    body = f"""
        li   a0, {VA}
        li   t0, SSTATUS_SUM
        csrs sstatus, t0
        lw   a1, 0(a0)
        sw   a1, 4(a0)
        csrc sstatus, t0
        lw   a2, 0(a0)
    """
    twin = supervisor(body, tables, b"\x11\x22\x33\x44")
    assert faults(twin) == (LOAD_FAULT, VA)
    assert int(twin.vm.x[11]) == 0x4433_2211
    assert twin.vm.read_phys(DATA + 4, 4) == b"\x11\x22\x33\x44"


def test_sum_never_lets_a_supervisor_execute_user_pages() -> None:
    tables = identity().map(VA, BASE, URX | A | D)
    body = f"""
        li   t0, SSTATUS_SUM
        csrs sstatus, t0
        li   a0, {VA}
        jr   a0
    """
    assert faults(supervisor(body, tables)) == (FETCH_FAULT, VA)


def test_mxr_reads_what_is_executable_and_stops_at_once() -> None:
    tables = identity().map(VA, DATA, X | A)
    body = f"""
        li   a0, {VA}
        li   t0, SSTATUS_MXR
        csrs sstatus, t0
        lw   a1, 0(a0)
        csrc sstatus, t0
        lw   a2, 0(a0)
    """
    twin = supervisor(body, tables, b"\x01\x02\x03\x04")
    assert faults(twin) == (LOAD_FAULT, VA)
    assert int(twin.vm.x[11]) == 0x0403_0201
    assert int(twin.vm.x[12]) == 0


def test_mxr_does_not_reach_user_pages_without_sum() -> None:
    tables = identity().map(VA, DATA, U | X | A)
    body = f"""
        li   a0, {VA}
        li   t0, SSTATUS_MXR
        csrs sstatus, t0
        lw   a1, 0(a0)
    """
    assert faults(supervisor(body, tables)) == (LOAD_FAULT, VA)


def test_rights_come_one_by_one() -> None:
    """What was fetched may not be loaded, what was loaded may be neither stored nor fetched."""
    code = VA + 0x1000
    tables = identity().map(VA, BASE + 0x1_0000, X | A).map(code, BASE + 0x1_1000, R | X | A)
    ret = (0x0000_8067).to_bytes(4, "little")
    for body, expected in (
        (f"li a0, {VA}\n jalr a0\n lw a1, 0(a0)\n", (LOAD_FAULT, VA)),
        (f"li a0, {VA}\n jalr a0\n sw a1, 0(a0)\n", (STORE_FAULT, VA)),
        (f"li a0, {code}\n lw a1, 0(a0)\n jalr a0\n sw a1, 0(a0)\n", (STORE_FAULT, code)),
        (f"li a0, {code}\n jalr a0\n lw a1, 0(a0)\n ecall\n", (9, 0)),
    ):
        program = guest(S_MODE + body + REPORT, tables)
        program.segments += [(BASE + 0x1_0000, ret, 4), (BASE + 0x1_1000, ret, 4)]
        assert faults(agree(program)) == expected
    data = identity().map(VA, DATA, RW | A | D)
    twin = supervisor(f"li a0, {VA}\n lw a1, 0(a0)\n sw a1, 0(a0)\n jr a0\n", data)
    assert faults(twin) == (FETCH_FAULT, VA)


def test_user_mode_reaches_no_supervisor_page() -> None:
    tables = identity().map(0x1000_0000, BASE, URX | A | D).map(VA, DATA, RW | A | D)
    source = (
        START
        + f"""
        la   t0, user
        li   t1, {0x1000_0000 - BASE:#x}
        add  t0, t0, t1
        csrw mepc, t0
        mret
    user:
        li   a0, {VA}
        lw   a1, 0(a0)
    """
        + REPORT
    )
    assert faults(agree(guest(source, tables))) == (LOAD_FAULT, VA)


# ---- MPRV ---------------------------------------------------------------------------------------


def mprv(body: str, tables: Tables, mpp: str = "MSTATUS_MPP_S") -> Twin:
    source = (
        START
        + f"""
        li   s5, MSTATUS_MPRV
        li   t0, {mpp}
        csrs mstatus, t0
        csrs mstatus, s5
        li   a0, {VA}
    """
        + body
        + """
        csrc mstatus, s5
        ecall
    """
        + REPORT
    )
    program = guest(source, tables)
    program.segments.append((DATA, bytes(range(64)), 64))
    return agree(program)


def test_mprv_translates_data_but_not_fetches() -> None:
    """The code is not mapped at all: M-mode fetches physically, loads and stores do not."""
    tables = Tables().map(VA, DATA, RW | A | D)
    twin = mprv(
        """
        lw   s6, 4(a0)
        lb   s7, 9(a0)
        lhu  s8, 10(a0)
        sw   s6, 16(a0)
        sb   s7, 20(a0)
        sh   s8, 22(a0)
        lw   s9, 17(a0)
        sw   s9, 33(a0)
        amoadd.w s10, s6, (a0)
        lr.w s11, (a0)
        sc.w s11, s6, (a0)
        """,
        tables,
    )
    assert faults(twin) == (11, 0)
    assert int(twin.vm.x[22]) == 0x0706_0504
    assert twin.vm.ledger["mprv"] == 11
    assert twin.vm.read_phys(DATA, 4) == b"\x04\x05\x06\x07"


def test_mprv_faults_as_the_other_mode_would_and_the_trap_ends_in_m() -> None:
    twin = mprv("lw s6, 0x400(a0)\n sw s6, 0(a0)\n", Tables().map(VA, DATA, R | A))
    assert faults(twin) == (STORE_FAULT, VA)
    # MPRV stays set in M-mode's own handler, with MPP = M: accesses there are its own.
    assert int(twin.vm.x[19]) & (1 << 17 | 3 << 11) == 1 << 17 | 3 << 11


def test_mprv_with_mpp_user_needs_user_pages() -> None:
    twin = mprv("lw s6, 0(a0)\n", Tables().map(VA, DATA, RW | A | D), "MSTATUS_MPP_U")
    assert faults(twin) == (LOAD_FAULT, VA)
    twin = mprv("lw s6, 0(a0)\n", Tables().map(VA, DATA, URW | A | D), "MSTATUS_MPP_U")
    assert faults(twin) == (11, 0)


def test_mprv_reaches_devices_through_page_tables() -> None:
    tables = Tables().map(VA, 0x1000_0000, RW | A | D)
    twin = mprv("lbu s6, 5(a0)\n li t0, 'M'\n sb t0, 0(a0)\n", tables)
    assert faults(twin) == (11, 0)
    assert twin.vm.console_output == b"M"
    assert int(twin.vm.x[22]) & 0x60 == 0x60


def test_mprv_sets_accessed_and_dirty() -> None:
    tables = Tables().map(VA, DATA, RW)
    twin = mprv("lw s6, 0(a0)\n sw s6, 0(a0)\n", tables)
    pte = int.from_bytes(twin.vm.read_phys(tables.entry(VA), 4) or b"", "little")
    assert pte & 0xFF == V | R | W | A | D


def test_tohost_is_noticed_under_mprv() -> None:
    """The store that ends the machine may be one that the hypervisor does for the guest."""
    source = """
        li   t0, MSTATUS_MPP_M
        csrs mstatus, t0
        li   t0, MSTATUS_MPRV
        csrs mstatus, t0
        la   t0, tohost
        li   t1, 5
        sw   t1, 0(t0)
        sw   zero, 4(t0)
        fail 9
        .data
        .align 3
        .globl tohost
    tohost:
        .space 16
    """
    twin = Twin(guest(source), judged=False)
    stop = twin.to_the_end((1,) * 40)
    assert (stop.reason, stop.code, stop.detail) == ("exit", 2, "tohost")


# ---- virtual PMP ---------------------------------------------------------------------------------


def pmp(config: int, body: str, address: int = DATA) -> Twin:
    """Entry 0 covers the page at `address` (NAPOT); `body` runs in S-mode without paging."""
    source = f"""
        handler report
        open_pmp
        li   t0, {address >> 2 | 0x1FF:#x}
        csrw pmpaddr0, t0
        li   t0, {config:#x}
        csrw pmpcfg0, t0
        li   a0, {address:#x}
        enter MSTATUS_MPP_S, kernel
    kernel:
        {body}
        ecall
    """
    return agree(guest(source + REPORT))


@pytest.mark.parametrize(
    ("rights", "instruction", "cause"),
    [
        (0, "lw a1, 0(a0)", 5),
        (0, "sw a1, 0(a0)", 7),
        (0, "jr a0", 1),
        (1, "lw a1, 0(a0)", 9),
        (1, "sw a1, 0(a0)", 7),
        (1, "amoadd.w a1, a1, (a0)", 7),
        (1, "lr.w a1, (a0)", 9),
        (3, "sw a1, 0(a0)", 9),
        (3, "jr a0", 1),
        (4, "lw a1, 0(a0)", 5),
        (5, "lw a1, 0(a0)", 9),
    ],
)
def test_virtual_pmp_is_folded_into_the_shadow(rights: int, instruction: str, cause: int) -> None:
    twin = pmp(0x18 | rights, instruction)
    assert faults(twin) == (cause, 0 if cause == 9 else DATA)


def test_a_locked_entry_binds_machine_mode_too() -> None:
    source = f"""
        handler report
        li   a0, {DATA:#x}
        sw   a0, 0(a0)
        li   t0, {DATA >> 2 | 0x1FF:#x}
        csrw pmpaddr0, t0
        li   t0, 0x99
        csrw pmpcfg0, t0
        lw   a1, 0(a0)
        sw   a1, 4(a0)
    """
    twin = agree(guest(source + REPORT))
    assert faults(twin) == (7, DATA + 4)
    assert int(twin.vm.x[11]) == DATA


def test_pmp_closes_a_page_that_is_already_mapped() -> None:
    """The shadow and the TLB know the page; the PMP write must withdraw it at once."""
    source = f"""
        handler report
        open_pmp
        li   a0, {DATA:#x}
        li   t0, {DATA >> 2 | 0x1FF:#x}
        csrw pmpaddr0, t0
        enter MSTATUS_MPP_U, first
    first:
        sw   a0, 0(a0)
        lw   a1, 0(a0)
        la   t0, 1f
        ecall
    """
    source = (
        source.replace("handler report", "handler close")
        + """
        .align 2
    close:
        li   t0, 0x18
        csrw pmpcfg0, t0
        handler report
        enter MSTATUS_MPP_U, second
    second:
        lw   a2, 0(a0)
    """
    )
    twin = agree(guest(source.replace("        la   t0, 1f\n", "") + REPORT))
    assert faults(twin) == (5, DATA)


def test_no_match_fails_below_machine_mode() -> None:
    source = """
        handler report
        enter MSTATUS_MPP_S, kernel
    kernel:
        nop
    """
    twin = agree(guest(source + REPORT))
    assert faults(twin)[0] == 1


def test_pmp_protects_page_tables_from_the_walk() -> None:
    """The walk reads the tables with S-mode's rights: an access fault, not a page fault."""
    source = (
        START
        + f"""
        li   t0, {ROOT >> 2 | 0x1FF:#x}
        csrw pmpaddr0, t0
        li   t0, 0x18
        csrw pmpcfg0, t0
        enter MSTATUS_MPP_S, kernel
    kernel:
        nop
    """
        + REPORT
    )
    twin = agree(guest(source, identity()))
    assert faults(twin)[0] == 1


def test_a_table_that_pmp_does_not_let_write_keeps_a_clear() -> None:
    tables = identity().map(VA, DATA, RW)
    second = tables.second[VA >> 22]
    source = (
        START
        + f"""
        li   t0, {second >> 2 | 0x1FF:#x}
        csrw pmpaddr0, t0
        li   t0, 0x19
        csrw pmpcfg0, t0
        li   a0, {VA}
        enter MSTATUS_MPP_S, kernel
    kernel:
        lw   a1, 0(a0)
    """
        + REPORT
    )
    twin = agree(guest(source, tables))
    assert faults(twin) == (5, VA)
    pte = int.from_bytes(twin.vm.read_phys(tables.entry(VA), 4) or b"", "little")
    assert pte & (A | D) == 0
