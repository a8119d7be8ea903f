"""The device tree of our board: the nodes of QEMU's ``virt`` for the devices that exist here.

Names, ``compatible`` strings and interrupt numbers are QEMU 7.2's, so a kernel that finds its
devices there finds them here; so is the order of the nodes, by which kernels number what they find.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import Final

from toyvm import platform
from toyvm.firmware.fdt import Node

ISA: Final = "rv32ima_zicsr_zifencei"
UART_CLOCK_HZ: Final = 3_686_400

_M_SOFTWARE: Final = 3
_M_TIMER: Final = 7
_S_EXTERNAL: Final = 9
_M_EXTERNAL: Final = 11
"""Interrupt numbers at a hart's local controller: the bits of mip."""


@lru_cache(maxsize=32)
def build(
    ram_base: int,
    ram_size: int,
    harts: int = 1,
    bootargs: str = "",
    sstc: bool = False,
    virtio_slots: int = platform.VIRTIO_SLOTS,
    initrd: tuple[int, int] | None = None,
) -> bytes:
    """The flattened tree of a machine with ``ram_size`` bytes of RAM at ``ram_base``.

    ``bootargs`` is the kernel's command line; empty leaves the property out.  ``sstc`` says that
    harts have the stimecmp register.  All ``virtio_slots`` are listed, empty ones too, as QEMU
    does: a driver finds an empty slot by its device id 0.  ``initrd`` is (first address, end).
    """
    root = Node()
    root.prop("#address-cells", 2).prop("#size-cells", 2)
    root.prop("compatible", "riscv-virtio").prop("model", "riscv-virtio,toyvm")

    chosen = root.child("chosen")
    choose(chosen, bootargs, initrd)
    chosen.prop("stdout-path", f"/soc/serial@{platform.UART0_BASE:x}")

    # Phandles: for each hart the hart and its local controller, then the PLIC, then the finisher.
    local = list(range(2, 2 * harts + 1, 2))
    plic, finisher = 2 * harts + 1, 2 * harts + 2
    for name, value in (
        ("poweroff", platform.FINISHER_PASS),
        ("reboot", platform.FINISHER_RESET),
    ):
        node = root.child(name).prop("compatible", f"syscon-{name}")
        node.prop("regmap", finisher).prop("offset", 0).prop("value", value)
    memory = root.child(f"memory@{ram_base:x}")
    memory.prop("device_type", "memory").prop("reg", _region(ram_base, ram_size))
    _cpus(root, local, ISA + ("_sstc" if sstc else ""))
    _soc(root, local, plic, finisher, virtio_slots)
    return root.flatten()


def choose(chosen: Node, bootargs: str, initrd: tuple[int, int] | None) -> None:
    """Set the kernel's arguments and the place of its initrd in ``/chosen``, if there are any."""
    if bootargs:
        chosen.put("bootargs", bootargs)
    if initrd:
        chosen.put("linux,initrd-start", initrd[0]).put("linux,initrd-end", initrd[1])


def _region(base: int, size: int) -> list[int]:
    """A ``reg`` value of two cells each for address and size."""
    return [base >> 32, base & 0xFFFF_FFFF, size >> 32, size & 0xFFFF_FFFF]


def _cpus(root: Node, local: list[int], isa: str) -> None:
    cpus = root.child("cpus").prop("#address-cells", 1).prop("#size-cells", 0)
    cpus.prop("timebase-frequency", platform.TIMEBASE_HZ)
    for hart, phandle in enumerate(local):
        cpu = cpus.child(f"cpu@{hart:x}").prop("device_type", "cpu").prop("reg", hart)
        cpu.prop("status", "okay").prop("compatible", "riscv")
        cpu.prop("riscv,isa", isa).prop("mmu-type", "riscv,sv32").prop("phandle", phandle - 1)
        controller = cpu.child("interrupt-controller").prop("#address-cells", 0)
        controller.prop("#interrupt-cells", 1).prop("interrupt-controller")
        controller.prop("compatible", "riscv,cpu-intc").prop("phandle", phandle)
    cluster = cpus.child("cpu-map").child("cluster0")
    for hart, phandle in enumerate(local):
        cluster.child(f"core{hart:x}").prop("cpu", phandle - 1)


def _soc(root: Node, local: list[int], plic: int, finisher: int, virtio_slots: int) -> None:
    soc = root.child("soc").prop("#address-cells", 2).prop("#size-cells", 2)
    soc.prop("compatible", "simple-bus").prop("ranges")

    def device(
        kind: str, base: int, size: int, compatible: str | list[str], irq: int = 0, clock: int = 0
    ) -> Node:
        node = soc.child(f"{kind}@{base:x}")
        if irq:
            node.prop("interrupts", irq).prop("interrupt-parent", plic)
        if clock:
            node.prop("clock-frequency", clock)
        return node.prop("reg", _region(base, size)).prop("compatible", compatible)

    def lines(*numbers: int) -> list[int]:
        return list(chain.from_iterable((p, n) for p in local for n in numbers))

    device("rtc", platform.RTC_BASE, platform.RTC_SIZE, "google,goldfish-rtc", platform.RTC_IRQ)
    device(
        "serial",
        platform.UART0_BASE,
        platform.UART0_SIZE,
        "ns16550a",
        platform.UART0_IRQ,
        UART_CLOCK_HZ,
    )
    device(
        "test",
        platform.FINISHER_BASE,
        platform.FINISHER_SIZE,
        ["sifive,test1", "sifive,test0", "syscon"],
    ).prop("phandle", finisher)
    for slot in reversed(range(virtio_slots)):
        base, irq = platform.virtio_base(slot), platform.virtio_irq(slot)
        device("virtio_mmio", base, platform.VIRTIO_SIZE, "virtio,mmio", irq)
    controller = soc.child(f"plic@{platform.PLIC_BASE:x}").prop("phandle", plic)
    controller.prop("riscv,ndev", platform.PLIC_SOURCES)
    controller.prop("reg", _region(platform.PLIC_BASE, platform.PLIC_SIZE))
    controller.prop("interrupts-extended", lines(_M_EXTERNAL, _S_EXTERNAL))
    controller.prop("interrupt-controller")
    controller.prop("compatible", ["sifive,plic-1.0.0", "riscv,plic0"])
    controller.prop("#address-cells", 0).prop("#interrupt-cells", 1)
    device(
        "clint", platform.CLINT_BASE, platform.CLINT_SIZE, ["sifive,clint0", "riscv,clint0"]
    ).prop("interrupts-extended", lines(_M_SOFTWARE, _M_TIMER))
