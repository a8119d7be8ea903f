"""The memory map and interrupt numbers of QEMU's ``virt`` board: constants only.

All addresses are physical (gpa inside a VM), all sizes are bytes, and interrupt numbers are PLIC
sources.  Register offsets belong to each device, not to this file.
"""

from __future__ import annotations

from typing import Final

# -- time -----------------------------------------------------------------------------------------

TIMEBASE_HZ: Final = 10_000_000
"""Ticks of ``mtime`` in one second of guest time."""
STEPS_PER_TICK: Final = 10
"""Steps of the machine in one tick of ``mtime``: a nominal 100 MIPS."""
NS_PER_TICK: Final = 1_000_000_000 // TIMEBASE_HZ
"""Nanoseconds of guest time in one tick of ``mtime``."""

# -- memory map -----------------------------------------------------------------------------------

FINISHER_BASE: Final = 0x0010_0000
FINISHER_SIZE: Final = 0x1000
RTC_BASE: Final = 0x0010_1000
RTC_SIZE: Final = 0x1000
CLINT_BASE: Final = 0x0200_0000
CLINT_SIZE: Final = 0x1_0000
PLIC_BASE: Final = 0x0C00_0000
PLIC_SIZE: Final = 0x60_0000
UART0_BASE: Final = 0x1000_0000
UART0_SIZE: Final = 0x100
VIRTIO_BASE: Final = 0x1000_1000
VIRTIO_SIZE: Final = 0x1000
VIRTIO_STRIDE: Final = 0x1000
VIRTIO_SLOTS: Final = 8
RAM_BASE: Final = 0x8000_0000
RAM_MAX: Final = 0x8000_0000
"""Most RAM that fits: from RAM_BASE to the end of the 32-bit physical address space."""

# -- interrupt sources of the PLIC ----------------------------------------------------------------

PLIC_SOURCES: Final = 96
"""Number of the last interrupt source; source 0 does not exist."""
VIRTIO_IRQ: Final = 1
UART0_IRQ: Final = 10
RTC_IRQ: Final = 11

# -- test finisher values (the fail code is in bits 31:16) ----------------------------------------

FINISHER_FAIL: Final = 0x3333
FINISHER_PASS: Final = 0x5555
FINISHER_RESET: Final = 0x7777

# -- harts ----------------------------------------------------------------------------------------

MAX_HARTS: Final = 8
"""Most harts of one machine; the PLIC has two contexts for each (M, then S)."""


def virtio_base(slot: int) -> int:
    """Physical address of virtio slot ``slot`` (0 to ``VIRTIO_SLOTS`` - 1)."""
    return VIRTIO_BASE + slot * VIRTIO_STRIDE


def virtio_irq(slot: int) -> int:
    """PLIC source of virtio slot ``slot``."""
    return VIRTIO_IRQ + slot
