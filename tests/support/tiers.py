"""The same guest in both tiers: tier 1 is the judge."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import numpy as np

from tests.hypervisor.twin import VISIBLE, check_quick, check_whole
from toyvm.hart.translate import backend
from toyvm.hart.translate.pool import Pool
from toyvm.hart.translate.translator import Translator
from toyvm.hypervisor import Vm
from toyvm.machine import Computer, Machine, Stop
from toyvm.network import Switch
from toyvm.storage import MemoryDisk

#: addi a0, a0, 1 and addi a0, a0, 100
ONE, HUNDRED = 0x0015_0513, 0x0645_0513
#: A loop that is hot after a few rounds.
COUNT = """
    li   s4, {count}
loop:
    addi a0, a0, 1
    xor  a1, a1, a0
    slli a2, a1, 3
    add  a3, a3, a2
    addi s4, s4, -1
    bnez s4, loop
    pass
"""


class QuickCode(backend.Code):
    """Machine code without passes, at the lowest level of the code generator.

    The IR is that of users, and so is the way the code gets into a machine; only LLVM does less,
    in a tenth of the time.
    """

    def __init__(self, text: str, name: str) -> None:
        import llvmlite.binding as llvm

        backend._machine()
        machine = backend._target.create_target_machine(opt=0, jit=True, codemodel="jitdefault")
        module = llvm.parse_assembly(text)
        module.triple = machine.triple
        module.data_layout = str(machine.target_data)
        self.size = 0
        self._engine = llvm.create_mcjit_compiler(module, machine)
        self._engine.set_object_cache(self._note_size, None)
        self._engine.finalize_object()
        self.address = int(self._engine.get_function_address(name))


def translate_eagerly(computer: Computer, pool: Pool | None = None) -> Translator:
    """Tier 2 at once: whatever has been executed is translated when compiled code returns."""
    hart = computer.hart
    hart.set_tier(1)
    translator = Translator(
        hart.core.dec, hart.core.ram, pool=Pool() if pool is None else pool, eager=True
    )
    for one in computer.harts:
        one.translator = translator
    return translator


def sizes(seed: int, total: int) -> list[int]:
    """Runs of very different length, most of them long enough for translated code."""
    rng = random.Random(f"tiers {seed}")
    out: list[int] = []
    left = total
    while left > 0:
        out.append(min(left, rng.choice((1, 9, 40, 150, 151, 700, 1500))))
        left -= out[-1]
    return out


def cards(count: int) -> list[Any]:
    """So many network cards, each on a cable of its own that leads nowhere."""
    return [Switch().port(f"card{i}") for i in range(count)]


def empty_disks(count: int) -> list[MemoryDisk]:
    """So many disks of 64 KiB."""
    return [MemoryDisk(64 << 10) for _ in range(count)]


class Tiers:
    """One guest in tier 1 and eagerly in tier 2, bare or in a VM; TLBs are compared as well."""

    def __init__(
        self, image: Any, kind: type = Machine, pool: Pool | None = None, **options: Any
    ) -> None:
        disks, nets = options.pop("disks", 0), options.pop("nets", 0)
        self.one, self.two = (
            kind(tier=1, drives=empty_disks(disks), nets=cards(nets), **options) for _ in range(2)
        )
        self.translator = translate_eagerly(self.two, pool)
        for computer in (self.one, self.two):
            computer.load(image)

    def run(self, steps: int) -> Stop:
        """The same number of steps in both, then compare."""
        stops = [computer.run(steps) for computer in (self.one, self.two)]
        assert stops[0] == stops[1], f"{stops[0]}, expected {stops[1]}: {self.two.report}"
        self.check_quick()
        return stops[0]

    def check_quick(self) -> None:
        """Records, registers, translations."""
        check_quick(self.one, self.two)
        for index, (ours, theirs) in enumerate(zip(self.one.harts, self.two.harts, strict=True)):
            assert np.array_equal(ours.x[:32], theirs.x[:32]), f"registers of hart {index}"
            assert np.array_equal(ours.record[VISIBLE], theirs.record[VISIBLE]), f"hart {index}"
            assert np.array_equal(ours.core.tlb, theirs.core.tlb), f"the TLBs of hart {index}"

    def finish(self, steps: Iterable[int] = ()) -> Stop:
        """Runs of these sizes, or until the guest ends; then everything is compared."""
        stop = Stop("budget")
        for size in steps:
            stop = self.run(size)
            if stop.reason not in ("budget", "watchpoint", "breakpoint"):
                break
        check_whole(self.one, self.two)
        if isinstance(self.one, Vm):
            assert dict(self.one.ledger) == dict(self.two.ledger), "not the same exits"
        assert not self.translator.pool.failures
        assert not self.one.errors + self.two.errors
        return stop

    @property
    def translated(self) -> int:
        """Steps done by translated code that is still installed."""
        return self.translator.steps()


def both(image: Any, steps: Iterable[int], **options: Any) -> list[Tiers]:
    """The guest bare and in a VM, each in both tiers."""
    found = []
    for kind in (Machine, Vm):
        pair = Tiers(image, kind, **options)
        pair.finish(steps)
        found.append(pair)
    return found
