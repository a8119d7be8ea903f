"""Ready-made slots for the virtio tests: a device, its transport, guarded memory and a driver."""

from __future__ import annotations

from tests.devices.driver import BlockDriver, Driver, Ours
from tests.devices.memory import RAM, GuardedMemory
from toyvm.devices.virtio_blk import VirtioBlk
from toyvm.devices.virtio_mmio import VirtioMmio
from toyvm.devices.virtio_net import VirtioNet
from toyvm.storage import MemoryDisk

MAC = bytes.fromhex("525400aabbcc")
SECTORS = 64
EVENT_IDX = 1 << 29
INDIRECT = 1 << 28
MRG_RXBUF = 1 << 15


def disk_content() -> bytes:
    return b"".join(n.to_bytes(2, "big") * 256 for n in range(SECTORS))


class BlockSlot:
    """A block device of 64 numbered sectors, with an initialised driver unless ``driver`` is
    False."""

    def __init__(
        self,
        legacy: bool,
        read_only: bool = False,
        accept: int = 0,
        size: int = 16,
        ram: int = 1 << 18,
        driver: bool = True,
        disk: MemoryDisk | None = None,
    ) -> None:
        self.memory = GuardedMemory(ram)
        self.disk = disk or MemoryDisk(disk_content(), read_only=read_only)
        self.device = VirtioBlk(self.disk, "serial-0001-abcdefgh")
        self.level = False
        self.slot = VirtioMmio(self.device, self.memory, self._irq, legacy)
        self.machine = Ours(self.slot, self.memory)
        if driver:
            self.driver = BlockDriver(self.machine, RAM, size, accept)

    def _irq(self, level: bool) -> None:
        self.level = level


def send_command(driver: Driver, at: int, data: bytes) -> int:
    """One command through the control queue of a driver with three queues; the answer."""
    queue = driver.queues[2]
    driver.machine.write(at, data + b"\xee")
    queue.offer(queue.chain([(at, len(data), False), (at + len(data), 1, True)]))
    queue.notify()
    for _ in range(20_000):
        if queue.collect():
            return driver.machine.read(at + len(data), 1)[0]
    raise AssertionError("the command did not complete")


class NetSlot:
    """A network card whose sent frames are collected in ``sent``."""

    RX_AT = RAM + 0x2_0000
    TX_AT = RAM + 0x3_0000

    CONTROL_AT = RAM + 0x1_9000

    def __init__(
        self,
        legacy: bool,
        accept: int = 0,
        size: int = 16,
        driver: bool = True,
        queues: int = 2,
    ) -> None:
        self.memory = GuardedMemory(1 << 18)
        self.sent: list[bytes] = []
        self.device = VirtioNet(MAC, self.sent.append)
        self.level = False
        self.slot = VirtioMmio(self.device, self.memory, self._irq, legacy)
        self.machine = Ours(self.slot, self.memory)
        self.header = 10 if legacy and not accept & MRG_RXBUF else 12
        if driver:
            self.driver = Driver(self.machine, RAM, queues, size, accept)
            self.rx, self.tx = self.driver.queues[:2]

    def _irq(self, level: bool) -> None:
        self.level = level

    def give_buffers(self, count: int, length: int = 2048) -> list[int]:
        heads = [self.rx.chain([(self.RX_AT + n * 2048, length, True)]) for n in range(count)]
        self.rx.offer(*heads)
        self.rx.notify()
        return heads

    def command(self, data: bytes) -> int:
        """Send a command through the control queue; the device's answer."""
        return send_command(self.driver, self.CONTROL_AT, data)

    def transmit(self, frame: bytes, header: bytes | None = None) -> None:
        packet = (bytes(self.header) if header is None else header) + frame
        self.machine.write(self.TX_AT, packet)
        self.tx.offer(self.tx.chain([(self.TX_AT, len(packet), False)]))
        self.tx.notify()
