"""A guest that writes, traps or errs without end fills neither the host's log nor its memory."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from guestos import build, manifest
from tests.hypervisor.guests import BASE, guest
from tests.hypervisor.test_hostile import parts
from toyvm.hypervisor import Vm, shadow
from toyvm.machine import Computer, Machine

RAM = 1 << 20
#: Writes half a MiB of RAM to the console by SBI, again and again.
CONSOLE = f"""
1:  li   a0, 0x80000
    li   a1, {BASE + 0x4_0000:#x}
    li   a2, 0
    li   a7, 0x4442434e
    li   a6, 0
    ecall
    j    1b
"""
STORMS = [
    name
    for name, row in manifest().items()
    if row.kind == "hostile" and ("storm" in name or "garbage" in name or "flood" in name)
]


def kept(value: Any, seen: set[int] | None = None) -> int:
    """Bytes of the Python containers that hang on an object's own attributes."""
    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, type):
        return 0
    seen.add(id(value))
    size = 0
    if isinstance(value, bytes | bytearray | str):
        size = sys.getsizeof(value)
    elif isinstance(value, list | tuple | set | frozenset):
        size = sys.getsizeof(value) + sum(kept(one, seen) for one in value)
    elif isinstance(value, dict):
        size = sys.getsizeof(value) + sum(kept(one, seen) for one in value.values())
    elif type(value).__module__.startswith("toyvm.") and hasattr(value, "__dict__"):
        size = kept(vars(value), seen)
    return size


def test_what_is_kept_can_be_seen() -> None:
    vm = Vm(ram=RAM, bios="none")
    before = kept(vm)
    vm.warnings += ["x" * 1_000] * 1
    vm.board.warned = ["y" * 5_000]  # type: ignore[attr-defined]
    assert kept(vm) - before > 6_000


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_a_console_flood_keeps_the_end_of_it(kind: type) -> None:
    heard = 0

    def sink(data: bytes) -> None:
        nonlocal heard
        heard += len(data)

    computer: Computer = kind(ram=RAM, bios="sbi")
    computer.console.sink = sink
    computer.load(guest(CONSOLE))
    sizes = set()
    for _ in range(24):
        computer.run(3_000)
        sizes.add(kept(computer.console) >> 20)
    assert computer.console.written == heard > 32 << 20
    assert max(sizes) <= 12, "MiB"
    assert len(computer.console.output) == 4 << 20


@pytest.mark.parametrize("name", STORMS)
def test_a_storm_leaves_nothing_behind(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Ten times as long a storm: as much memory, and not a word on stdout, stderr or in a log."""
    vm = Vm(name, **parts(name))
    vm.load(build(name))
    vm.run(20_000)
    before = kept(vm) - kept(vm.console)
    vm.run(200_000)
    assert kept(vm) - kept(vm.console) - before < 64 << 10
    assert vm.warnings == []
    assert len(vm.report) < 8_000
    assert capfd.readouterr() == ("", "")


def test_tracing_a_storm_keeps_nothing() -> None:
    """Each exit is told once and forgotten; only the last 16 are kept."""
    told = 0

    def hear(sentence: str) -> None:
        nonlocal told
        told += 1

    vm = Vm(**parts("hostile-ecall-storm"))
    vm.load(build("hostile-ecall-storm"))
    vm.trace_exits(hear)
    vm.run(500)
    before, first = kept(vm), told
    vm.run(5_000)
    assert told > 5 * first
    assert told == vm.ledger.total
    assert kept(vm) - before < 16 << 10
    assert len(vm.last_exits()) == shadow.RING_LENGTH
