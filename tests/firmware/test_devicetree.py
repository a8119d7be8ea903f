"""The device tree, read back by a parser written from the Devicetree Specification alone, compared
with dtc and with the tree that QEMU itself gives its guests."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from toyvm.firmware import fdt
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
    # A hart and its local controller have one each; then there are the PLIC and the finisher.
    assert len(handles) == len(set(handles)) == 2 * 4 + 2
    names = [f"/cpus/cpu-map/cluster0/core{hart}" for hart in range(4)]
    harts = [tree[f"/cpus/cpu@{hart}"]["phandle"] for hart in range(4)]
    assert [tree[name]["cpu"] for name in names] == harts
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


needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-system-riscv32") is None, reason="qemu-system-riscv32 is not installed"
)


def qemu_blob(tmp_path: Path, *more: str) -> bytes:
    """The tree of QEMU's board with 64 MiB and two harts."""
    blob = tmp_path / "qemu.dtb"
    command = ["qemu-system-riscv32", "-M", f"virt,dumpdtb={blob}", "-bios", "none"]
    command += ["-m", "64", "-smp", "2", "-append", "quiet", "-display", "none"]
    kernel = tmp_path / "kernel"
    kernel.write_bytes(bytes(4096))
    command += ["-kernel", str(kernel), "-serial", "null", "-monitor", "none", *more]
    subprocess.run(command, capture_output=True, check=True, timeout=30)
    return blob.read_bytes()


def qemu_tree(tmp_path: Path, *more: str) -> Tree:
    return parse(qemu_blob(tmp_path, *more))


@needs_qemu
def test_every_node_is_qemus(tmp_path: Path):
    """Our nodes are a subset of QEMU's; where a property differs, it is one that must."""
    theirs, board = qemu_tree(tmp_path), build(RAM, 64 * MIB, 2, "quiet")
    ours = parse(board)
    assert len(board) == int.from_bytes(board[4:8], "big")
    assert set(ours) <= set(theirs)
    missing = set(theirs) - set(ours)
    assert {name.split("@")[0] for name in missing} == {
        "/fw-cfg",
        "/flash",
        "/platform-bus",
        "/pmu",
        "/soc/pci",
    }
    # Handles are chosen freely, the extensions and the name are our own.
    free = {"phandle", "interrupt-parent", "interrupts-extended", "regmap", "riscv,isa", "model"}
    free.add("cpu")
    for name, properties in ours.items():
        if name.endswith("interrupt-controller"):
            del properties["#address-cells"]  # dtc misses it in QEMU's tree
        for key, value in properties.items():
            if key not in free:
                assert theirs[name].get(key) == value, f"{name} {key}"
        # What QEMU says besides: its seed is new in each run, and a run of ours can be repeated.
        assert set(theirs[name]) - set(properties) == ({"rng-seed"} if name == "/chosen" else set())


def resolved(tree: Tree, node: str, key: str) -> list[int | str]:
    """The cells of a property with every phandle replaced by the path of the node it names."""
    names = {cells(n["phandle"])[0]: path for path, n in tree.items() if "phandle" in n}
    step = 2 if key == "interrupts-extended" else 1
    return [
        names[cell] if at % step == 0 else cell for at, cell in enumerate(cells(tree[node][key]))
    ]


@needs_qemu
def test_handles_lead_to_the_same_nodes(tmp_path: Path):
    theirs, ours = qemu_tree(tmp_path), parse(build(RAM, 64 * MIB, 2, "quiet"))
    count = 0
    for name, properties in ours.items():
        for key in {"interrupt-parent", "interrupts-extended", "regmap", "cpu"} & set(properties):
            assert resolved(ours, name, key) == resolved(theirs, name, key), f"{name} {key}"
            count += 1
    assert count == 2 + 1 + 1 + 2 + 8 + 2  # cpu-map, plic, clint, off and on, slots, uart and rtc


@needs_qemu
def test_the_initrd_is_told_as_qemu_tells_it(tmp_path: Path):
    initrd = tmp_path / "initrd"
    initrd.write_bytes(bytes(range(100)))
    theirs = qemu_tree(tmp_path, "-initrd", str(initrd))["/chosen"]
    start = RAM + 32 * MIB
    ours = parse(build(RAM, 64 * MIB, 2, "quiet", initrd=(start, start + 100)))["/chosen"]
    for key in ("linux,initrd-start", "linux,initrd-end"):
        assert ours[key] == theirs[key]


# -- reading -----------------------------------------------------------------------------------


@needs_qemu
def test_qemus_tree_survives_reading_and_writing(tmp_path: Path):
    blob = build(RAM, 64 * MIB, 2, "quiet")
    assert fdt.parse(blob).flatten() == blob
    theirs = qemu_blob(tmp_path)
    assert parse(fdt.parse(theirs).flatten()) == parse(theirs)


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (b"", "ends too early"),
        (b"x" * 40, "it starts with 78 78 78 78, expected d00dfeed"),
        (struct.pack(">10I", 0xD00DFEED, 4000, 56, 60, 40, 17, 16, 0, 0, 4), "4000 bytes"),
        (struct.pack(">10I", 0xD00DFEED, 40, 40, 40, 40, 2, 2, 0, 0, 0), "version 2"),
        (struct.pack(">10I", 0xD00DFEED, 40, 40, 40, 40, 17, 16, 0, 0, 0), "ends too early"),
    ],
)
def test_what_is_no_tree(blob: bytes, message: str):
    with pytest.raises(fdt.TreeError, match=message):
        fdt.parse(blob)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([2], "never began"),
        ([7], "unknown token 0x7"),
        ([9], "one root node"),
        ([1, 0, 9], "one root node"),
        ([1, 0, 2, 1, 0, 2, 9], "one root node"),
        ([3, 0, 0], "outside of a node"),
        ([1, 0, 3, 1 << 20, 0, 2, 9], "outside of a node or of the tree"),
        ([1, 0, 3, 0, 1 << 20, 2, 9], "has no end"),
        ([1, 0] * 70, "deeper than 64"),
        ([1, 0xFF000000, 2, 9], "not ASCII"),
    ],
)
def test_broken_structures(tokens: list[int], message: str):
    body = struct.pack(f">{len(tokens)}I", *tokens)
    size = 56 + len(body)
    header = struct.pack(">10I", 0xD00DFEED, size, 56, size, 40, 17, 16, 0, 0, len(body))
    with pytest.raises(fdt.TreeError, match=message):
        fdt.parse(header + bytes(16) + body)


def test_any_damage_is_a_tree_error_or_a_tree():
    rng = random.Random(17)
    good = build(RAM, 64 * MIB, 2, "quiet")
    for _ in range(500):
        blob = bytearray(good)
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(blob))
            blob[at] = rng.choice((0, 1, 2, 3, 9, 0xFF, rng.randrange(256)))
        cut = bytes(blob[: rng.choice((len(blob), rng.randrange(len(blob))))])
        try:
            again = fdt.parse(cut).flatten()
        except fdt.TreeError:
            continue
        assert again[:4] == good[:4]
