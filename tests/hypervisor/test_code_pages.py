"""Code that changes: by the guest's own stores, through another address, by a page-table walk."""

from __future__ import annotations

import pytest

from tests.hypervisor.guests import BASE, RWX, RX, A, D, R, V, W, X, guest, identity
from tests.hypervisor.twin import Twin, agree

#: addi a0, a0, 1 and addi a0, a0, 100
ONE, HUNDRED = 0x0015_0513, 0x0645_0513
PATCH = f"""
    li   s0, {ONE:#x}
    li   s1, {HUNDRED:#x}
    la   s2, slot
"""


def test_a_store_ahead_is_executed() -> None:
    """Ours is a coherent machine: fence.i is allowed, not needed."""
    for fence in ("fence.i", ""):
        twin = agree(
            guest(f"""
                {PATCH}
                sw   s1, 0(s2)
                {fence}
            slot:
                .word {ONE}
                pass
            """)
        )
        assert int(twin.vm.x[10]) == 100


def test_code_that_rewrites_itself_in_a_loop() -> None:
    """The loop's body is another one each time around; the loop is hot before it changes."""
    twin = agree(
        guest(f"""
            {PATCH}
            li   s3, 0
        again:
        slot:
            .word {ONE}
            addi s3, s3, 1
            li   t0, 20
            bne  s3, t0, 1f
            sw   s1, 0(s2)
            fence.i
        1:  li   t0, 30
            bne  s3, t0, 1f
            sw   s0, 0(s2)
            fence.i
        1:  li   t0, 50
            blt  s3, t0, again
            pass
        """)
    )
    assert int(twin.vm.x[10]) == 40 + 10 * 100


@pytest.mark.parametrize(
    "store",
    [
        "sb s4, 2(s2)",
        "sh s4, 2(s2)",
        "sw s1, 0(s2)",
        "amoswap.w zero, s1, (s2)",
        "lr.w t0, (s2)\n sc.w t0, s1, (s2)",
        # Misaligned, from the word before; its own low bytes stay.
        "lhu t0, -2(s2)\n slli t1, s1, 16\n or t0, t0, t1\n srli t2, s1, 16\n"
        "sw t0, -2(s2)\n sh t2, 2(s2)",
    ],
)
def test_every_kind_of_store_changes_decoded_code(store: str) -> None:
    """The slot has run before, so its decoded word must go."""
    twin = agree(
        guest(f"""
            {PATCH}
            srli s4, s1, 16
            li   s3, 2
            j    slot
            nop
        slot:
            .word {ONE}
            addi s3, s3, -1
            beqz s3, done
            {store}
            fence.i
            j    slot
        done:
            pass
        """)
    )
    # 0x0645: the upper half makes it 100; a byte of it (0x45) makes it 4.
    assert int(twin.vm.x[10]) in (1 + 100, 1 + 4)


def test_a_store_across_pages_changes_both() -> None:
    """A misaligned store whose halves lie in two pages of decoded code."""
    twin = agree(
        guest("""
            li   s3, 2
            li   a1, 0
            la   s5, last
            j    last
            .align 12
            .space 4092
        last:
            addi a0, a0, 1
        first:
            addi a1, a1, 1
            addi s3, s3, -1
            beqz s3, done
            # The upper half of `last` and the lower half of `first`:
            # addi a0, a0, 5 (0x00550513) and addi a1, a1 becomes addi a3, a1 (0x00158693).
            li   t0, 0x86930055
            sw   t0, 2(s5)
            fence.i
            j    last
        done:
            pass
        """)
    )
    symbols = twin.bare.program.symbols if twin.bare.program else {}
    assert symbols["last"] & 0xFFF == 0xFFC
    assert [int(twin.vm.x[i]) for i in (10, 11, 13)] == [1 + 5, 1, 2]


def aliased(tables_flags: int, body: str) -> Twin:
    """The page `code` is mapped at 0x40000000 and at 0x50000000 as well as at home."""
    code = BASE + 0x3000
    tables = identity(64)
    for va in (0x4000_0000, 0x5000_0000):
        tables.map(va, code, tables_flags)
    source = f"""
        handler done
        open_pmp
        paging
        enter MSTATUS_MPP_S, kernel
    kernel:
        {PATCH}
        {body}
        ecall
        .align 2
    done:
        csrr s10, mcause
        pass
        .align 12
        .space 0x2000
    page:
    slot:
        .word {ONE}
        auipc a1, 0
        jal  a2, 1f
        nop
    1:  ret
    """
    twin = agree(guest(source, tables))
    assert twin.bare.program
    assert twin.bare.program.symbols["page"] == code
    return twin


def test_one_code_page_at_two_addresses() -> None:
    """Decoded once, run at each address with its own pc."""
    twin = aliased(
        RX | A,
        """
        li   t0, 0x40000000
        jalr t0
        mv   s3, a1
        mv   s4, a2
        li   t0, 0x50000000
        jalr t0
        mv   s5, a1
        mv   s6, a2
        jal  page
        """,
    )
    assert int(twin.vm.x[26]) == 9
    assert int(twin.vm.x[10]) == 3
    assert [int(twin.vm.x[i]) for i in (19, 20, 21, 22, 11, 12)] == [
        0x4000_0004,
        0x4000_000C,
        0x5000_0004,
        0x5000_000C,
        BASE + 0x3004,
        BASE + 0x300C,
    ]


def test_a_store_through_one_address_changes_the_code_at_the_other() -> None:
    twin = aliased(
        RWX | A | D,
        """
        li   s3, 0x40000000
        li   s4, 0x50000000
        jalr s3
        jalr s4
        sw   s1, 0(s4)
        fence.i
        jalr s3
        sw   s0, 0(s2)
        fence.i
        jalr s4
        """,
    )
    assert int(twin.vm.x[26]) == 9
    assert int(twin.vm.x[10]) == 1 + 1 + 100 + 1


def test_a_page_table_in_a_page_of_code() -> None:
    """The walk's own store of A and D changes a word that has been executed."""
    page = BASE + 0x3000
    entry = (BASE + 0x8000) >> 12 << 10 | R | W | X | V
    tables = identity(64)
    tables.raw(tables.root + 4 * (0x4000_0000 >> 22), page >> 12 << 10 | V)
    source = f"""
        handler trapped
        open_pmp
        paging
        enter MSTATUS_MPP_S, kernel
    kernel:
        la   s2, slot
        jalr s2
        li   a0, 0x40000000
        lw   a1, 0(a0)
        sw   a1, 4(a0)
        jalr s2
        ecall
        .align 2
    trapped:
        csrr t0, mcause
        li   t1, 2
        bne  t0, t1, done
        csrr t0, mtval
        mv   s3, s4
        mv   s4, t0
        csrw mepc, ra
        li   t0, MSTATUS_MPP_S
        csrs mstatus, t0
        mret
    done:
        pass
        .align 12
        .space 0x2000
    slot:
        .word {entry:#x}
        ret
    """
    twin = agree(guest(source, tables))
    # As an instruction the word is illegal; its trap value shows the bits as they were fetched.
    assert int(twin.vm.x[19]) == entry
    assert int(twin.vm.x[20]) == entry | A | D
