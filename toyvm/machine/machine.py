"""The bare machine: one hart that owns its RAM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toyvm.hart.core import Hart
from toyvm.machine.board import Console
from toyvm.machine.computer import Computer
from toyvm.machine.memory import PAGE, allocate_ram, check_ram_size


class Machine(Computer):
    """An RV32IMA computer with the devices of QEMU's `virt` board.

    `ram` is bytes; `bios` "sbi" (built-in SBI, S-mode kernel), "none" (start at RAM in M-mode)
    or the path of an M-mode firmware; `drives` are storage disks, `nets` network backends,
    `devices` further virtio devices, each in the next virtio slot; `pmp` is 16 or 0 entries;
    `initrd` and `dtb` are paths or bytes.  ValueError names what does not fit.
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
    ) -> None:
        if pmp not in (0, 16):
            raise ValueError(f"{pmp} PMP entries: expected 16, or 0 for kernels without PMP")
        check_ram_size(ram)
        memory = allocate_ram(ram)
        fmap = np.arange(ram // PAGE, dtype=np.int32)
        hart = Hart(memory, fmap, pmp=pmp)
        super().__init__(
            memory,
            fmap,
            hart,
            hart.p,
            bios,
            drives,
            nets,
            virtio,
            console,
            append,
            devices=devices,
            initrd=initrd,
            dtb=dtb,
        )

    def _execute(self, end: int) -> int:
        return self.hart.run(end)
