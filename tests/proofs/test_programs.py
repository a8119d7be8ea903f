"""The six measured programs: their results, their lengths, and that they are what they say."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

import pytest

from toyvm.hypervisor import Vm
from toyvm.isa.decode import decode
from toyvm.isa.op import Op
from toyvm.machine import Machine
from toyvm.proofs import overhead, peers, scale
from toyvm.proofs.cpu import CpuTable, TooShort, geometric, measure
from toyvm.proofs.overhead import LOADS
from toyvm.proofs.peers import BARE, LINUX, PAGED, PROGRAMS, Peer

FOLDER = Path(peers.__file__).parent / "programs" / "c"
FOREVER = 1 << 40
#: Retired instructions of one piece of work.  A change here is a change of the programs or of
#: what the machine counts; Spike confirms one of them below.
LENGTHS = {
    "sieve": 4_641_565,
    "crc": 5_648_966,
    "matmul": 6_397_576,
    "fib": 2_400_799,
    "bytecode": 3_893_005,
    "core": 512_489,
}
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
needs_cross = pytest.mark.skipif(
    shutil.which("riscv64-unknown-elf-gcc") is None,
    reason="riscv64-unknown-elf-gcc is not installed",
)


def next_random(seed: int) -> int:
    return (seed * 1664525 + 1013904223) & 0xFFFF_FFFF


def test_the_expected_results_of_three_programs() -> None:
    """Found here in another way: by Python's own CRC, by matrices of big integers, by counting."""
    seed, data = 1, bytearray()
    for _ in range(1 << 16):
        seed = next_random(seed)
        data.append(seed >> 24)
    crc = 0
    for _ in range(8):
        crc = zlib.crc32(data, crc)
    assert f"{crc:#010x}" in (FOLDER / "crc.c").read_text()

    side, seed, a, b = 96, 1, [], []
    for _ in range(side * side):
        a.append(seed := next_random(seed))
        b.append(seed := next_random(seed))
    total = 0
    for i in range(side):
        row = a[i * side : (i + 1) * side]
        for j in range(side):
            total = (total * 31 + sum(map(int.__mul__, row, b[j::side]))) & 0xFFFF_FFFF
    assert f"{total:#010x}" in (FOLDER / "matmul.c").read_text()

    steps = 0
    for n in range(1, 300):
        while n != 1:
            n = 3 * n + 1 if n & 1 else n // 2
            steps += 1
    assert f"!= {steps};" in (FOLDER / "bytecode.c").read_text()


@needs_gcc
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_source_is_right_natively(name: str, tmp_path: Path) -> None:
    program = tmp_path / name
    subprocess.run(
        ["gcc", "-O1", "-DNATIVE", "-o", program, FOLDER / "main.c", FOLDER / f"{name}.c"],
        check=True,
    )
    assert subprocess.run([program, "2"], check=False).returncode == 0


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("kind", [Machine, Vm])
@pytest.mark.parametrize("mode", [BARE, PAGED])
def test_every_mode_does_the_same_work(name: str, kind: type, mode: int) -> None:
    """The work itself is as long with translation as without, bare and in a VM."""
    start, length = peers.steps_of(name, mode)
    assert length == LENGTHS[name]
    computer = kind(ram=peers.RAM, bios="none")
    computer.load(peers.elf(name, 1, mode))
    stop = computer.run(FOREVER)
    assert (stop.reason, stop.code) == ("exit", 0)
    assert computer.steps == start + length
    assert computer.mode == ("S" if mode == PAGED else "M")


@pytest.mark.parametrize("name", ["fib", "core"])
def test_a_wrong_result_is_noticed(name: str) -> None:
    """With another constant to compare with a program ends with 1: it can fail."""
    data = bytearray(peers.elf(name, 1))
    expected = {"fib": 46368, "core": 0x07F1}[name]
    for at in range(0x1000, len(data) - 4, 4):
        word = int.from_bytes(data[at : at + 4], "little")
        decoded = decode(word)
        if (
            decoded is not None
            and decoded.op == Op.ADDI
            and decoded.imm & 0xFFF in (expected & 0xFFF, -expected & 0xFFF)
        ):
            data[at : at + 4] = (word ^ 1 << 20).to_bytes(4, "little")
            break
    else:
        pytest.fail("the constant was not found")
    machine = Machine(ram=peers.RAM, bios="none")
    machine.load(bytes(data))
    assert machine.run(FOREVER).code == 1


@pytest.mark.skipif(peers.spike_command() is None, reason="spike is not installed")
def test_spike_retires_as_many(tmp_path: Path) -> None:
    log = tmp_path / "log"
    elf = tmp_path / "core.elf"
    counts = []
    for times in (0, 1):
        elf.write_bytes(peers.elf("core", times))
        command = [*peers._spike(str(elf))[:-1], "--log-commits", f"--log={log}", str(elf)]
        subprocess.run(command, check=True, timeout=120)
        with log.open("rb") as lines:
            counts.append(sum(1 for line in lines))
    assert counts[1] - counts[0] == pytest.approx(LENGTHS["core"], abs=0)


@needs_cross
def test_the_checked_in_files_are_what_the_sources_say() -> None:
    """Rebuilt by another gcc the code may differ, its work may not."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for path in FOLDER.iterdir():
            if path.suffix != ".elf":
                shutil.copy(path, copy)
        subprocess.run(["make", "-s", "-C", copy], check=True, capture_output=True)
        for name in PROGRAMS:
            machine = Machine(ram=peers.RAM, bios="none")
            machine.load((copy / f"{name}.elf").read_bytes())
            stop = machine.run(FOREVER)
            assert (stop.reason, stop.code) == ("exit", 0)


def test_everybody_here_ends_well() -> None:
    """Each installed peer runs a program without a complaint; the table has all of its cells."""
    everybody = peers.peers()
    for peer in everybody:
        assert peer.run("core", 1) > 0, peer.name
    ours = [peer for peer in everybody if not peer.starts]
    table = measure(ours, ["core"], steps=1_000_000, rounds=1)
    for peer in ours:
        assert table.cells[peer.name, "core"].median > 0
    assert set(table.facts()["mips"]) == {peer.name for peer in ours}


def test_a_run_that_is_lost_in_its_start_is_no_measurement() -> None:
    """The start takes 0.2 to 0.3 seconds: 0.05 more say nothing, 0.5 more do."""

    def peer(seconds: float) -> Peer:
        starts = iter([0.2, 0.25, 0.3])
        return Peer("them", "", "user", False, lambda _, times: seconds if times else next(starts))

    wrong = "core on them took 300.0 ms, and to start alone takes 200.0 to 300.0 ms"
    with pytest.raises(TooShort, match=wrong):
        measure([peer(0.3)], ["core"], steps=1_000_000, rounds=1)
    with pytest.raises(TooShort):
        measure([peer(0.1)], ["core"], steps=1_000_000, rounds=1)
    table = measure([peer(0.75)], ["core"], steps=1_000_000, rounds=1)
    mips = table.instructions["core"] / 0.5 / 1e6
    assert table.cells["them", "core"].median == pytest.approx(mips)


def test_ratios_are_those_of_the_rounds() -> None:
    """A round that was disturbed for everybody does not spoil the ratio."""

    def at(seconds: list[float]):
        left = iter(seconds)
        return lambda name, times: next(left)

    us = Peer("us", "", "system", False, at([1.0, 4.0, 1.0]), starts=False)
    them = Peer("them", "", "system", False, at([2.0, 8.0, 2.0]), starts=False)
    table: CpuTable = measure([us, them], ["core"], steps=1_000_000, rounds=3)
    assert table.ratio("us", "them", "core") == pytest.approx(2.0)
    assert table.mean_ratio("us", "them") == pytest.approx(2.0)
    assert geometric([1.0, 100.0]) == pytest.approx(10.0)


def test_linux_mode_makes_no_privileged_access() -> None:
    """Started as a program of Linux it only ends with an ecall: here that ends in a trap."""
    machine = Machine(ram=peers.RAM, bios="none")
    machine.load(peers.elf("core", 1, LINUX))
    machine.add_breakpoint(peers._image("core")[2])
    assert machine.run(FOREVER).reason == "breakpoint"
    assert int(machine.x[10]) == 0
    assert int(machine.x[17]) == 93


def test_loads_virtualised_against_bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has every load on every rung, and exits that belong to what the load does."""
    small = {"cpu": 1, "syscalls": 500, "faults": 256, "switches": 250}
    monkeypatch.setattr(
        overhead, "LOADS", {name: (symbol, small[name]) for name, (symbol, _) in LOADS.items()}
    )
    monkeypatch.setattr(overhead, "OPERATIONS", {**small, "switches": 500})
    loads = {load.name: load for load in overhead.measure(rounds=1)}
    assert set(loads) == set(small)
    for load in loads.values():
        assert set(load.facts()["rungs"]) == set(overhead.TECHNIQUES)
        assert load.ratio("u")["median"] > 0
    # Calls go in and out, the last one only in, the start only out; a page fault is reflected.
    assert loads["syscalls"].exits["u"]["ecall"] == 501
    assert loads["syscalls"].exits["u"]["sret"] == 501
    assert loads["faults"].exits["u"]["page_fault"] == 256
    assert loads["switches"].exits["u"]["csr"] >= 500
    assert 90 <= loads["syscalls"].path <= 130


def test_scale_measures_something() -> None:
    assert 0 < scale.boot(rounds=2)["create, load and run hello in a VM, ms"] < 1000
    facts = scale.idle_guests(count=3, seconds=0.5, wakes=100)
    # A hundred a second, and nothing is lost: guest time keeps up with the host's.
    assert 40 <= facts["ticks of each in the time"] <= 60
