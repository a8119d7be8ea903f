"""The bare machine: harts that own their RAM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toyvm.hart import core as hart_core
from toyvm.hart import tlb
from toyvm.hart.core import DEFAULT_TIER, Hart
from toyvm.machine.board import Console
from toyvm.machine.computer import Computer
from toyvm.machine.harts import TURN, check_harts
from toyvm.machine.memory import PAGE, allocate_ram, check_ram_size


def check_pmp(entries: int) -> int:
    """Return the number of PMP entries if a hart can have so many; ValueError otherwise."""
    if not 0 <= entries <= 16:
        raise ValueError(f"{entries} PMP entries: expected 0 to 16 (0 for kernels without PMP)")
    return entries


class Machine(Computer):
    """An RV32IMA computer with the devices of QEMU's `virt` board.

    `ram` is bytes; `bios` "sbi" (built-in SBI, S-mode kernel), "none" (start at RAM in M-mode)
    or the path of an M-mode firmware; `drives` are storage disks, `nets` network backends,
    `devices` further virtio devices, each in the next virtio slot; `pmp` is 0 to 16 entries;
    `initrd` and `dtb` are paths or bytes.  There are 1 to 8 `harts`, which take turns of `turn`
    steps.  `sstc` adds the stimecmp register; `ad_fault` makes accesses that need A or D in a page
    table fault instead of setting them.  `tier` 2 translates hot code, 1 never does.  ValueError
    names what does not fit.
    """

    def __init__(
        self,
        ram: int = 128 << 20,
        bios: str | Path | Any = "sbi",
        drives: Sequence[Any] = (),
        nets: Sequence[Any] = (),
        virtio: str = "legacy",
        console: Console | None = None,
        append: str = "",
        pmp: int = 16,
        devices: Sequence[Any] = (),
        initrd: Any = None,
        dtb: Any = None,
        harts: int = 1,
        turn: int = TURN,
        sstc: bool = False,
        ad_fault: bool = False,
        tier: int = DEFAULT_TIER,
    ) -> None:
        check_pmp(pmp)
        check_harts(harts, turn)
        check_ram_size(ram)
        memory = allocate_ram(ram)
        fmap = np.arange(ram // PAGE, dtype=np.int32)
        own = [Hart(memory, fmap, pmp=pmp)]
        own[0].set_tier(tier)
        own += [Hart(memory, fmap, index, pmp, own[0]) for index in range(1, harts)]
        for index, hart in enumerate(own):
            hart.p[:] = hart_core.new_record(index, pmp, sstc, ad_fault)
        super().__init__(
            memory,
            fmap,
            own,
            bios,
            drives,
            nets,
            virtio,
            console,
            append,
            devices=devices,
            initrd=initrd,
            dtb=dtb,
            turn=turn,
        )

    def _forget_translations(self, hart: Hart) -> None:
        tlb.flush_all(hart.p, hart.core.tlb)
