"""The device tree, read back by a parser written from the Devicetree Specification alone, compared
with dtc and with the tree that QEMU itself gives its guests."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from toyvm.firmware.devicetree import build
from toyvm.firmware.fdt import Node

RAM = 0x8000_0000
MIB = 1 << 20

Tree = dict[str, dict[str, bytes]]


def parse(blob: bytes) -> Tree:
    """Properties by node path; checks the layout of the blob on the way."""
    magic, total, at, strings, reserved, version, oldest, boot, strings_size, size = (
        struct.unpack_from(">10I", blob)
    )
    assert magic == 0xD00DFEED
    assert total <= len(blob)
    assert (version, oldest, boot) == (17, 16, 0)
    assert reserved % 8 == 0
    assert blob[reserved : reserved + 16] == bytes(16)
    assert at % 4 == 0
    assert strings + strings_size <= total
    tree: Tree = {}
    path: list[str] = []
    end = at + size
    while True:
        (token,) = struct.unpack_from(">I", blob, at)
        at += 4
        if token == 1:
            stop = blob.index(b"\0", at)
            path.append(blob[at:stop].decode())
            at = (stop + 4) & ~3
            name = "/".join(path) or "/"
            assert name not in tree
            tree[name] = {}
        elif token == 2:
            path.pop()
        elif token == 3:
            length, offset = struct.unpack_from(">II", blob, at)
            at += 8
            start = strings + offset
            key = blob[start : blob.index(b"\0", start)].decode()
            assert start < strings + strings_size
            node = tree["/".join(path) or "/"]
            assert key not in node
            node[key] = blob[at : at + length]
            at = (at + length + 3) & ~3
        elif token == 9:
            assert not path
            assert at == end
            return tree
        else:
            raise AssertionError(f"token {token} at {at - 4}")


def cells(value: bytes) -> list[int]:
    return list(struct.unpack(f">{len(value) // 4}I", value))


def texts(value: bytes) -> list[str]:
    assert value.endswith(b"\0")
    return value[:-1].decode().split("\0")


def test_memory_and_command_line():
    tree = parse(build(RAM, 128 * MIB, 1, "console=ttyS0 quiet"))
    assert cells(tree["/memory@80000000"]["reg"]) == [0, RAM, 0, 128 * MIB]
    assert texts(tree["/memory@80000000"]["device_type"]) == ["memory"]
    assert texts(tree["/chosen"]["bootargs"]) == ["console=ttyS0 quiet"]
    stdout = texts(tree["/chosen"]["stdout-path"])[0]
    assert texts(tree[stdout]["compatible"]) == ["ns16550a"]
    assert "bootargs" not in parse(build(RAM, MIB))["/chosen"]


def test_ram_beyond_32_bits_uses_both_cells():
    tree = parse(build(0x1_8000_0000, 0x2_0000_0000))
    assert cells(tree["/memory@180000000"]["reg"]) == [1, RAM, 2, 0]


@pytest.mark.parametrize("harts", [1, 2, 8])
def test_harts(harts):
    tree = parse(build(RAM, MIB, harts))
    assert cells(tree["/cpus"]["timebase-frequency"]) == [10_000_000]
    handles = []
    for hart in range(harts):
        cpu = tree[f"/cpus/cpu@{hart}"]
        assert cells(cpu["reg"]) == [hart]
        assert texts(cpu["riscv,isa"]) == ["rv32ima_zicsr_zifencei"]
        assert texts(cpu["mmu-type"]) == ["riscv,sv32"]
        controller = tree[f"/cpus/cpu@{hart}/interrupt-controller"]
        assert texts(controller["compatible"]) == ["riscv,cpu-intc"]
        handles += cells(controller["phandle"])
    assert f"/cpus/cpu@{harts}" not in tree
    clint = cells(tree["/soc/clint@2000000"]["interrupts-extended"])
    assert clint == [cell for handle in handles for cell in (handle, 3, handle, 7)]
    plic = cells(tree["/soc/plic@c000000"]["interrupts-extended"])
    assert plic == [cell for handle in handles for cell in (handle, 11, handle, 9)]


def test_sstc_is_named_only_where_it_exists():
    tree = parse(build(RAM, MIB, sstc=True))
    assert texts(tree["/cpus/cpu@0"]["riscv,isa"]) == ["rv32ima_zicsr_zifencei_sstc"]


def test_phandles_are_unique_and_resolve():
    tree = parse(build(RAM, MIB, 4))
    handles = [cells(node["phandle"])[0] for node in tree.values() if "phandle" in node]
    assert len(handles) == len(set(handles)) == 6
    plic = cells(tree["/soc/plic@c000000"]["phandle"])
    for name, node in tree.items():
        if "interrupt-parent" in node:
            assert cells(node["interrupt-parent"]) == plic, name
    test = cells(tree["/soc/test@100000"]["phandle"])
    assert cells(tree["/poweroff"]["regmap"]) == cells(tree["/reboot"]["regmap"]) == test


def test_fewer_slots_can_be_listed():
    tree = parse(build(RAM, MIB, virtio_slots=2))
    assert sum(name.startswith("/soc/virtio_mmio@") for name in tree) == 2


def test_writer_encodes_every_kind_of_value():
    root = Node()
    root.prop("cell", 0xDEADBEEF).prop("cells", [1, 2]).prop("text", "abc").prop("bytes", b"\1\2\3")
    root.prop("texts", ["a", "bc"]).prop("empty")
    root.child("node@0").prop("cell", 7)
    tree = parse(root.flatten())
    assert tree["/"] == {
        "cell": b"\xde\xad\xbe\xef",
        "cells": bytes([0, 0, 0, 1, 0, 0, 0, 2]),
        "text": b"abc\0",
        "bytes": b"\1\2\3",
        "texts": b"a\0bc\0",
        "empty": b"",
    }
    assert tree["/node@0"] == {"cell": b"\0\0\0\7"}


@pytest.mark.skipif(shutil.which("dtc") is None, reason="dtc is not installed")
@pytest.mark.parametrize("harts", [1, 3])
def test_dtc_reads_it_without_complaint(tmp_path, harts):
    blob = tmp_path / "board.dtb"
    blob.write_bytes(build(RAM, 64 * MIB, harts, "quiet", sstc=True))
    done = subprocess.run(
        ["dtc", "-I", "dtb", "-O", "dts", str(blob)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "Warning" not in done.stderr
    assert "ERROR" not in done.stderr
    assert 'bootargs = "quiet"' in done.stdout


@pytest.mark.skipif(
    shutil.which("qemu-system-riscv32") is None, reason="qemu-system-riscv32 is not installed"
)
def test_every_node_is_qemus(tmp_path: Path):
    """Our nodes are a subset of QEMU's; where a property differs, it is one that must."""
    blob = tmp_path / "qemu.dtb"
    command = ["qemu-system-riscv32", "-M", f"virt,dumpdtb={blob}", "-bios", "none"]
    command += ["-m", "64", "-smp", "2", "-append", "quiet", "-display", "none"]
    kernel = tmp_path / "kernel"
    kernel.write_bytes(bytes(4096))
    command += ["-kernel", str(kernel), "-serial", "null", "-monitor", "none"]
    subprocess.run(command, capture_output=True, check=True, timeout=30)
    theirs, board = parse(blob.read_bytes()), build(RAM, 64 * MIB, 2, "quiet")
    ours = parse(board)
    assert len(board) == int.from_bytes(board[4:8], "big")
    assert set(ours) <= set(theirs)
    missing = {name for name in theirs if not name.startswith("/cpus/cpu-map")} - set(ours)
    assert {name.split("@")[0] for name in missing} == {
        "/fw-cfg",
        "/flash",
        "/platform-bus",
        "/pmu",
        "/soc/pci",
    }
    # Handles are chosen freely, the extensions and the name are our own.
    free = {"phandle", "interrupt-parent", "interrupts-extended", "regmap", "riscv,isa", "model"}
    for name, properties in ours.items():
        if name.endswith("interrupt-controller"):
            del properties["#address-cells"]  # dtc misses it in QEMU's tree
        for key, value in properties.items():
            if key not in free:
                assert theirs[name].get(key) == value, f"{name} {key}"
