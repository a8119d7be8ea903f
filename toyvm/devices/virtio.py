"""What all virtio devices share: the numbers of the specification and the base of a device.

Names and values follow "Virtual I/O Device (VIRTIO) Version 1.2", sections 2.1 (status), 2.2 and 6
(feature bits) and 5 (device types).
"""

from __future__ import annotations

from typing import Final, Protocol

from toyvm.devices.stats import Stats
from toyvm.devices.virtqueue import VirtQueue

# -- device types (section 5) ---------------------------------------------------------------------

ID_NONE: Final = 0
"""An empty slot."""
ID_NET: Final = 1
ID_BLOCK: Final = 2
ID_CONSOLE: Final = 3
ID_ENTROPY: Final = 4

# -- device status bits (section 2.1) -------------------------------------------------------------

STATUS_ACKNOWLEDGE: Final = 0x01
STATUS_DRIVER: Final = 0x02
STATUS_DRIVER_OK: Final = 0x04
STATUS_FEATURES_OK: Final = 0x08
STATUS_NEEDS_RESET: Final = 0x40
STATUS_FAILED: Final = 0x80

# -- interrupt status bits (section 4.2.2) --------------------------------------------------------

INTERRUPT_QUEUE: Final = 0x1
INTERRUPT_CONFIG: Final = 0x2

# -- feature bits that belong to no device type (section 6) ---------------------------------------

F_NOTIFY_ON_EMPTY: Final = 1 << 24
"""Legacy: an interrupt when no request is left, whatever the driver says of interrupts."""
F_ANY_LAYOUT: Final = 1 << 27
"""Legacy name for "the driver may split a request over descriptors as it likes"."""
F_INDIRECT_DESC: Final = 1 << 28
F_EVENT_IDX: Final = 1 << 29
F_VERSION_1: Final = 1 << 32


class Transport(Protocol):
    """What a device sees of the transport that carries it."""

    features: int
    """Feature bits that driver and device agreed on."""
    queues: list[VirtQueue]

    @property
    def live(self) -> bool:
        """True when the driver may use the queues."""

    @property
    def driver_ok(self) -> bool:
        """True when the driver has finished its set-up."""

    def service(self, index: int) -> None:
        """Let the device work on queue ``index``, as if the driver had notified it."""

    def config_changed(self) -> None:
        """Tell the driver that the configuration space changed."""


class VirtioDevice:
    """The device behind a virtio transport: it sees queues, features and configuration bytes."""

    device_id: int = ID_NONE
    queue_count: int = 0

    def __init__(self) -> None:
        self.stats = Stats()
        self.transport: Transport | None = None

    @property
    def offered(self) -> int:
        """Feature bits of the device type; the transport adds its own."""
        return 0

    def config(self) -> bytes:
        """The configuration space, little-endian."""
        return b""

    def process(self, index: int, queue: VirtQueue) -> bool:
        """Take chains from ``queue`` and complete them.

        Returns True if it stopped with chains left, to keep one notification's work bounded.
        Raises :class:`~toyvm.devices.virtqueue.RingError` if the driver broke the queue.
        """
        return False

    def negotiated(self) -> None:
        """Driver and device have agreed on the features."""

    def write_config(self, offset: int, data: bytes) -> None:
        """The driver wrote ``data`` at ``offset`` of the configuration space."""

    def poll(self) -> None:
        """Look whether the host has something for the driver.  The owner calls it between
        slices."""

    def reset(self) -> None:
        """Forget everything that belongs to the driver's session."""
