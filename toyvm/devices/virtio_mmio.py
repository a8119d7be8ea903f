"""virtio over MMIO: one transport for the legacy (version 1) and the modern (version 2) layout.

VIRTIO 1.2, section 4.2.2 (registers), 4.2.4 (legacy registers) and 3.1 (initialisation).
Registers take aligned 32-bit accesses; other widths read as zero and write nothing there, as on
QEMU.  The configuration space takes 1, 2 and 4 bytes.  Offsets from 0x200 up fault, as on QEMU.

Choices where the specification leaves one:

- A legacy driver may use its queues before DRIVER_OK; a modern one needs FEATURES_OK and DRIVER_OK.
- A modern driver that does not accept VIRTIO_F_VERSION_1 is served all the same (QEMU does too).
- FEATURES_OK stays clear if the driver accepted a bit that was not offered.
- A broken ring sets DEVICE_NEEDS_RESET in both layouts; ``fault`` says what was wrong.
- One notification completes at most as many chains as the queue has descriptors, and a device may
  stop earlier when it has moved enough bytes.  :meth:`VirtioMmio.poll` does the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from toyvm.devices.dma import DmaMemory
from toyvm.devices.irq import IrqLine
from toyvm.devices.virtio import (
    F_ANY_LAYOUT,
    F_EVENT_IDX,
    F_INDIRECT_DESC,
    F_NOTIFY_ON_EMPTY,
    F_VERSION_1,
    INTERRUPT_CONFIG,
    INTERRUPT_QUEUE,
    STATUS_DRIVER_OK,
    STATUS_FEATURES_OK,
    STATUS_NEEDS_RESET,
    VirtioDevice,
)
from toyvm.devices.virtqueue import MAX_SIZE, RingError, VirtQueue
from toyvm.platform import VIRTIO_SIZE

MAGIC: Final = 0x7472_6976
"""The bytes "virt"."""
VENDOR: Final = 0x554D_4551
"""The bytes "QEMU": drivers written for its board test for them."""
VERSION_LEGACY: Final = 1
VERSION_MODERN: Final = 2
CONFIG: Final = 0x100
WINDOW_END: Final = 0x200
DEFAULT_ALIGN: Final = 4096

_WORD: Final = 0xFFFF_FFFF
_NO_REGION: Final = 0xFFFF_FFFF


class Reg(IntEnum):
    """Register offsets; those with LEGACY in the comment exist in version 1 only."""

    MAGIC_VALUE = 0x000
    VERSION = 0x004
    DEVICE_ID = 0x008
    VENDOR_ID = 0x00C
    DEVICE_FEATURES = 0x010
    DEVICE_FEATURES_SEL = 0x014
    DRIVER_FEATURES = 0x020
    DRIVER_FEATURES_SEL = 0x024
    GUEST_PAGE_SIZE = 0x028  # LEGACY
    QUEUE_SEL = 0x030
    QUEUE_NUM_MAX = 0x034
    QUEUE_NUM = 0x038
    QUEUE_ALIGN = 0x03C  # LEGACY
    QUEUE_PFN = 0x040  # LEGACY
    QUEUE_READY = 0x044
    QUEUE_NOTIFY = 0x050
    INTERRUPT_STATUS = 0x060
    INTERRUPT_ACK = 0x064
    STATUS = 0x070
    QUEUE_DESC_LOW = 0x080
    QUEUE_DESC_HIGH = 0x084
    QUEUE_DRIVER_LOW = 0x090
    QUEUE_DRIVER_HIGH = 0x094
    QUEUE_DEVICE_LOW = 0x0A0
    QUEUE_DEVICE_HIGH = 0x0A4
    SHM_LEN_LOW = 0x0B0
    SHM_LEN_HIGH = 0x0B4
    SHM_BASE_LOW = 0x0B8
    SHM_BASE_HIGH = 0x0BC
    CONFIG_GENERATION = 0x0FC


class VirtioMmio:
    """One slot.  ``device`` None is an empty slot: it has magic, version and device id 0.

    ``memory`` is all that the device may reach.  ``irq`` is asserted while the interrupt status
    is not zero.
    """

    size = VIRTIO_SIZE

    def __init__(
        self, device: VirtioDevice | None, memory: DmaMemory, irq: IrqLine, legacy: bool
    ) -> None:
        self.device = device
        self.legacy = legacy
        self._irq = irq
        count = device.queue_count if device else 0
        self.queues = [VirtQueue(memory) for _ in range(count)]
        self.status = 0
        self.fault = ""
        """Why DEVICE_NEEDS_RESET is set; empty if it is not."""
        self.features = 0
        self._page_shift = 0
        self._features_sel = [0, 0]
        self._generation = 0
        self._forget()
        self._reads, self._writes = self._registers()
        if device:
            device.transport = self

    def _forget(self) -> None:
        """Everything that a reset by the driver clears."""
        self.status = 0
        self.fault = ""
        self.features = 0
        self._isr = 0
        self._queue_sel = 0
        self._deferred: set[int] = set()
        self._align = [DEFAULT_ALIGN] * len(self.queues)
        self._pfn = [0] * len(self.queues)
        for queue in self.queues:
            queue.reset()
        if self.device:
            self.device.reset()

    def reset(self) -> None:
        self._forget()
        # A driver's own reset keeps these: Linux sets the page size first and resets afterwards.
        self._page_shift = 0
        self._features_sel = [0, 0]
        self._irq(False)

    # -- what the device behind it sees -----------------------------------------------------------

    @property
    def offered(self) -> int:
        """All feature bits that the driver may accept."""
        if self.device is None:
            return 0
        own = self.device.offered | F_INDIRECT_DESC | F_EVENT_IDX
        return own | (F_ANY_LAYOUT | F_NOTIFY_ON_EMPTY if self.legacy else F_VERSION_1)

    @property
    def driver_ok(self) -> bool:
        return bool(self.status & STATUS_DRIVER_OK)

    @property
    def live(self) -> bool:
        if self.status & STATUS_NEEDS_RESET:
            return False
        needed = STATUS_DRIVER_OK | STATUS_FEATURES_OK
        return self.legacy or self.status & needed == needed

    def service(self, index: int) -> None:
        """Let the device work on queue ``index``; nothing happens unless the queue is usable."""
        queue = self.queues[index]
        if self.device is None or not self.live or not queue.ready:
            return
        self._deferred.discard(index)
        try:
            if self.device.process(index, queue):
                self._deferred.add(index)
            wanted = queue.finish()
        except RingError as broken:
            self._break(f"queue {index}: {broken}")
            return
        if wanted:
            self._raise(INTERRUPT_QUEUE)

    @property
    def busy(self) -> bool:
        """True while `poll` has something to do."""
        return bool(self._deferred)

    def poll(self) -> None:
        """Go on with work that a notification left behind.  The owner calls it between slices."""
        for index in sorted(self._deferred):
            self.service(index)

    def config_changed(self) -> None:
        self._generation = (self._generation + 1) & _WORD
        if self.driver_ok:
            self._raise(INTERRUPT_CONFIG)

    def _raise(self, bits: int) -> None:
        self._isr |= bits
        self._irq(True)

    def _break(self, why: str) -> None:
        self.status |= STATUS_NEEDS_RESET
        self.fault = why
        self._deferred.clear()
        self._error()
        if self.driver_ok:
            self._raise(INTERRUPT_CONFIG)

    def _error(self) -> None:
        if self.device:
            self.device.stats.errors += 1

    # -- bus side ---------------------------------------------------------------------------------

    def read(self, offset: int, width: int) -> int | None:
        if width not in (1, 2, 4) or offset & (width - 1) or not 0 <= offset < WINDOW_END:
            return None
        if offset >= CONFIG:
            return self._read_config(offset - CONFIG, width)
        reader = self._reads.get(offset)
        return reader() if reader and width == 4 else 0

    def write(self, offset: int, width: int, value: int) -> bool:
        if width not in (1, 2, 4) or offset & (width - 1) or not 0 <= offset < WINDOW_END:
            return False
        if offset >= CONFIG:
            if self.device is not None:
                data = (value & (1 << 8 * width) - 1).to_bytes(width, "little")
                self.device.write_config(offset - CONFIG, data)
            return True
        writer = self._writes.get(offset)
        if writer and width == 4:
            writer(value & _WORD)
        return True

    def _read_config(self, at: int, width: int) -> int:
        if self.device is None:
            return 0
        field = self.device.config()[at : at + width]
        # Behind the end QEMU reads as all ones.
        return int.from_bytes(field, "little") if len(field) == width else (1 << 8 * width) - 1

    def _registers(self) -> tuple[dict[int, Callable[[], int]], dict[int, Callable[[int], None]]]:
        """The readers and writers of this slot's layout, by offset."""
        version = VERSION_LEGACY if self.legacy else VERSION_MODERN
        reads: dict[int, Callable[[], int]] = {
            Reg.MAGIC_VALUE: lambda: MAGIC,
            Reg.VERSION: lambda: version,
            Reg.VENDOR_ID: lambda: VENDOR,
        }
        device = self.device
        if device is None:
            return reads, {}
        reads |= {
            Reg.DEVICE_ID: lambda: device.device_id,
            Reg.DEVICE_FEATURES: self._read_features,
            Reg.QUEUE_NUM_MAX: lambda: MAX_SIZE if self._selected else 0,
            Reg.INTERRUPT_STATUS: lambda: self._isr,
            Reg.STATUS: lambda: self.status,
        }
        writes: dict[int, Callable[[int], None]] = {
            Reg.DEVICE_FEATURES_SEL: lambda value: self._select_features(0, value),
            Reg.DRIVER_FEATURES: self._write_features,
            Reg.DRIVER_FEATURES_SEL: lambda value: self._select_features(1, value),
            Reg.QUEUE_SEL: self._write_queue_sel,
            Reg.QUEUE_NUM: self._write_queue_num,
            Reg.QUEUE_NOTIFY: self._write_notify,
            Reg.INTERRUPT_ACK: self._write_ack,
            Reg.STATUS: self._write_status,
        }
        if self.legacy:
            reads[Reg.QUEUE_PFN] = self._read_pfn
            writes |= {
                Reg.GUEST_PAGE_SIZE: self._write_page_size,
                Reg.QUEUE_ALIGN: self._write_align,
                Reg.QUEUE_PFN: self._write_pfn,
            }
            return reads, writes
        reads |= {
            Reg.QUEUE_READY: lambda: int(bool(self._selected and self._selected.ready)),
            Reg.CONFIG_GENERATION: lambda: self._generation,
            Reg.SHM_LEN_LOW: lambda: _NO_REGION,
            Reg.SHM_LEN_HIGH: lambda: _NO_REGION,
            Reg.SHM_BASE_LOW: lambda: _NO_REGION,
            Reg.SHM_BASE_HIGH: lambda: _NO_REGION,
        }
        writes[Reg.QUEUE_READY] = self._write_ready
        for area, low in (
            ("desc", Reg.QUEUE_DESC_LOW),
            ("avail", Reg.QUEUE_DRIVER_LOW),
            ("used", Reg.QUEUE_DEVICE_LOW),
        ):
            writes[low] = self._address_writer(area, 0)
            writes[low + 4] = self._address_writer(area, 32)
        return reads, writes

    # -- registers of both layouts ----------------------------------------------------------------

    @property
    def _selected(self) -> VirtQueue | None:
        return self.queues[self._queue_sel] if self._queue_sel < len(self.queues) else None

    def _select_features(self, which: int, value: int) -> None:
        self._features_sel[which] = value

    def _read_features(self) -> int:
        word = self._features_sel[0]
        return self.offered >> 32 * word & _WORD if word < 2 else 0

    def _write_features(self, value: int) -> None:
        word = self._features_sel[1]
        settled = STATUS_DRIVER_OK if self.legacy else STATUS_FEATURES_OK
        if word >= (1 if self.legacy else 2) or self.status & settled:
            return
        shift = 32 * word
        self.features = self.features & ~(_WORD << shift) | value << shift
        if self.legacy:
            # There is no FEATURES_OK to refuse with, so bits that were not offered just vanish.
            self.features &= self.offered
            self._agree()

    def _agree(self) -> None:
        self._negotiate()
        if self.device:
            self.device.negotiated()

    def _negotiate(self) -> None:
        for queue in self.queues:
            queue.negotiate(
                bool(self.features & F_INDIRECT_DESC),
                bool(self.features & F_EVENT_IDX),
                bool(self.features & F_NOTIFY_ON_EMPTY),
            )

    def _write_queue_sel(self, value: int) -> None:
        self._queue_sel = value

    def _write_queue_num(self, value: int) -> None:
        queue = self._selected
        if queue is None:
            return
        if queue.ready or not 0 < value <= MAX_SIZE or value & (value - 1):
            self._error()
            return
        queue.size = value

    def _write_notify(self, value: int) -> None:
        if self.device:
            self.device.stats.kicks += 1
        if value < len(self.queues):
            self.service(value)

    def _write_ack(self, value: int) -> None:
        self._isr &= ~value
        self._irq(self._isr != 0)

    def _write_status(self, value: int) -> None:
        value &= 0xFF
        if value == 0:
            self._forget()
            self._irq(False)
            return
        accepting = value & STATUS_FEATURES_OK and not self.status & STATUS_FEATURES_OK
        if accepting and not self.legacy:
            if self.features & ~self.offered:
                value &= ~STATUS_FEATURES_OK
                self._error()
            else:
                self._agree()
        # DEVICE_NEEDS_RESET belongs to the device: only a reset clears it.
        self.status = value & ~STATUS_NEEDS_RESET | self.status & STATUS_NEEDS_RESET

    def _enable(self, queue: VirtQueue) -> None:
        try:
            queue.enable()
        except RingError as broken:
            self._break(f"queue {self._queue_sel}: {broken}")
            return
        self._negotiate()

    # -- modern layout ----------------------------------------------------------------------------

    def _write_ready(self, value: int) -> None:
        queue = self._selected
        if queue is None:
            return
        if not value & 1:
            queue.disable()
        elif not queue.ready:
            self._enable(queue)

    def _address_writer(self, area: str, shift: int) -> Callable[[int], None]:
        def write(value: int) -> None:
            queue = self._selected
            if queue is None:
                return
            if queue.ready:
                self._error()
                return
            kept = getattr(queue, area) & ~(_WORD << shift)
            setattr(queue, area, kept | value << shift)

        return write

    # -- legacy layout (section 4.2.4) ------------------------------------------------------------

    def _write_page_size(self, value: int) -> None:
        # Anything but a power of two is the driver's mistake; its lowest set bit counts, as on
        # QEMU.
        self._page_shift = (value & -value).bit_length() - 1 if value else 0

    def _write_align(self, value: int) -> None:
        if self._selected is None:
            return
        if not 0 < value <= 1 << 16 or value & (value - 1):
            self._error()
            return
        self._align[self._queue_sel] = value

    def _read_pfn(self) -> int:
        return self._pfn[self._queue_sel] if self._selected else 0

    def _write_pfn(self, value: int) -> None:
        queue = self._selected
        if queue is None:
            return
        self._pfn[self._queue_sel] = value
        if not value:
            queue.disable()
            return
        align = self._align[self._queue_sel]
        queue.desc = value << self._page_shift
        queue.avail = queue.desc + 16 * queue.size
        # Section 2.7.2: the used ring starts at the next multiple of QueueAlign.
        queue.used = -(-(queue.avail + 6 + 2 * queue.size) // align) * align
        self._enable(queue)
