"""A bounded slice of everything, and a hash of each end: the same in every mode of the compiler.

    python -m tests.house.slice

Prints how kernels run, then one line a program: name, SHA-256 over registers, record, console
and RAM.  Run under NUMBA_DISABLE_JIT=1 or NUMBA_BOUNDSCHECK=1 it must print the same lines after
the first one.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from typing import Any

from guestos import build, manifest
from tests.hypervisor.twin import VISIBLE, check_whole, ram
from tests.support.fast import Runner, sizes
from tests.support.kernels import machine_kernel, supervisor_kernel
from tests.support.programs import chaos_program, user_program
from tests.support.short import KINDS, short_program
from toyvm import jit
from toyvm.hypervisor import Vm
from toyvm.machine import Computer, Machine
from toyvm.storage import MemoryDisk

STEPS = 3_000
SHORT = 48
#: Of the hostile guests every eighth, for a while.
HOSTILE = [name for name, guest in manifest().items() if guest.kind == "hostile"][::8]
HOSTILE_STEPS = 1_000
PROBES = [name for name, guest in manifest().items() if guest.kind == "probe"]


def programs() -> Iterator[tuple[str, Any, dict[str, Any], int]]:
    """(name, image, options, steps)."""
    for name in (*PROBES, "hello", "teachos", "appliance"):
        guest = manifest()[name]
        drives = [MemoryDisk(64 << 10) for _ in range(guest.drives)]
        options = {"ram": guest.ram, "bios": guest.bios, "drives": drives}
        yield name, build(name), options, STEPS
    for name in HOSTILE:
        guest = manifest()[name]
        drives = [MemoryDisk(64 << 10) for _ in range(guest.drives)]
        options = {"ram": guest.ram, "bios": guest.bios, "drives": drives}
        yield name, build(name), options, HOSTILE_STEPS
    for seed in range(4):
        program = machine_kernel(9_000 + seed)
        yield program.name, program.image, {"ram": program.ram_size, "bios": "none"}, STEPS
        program = supervisor_kernel(9_000 + seed)
        yield program.name, program.image, {"ram": program.ram_size, "bios": "sbi"}, STEPS
        program = chaos_program(9_000 + seed)
        yield program.name, program.image, {"ram": program.ram_size, "bios": "none"}, STEPS
        program = user_program(9_000 + seed)
        yield program.name, program.image, {"ram": program.ram_size, "bios": "none"}, STEPS


def digest(computer: Computer) -> str:
    """SHA-256 of all that a guest and its user can see."""
    sha = hashlib.sha256()
    sha.update(computer.record[VISIBLE].tobytes())
    sha.update(computer.x[:32].tobytes())
    sha.update(computer.console_output)
    sha.update(repr((computer.stopped, computer.waiting)).encode())
    sha.update(ram(computer))
    return sha.hexdigest()


def lines() -> Iterator[str]:
    """One line a program; bare and virtualised are compared on the way."""
    for name, image, options, steps in programs():
        bare = Machine(**options)
        again = {**options, "drives": [MemoryDisk(64 << 10) for _ in options.get("drives", ())]}
        vm = Vm(**again)
        for computer in (bare, vm):
            computer.load(image)
            for size in (1, 2, 500, steps - 503):
                computer.run(size)
        check_whole(bare, vm)
        assert bare.errors == vm.errors == 0, bare.report + vm.report
        exits = ",".join(str(count) for count in vm.ledger.values())
        yield f"{name}: {digest(bare)} {exits}"
    yield from short_lines()


def short_lines() -> Iterator[str]:
    """Short random programs, compared with the model after every step and in a VM on the way."""
    alone = {kind: Runner(kind) for kind in KINDS}
    both = {kind: Runner(kind, with_vm=True) for kind in KINDS}
    for seed in range(20_000_000, 20_000_000 + SHORT):
        program = short_program(seed)
        alone[program.kind].step_by_step(program)
        both[program.kind].in_runs(program, sizes(seed))
        machines = (alone[program.kind].bare, *both[program.kind].computers)
        ends = [digest(machine) for machine in machines]
        yield f"{program.name}: {ends[0]} {ends[1]} {ends[2]}"


if __name__ == "__main__":
    print(f"compiled {jit.COMPILED} bounds {jit.BOUNDSCHECK}")
    for line in lines():
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
