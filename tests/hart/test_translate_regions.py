"""The life of regions: shared, bounded, given back, given up, translated again, made anew."""

from __future__ import annotations

import gc
import time

import pytest

from tests.hypervisor.guests import RAM, guest
from tests.support.tiers import COUNT, ONE, QuickCode, Tiers, both, translate_eagerly
from toyvm.hart import ops
from toyvm.hart import state as s
from toyvm.hart.translate import pool as pools
from toyvm.hart.translate import translator as tier2
from toyvm.hart.translate.backend import unavailable
from toyvm.hart.translate.pool import Pool
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

pytestmark = pytest.mark.skipif(unavailable() != "", reason=f"no tier 2: {unavailable()}")


def test_two_vms_share_one_translation() -> None:
    pool = Pool()
    vms = [Vm(f"vm{i}", ram=RAM, bios="none") for i in range(3)]
    for vm in vms:
        translate_eagerly(vm, pool)
        vm.load(guest(COUNT.format(count=5000)))
        for size in (100, 100, 10_000):
            vm.run(size)
        assert vm.hart.translator.steps() > 9_000
    assert pool.made < sum(vm.hart.translator.installed for vm in vms)
    assert pool.shared > 0
    assert len({tuple(vm.x[:32].tolist()) for vm in vms}) == 1


def test_memory_is_bounded_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool with room for hardly anything: code is unloaded, and the guest does not notice."""
    monkeypatch.setattr(pools, "Code", QuickCode)
    pool = Pool(limit=60_000)
    body = "".join(
        f"""
        .org {0x1000 * i:#x}
        f{i}:
            li   a5, 40
        1:  addi a0, a0, {i}
            xor  a1, a1, a0
            addi a5, a5, -1
            bnez a5, 1b
            ret
        """
        for i in range(1, 20)
    )
    calls = "".join(f"call f{i}\n" for i in range(1, 20))
    program = guest(f"li s4, 20\nagain:\n{calls}addi s4, s4, -1\nbnez s4, again\npass\n{body}")
    pair = Tiers(program, pool=pool, ram=RAM, bios="none")
    pair.finish([170] * 600)
    assert pair.one.stopped is not None
    assert pair.translator.dropped > 5
    assert pool.made > 5
    assert pool.size <= 2 * pool.limit


def test_a_machine_that_is_gone_gives_its_regions_back() -> None:
    pool = Pool()
    machine = Machine(ram=RAM, bios="none")
    translate_eagerly(machine, pool)
    machine.load(guest(COUNT.format(count=5000)))
    for size in (100, 100, 1000):
        machine.run(size)
    users = [translated.users for translated in pool._all]
    assert sum(users) > 0
    del machine
    gc.collect()
    assert sum(translated.users for translated in pool._all) == 0
    pool.limit = 0
    pool.trim()
    assert (pool.size, len(pool._all), len(pool._by_word)) == (0, 0, 0)


def test_a_page_that_is_overwritten_for_ever() -> None:
    """Versions of a page are not reused: at the last one its code stays in tier 1."""
    pair = Tiers(guest(COUNT.format(count=20_000)), ram=RAM, bios="none")
    for size in (100, 100, 1000):
        pair.run(size)
    assert pair.translated > 500
    dec = pair.two.hart.core.dec
    base = pair.translator.regions[0].pages[0][0]
    dec[base + 1024] |= ops.VERSION_MASK
    loop = pair.one.program.symbols["loop"]
    for computer in (pair.one, pair.two):
        computer.write_phys(loop, ONE.to_bytes(4, "little"))
    assert int(dec[base + 1024]) & ops.VERSION_MASK == ops.VERSION_MASK
    installed = pair.translator.installed
    for size in (100, 100, 1000, 1000):
        pair.run(size)
    assert pair.translator.installed == installed
    pair.finish((200_000,))
    assert pair.one.stopped is not None


def test_regions_that_do_not_pay_are_taken_out() -> None:
    """A loop that leaves translated code every few instructions goes back to tier 1."""
    program = guest("""
            li   s4, 60000
        again:
            addi a0, a0, 1
            csrr a1, mscratch
            addi s4, s4, -1
            bnez s4, again
            pass
    """)
    pair = Tiers(program, ram=RAM, bios="none")
    for _ in range(3):
        for size in (100, 100, 18_000, 100):
            pair.run(size)
    pair.finish((100, 100, 300_000))
    assert pair.one.stopped is not None
    assert pair.translator.dropped > 0
    assert not pair.translator.regions


def test_the_background_thread_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As users have it: hot code only, translated while tier 1 goes on."""
    monkeypatch.setattr(tier2, "INTERVAL", 20_000)
    monkeypatch.setattr(tier2, "HOT", 40_000)
    program = guest(COUNT.format(count=400_000))
    one = Machine(ram=RAM, bios="none", tier=1)
    one.load(program)
    while one.stopped is None:
        one.run(1 << 30)
    for kind in (Machine, Vm):
        two = kind(ram=RAM, bios="none", tier=2)
        two.load(program)
        until = time.monotonic() + 60
        while not two.hart.translator.installed and time.monotonic() < until:
            two.run(50_000)
            time.sleep(0.01)
        two.run(1 << 30)
        assert two.hart.translator.installed == 1
        assert (two.steps, two.instret, two.stopped) == (one.steps, one.instret, one.stopped)
        assert two.x[:32].tolist() == one.x[:32].tolist()
        assert int(two.record[s.STEPS]) == int(one.record[s.STEPS])
        assert not two.hart.translator.pool.failures


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_tiers_have_numbers(kind: type) -> None:
    assert kind(ram=RAM, tier=1).hart.translator is None
    assert kind(ram=RAM, tier=2).hart.translator is not None
    with pytest.raises(ValueError, match="tier 3: expected 1"):
        kind(ram=RAM, tier=3)


def test_copies_of_tlb_entries_that_miss_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strides over many pages: the region is translated again, and does the same."""
    monkeypatch.setattr(tier2, "SETTLED", 3000)
    program = guest("""
            li   s4, 200
            la   s5, data
            li   s6, 0x1104
        again:
            mv   a1, s5
            li   a2, 40
        1:  lw   a3, 0(a1)
            add  a3, a3, a2
            sw   a3, 0(a1)
            lw   a4, 0(s5)
            add  a5, a5, a4
            add  a1, a1, s6
            addi a2, a2, -1
            bnez a2, 1b
            addi s4, s4, -1
            bnez s4, again
            pass
        .balign 4096
        data:
            .space 0x40000
    """)
    for pair in both(program, (*[400] * 30, 100_000), ram=RAM, bios="none"):
        assert pair.one.stopped is not None
        regions = [one.translated.region for one in pair.translator.regions]
        assert any(region.uncached for region in regions)
        # What does not move keeps its copy.
        assert all(len(region.uncached) <= 2 for region in regions)


def test_code_that_is_found_in_pieces_grows_together() -> None:
    """A path that is taken for the first time late ends up in the region of its loop."""
    program = guest("""
            li   s4, 40000
            li   s5, 20000
        again:
            addi a0, a0, 1
            blt  s4, s5, late
        back:
            xor  a1, a1, a0
            addi s4, s4, -1
            bnez s4, again
            pass
        late:
            addi a2, a2, 3
            add  a3, a3, a2
            j    back
    """)
    pair = Tiers(program, ram=RAM, bios="none")
    for size in (100, 100, 100, 60_000):
        pair.run(size)
    late = pair.one.program.symbols["late"] & 0xFFF
    assert not any(late in one.translated.region.words for one in pair.translator.regions)
    for _ in range(8):
        pair.run(10_000)
    loop = pair.one.program.symbols["again"] & 0xFFF
    assert any({late, loop} <= {*one.translated.region.words} for one in pair.translator.regions)
    pair.finish((200_000,))
    assert pair.one.stopped is not None
