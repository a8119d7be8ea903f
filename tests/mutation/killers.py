"""What mutants are judged by: short slices of the tests, fast enough for plain Python.

Each raises on a difference.  The quick ones come first.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from guestos import build, manifest
from tests.hart import test_csr_exhaustive as csrs
from tests.hypervisor import test_random_kernels as kernels
from tests.hypervisor.twin import Twin
from tests.support import sv32_cases
from tests.support.asm import CSR_OPS
from tests.support.compare import lockstep
from tests.support.kernels import machine_kernel, supervisor_kernel
from tests.support.machine_adapter import MachineAdapter

Killer = Callable[[], Any]


def csr_steps(count: int, seed: int) -> None:
    """Single CSR instructions against the model (T5): existing numbers mostly."""
    rng = random.Random(seed)
    pair = csrs.Pair()
    existing = sorted(csrs.EXISTING)
    for _ in range(count):
        mode = rng.choice(list(csrs.MODES.values()))
        number = rng.choice(existing) if rng.random() < 0.8 else rng.randrange(4096)
        name = rng.choice(list(CSR_OPS))
        source = rng.choice(csrs.SOURCES)
        rd = rng.choice((0, csrs.RD))
        word = csrs.instruction(name, rd, number, source)
        pattern = rng.getrandbits(32)
        pair.code([word])
        csrs.try_one(pair, mode, number, word, csrs.CODE, pattern)


def sv32_steps(count: int, seed: int) -> None:
    """Sv32 accesses against the model (T4), step by step."""
    cases = sv32_cases.all_cases()
    chosen = random.Random(seed).sample(cases, count)
    dut = MachineAdapter(sv32_cases.image(chosen))
    lockstep(dut, dut.model(), sv32_cases.STEPS_PER_CASE * count, full_every=16)


def probe(name: str) -> None:
    """A self-checking guest bare, virtualised and on the model."""
    row = manifest()[name]
    twin = Twin(build(name), bios=row.bios, ram_size=1 << 20, drives=row.drives)
    stop = twin.to_the_end((1,) * 30 + (7, 61, 499), 30_000)
    assert (stop.reason, stop.code) == ("exit", 0), stop


def random_kernel(seed: int, steps: int, **options: Any) -> None:
    """A random kernel bare, virtualised and on the model (T1, T2)."""
    make = supervisor_kernel if options.get("bios") == "sbi" else machine_kernel
    kernels.run(make(seed), seed, steps, **options)


def hostile(name: str) -> None:
    """A hostile guest bare, virtualised and on the model; equal all along."""
    row = manifest()[name]
    twin = Twin(build(name), bios=row.bios, ram_size=row.ram, drives=row.drives)
    twin.to_the_end((1,) * 20 + (7, 61, 499), 2_000)


#: Hostile guests of few steps that go where random kernels seldom go.
HOSTILE = [
    f"hostile-{name}"
    for name in (
        *("high-page", "high-table", "satp-nowhere", "table-loop", "table-self", "level0-pointer"),
        *("mega-misaligned", "write-only", "table-device", "table-protected", "cross-unmapped"),
        *("cross-device", "sc-elsewhere", "amo-device", "fetch-device", "jump-odd", "code-twice"),
        *("entry-unfenced", "global-abuse", "mprv-storm"),
        *("dirty-readonly", "user-kernel", "cause-readback", "return-nowhere", "fence-storm"),
        *("root-storm", "privileged-user", "wfi-user", "status-garbage"),
    )
]
PROBES = [
    f"probe-{name}"
    for name in (
        *("traps", "deleg", "privilege", "csr", "sv32", "modes", "pmp", "interrupts", "mprv"),
        *("vectored", "warl", "wfi", "counters", "sfence", "atomic", "misaligned", "selfmod"),
        *("clint", "plic"),
    )
]


def killers(name: str) -> list[tuple[str, Killer]]:
    """(what, check) for a set of kernels, quick and telling ones first."""
    probes: list[tuple[str, Killer]] = [(p, lambda p=p: probe(p)) for p in PROBES]
    probes += [(p, lambda p=p: hostile(p)) for p in HOSTILE]
    random_kernels: list[tuple[str, Killer]] = [
        (f"machine kernel {seed}", lambda seed=seed: random_kernel(seed, 1500))
        for seed in range(1000, 1006)
    ] + [
        (f"supervisor kernel {seed}", lambda seed=seed: random_kernel(seed, 1500, bios="sbi"))
        for seed in range(1000, 1003)
    ]
    if name == "shared":
        steps: list[tuple[str, Killer]] = [
            ("CSR steps", lambda: csr_steps(1200, 1)),
            ("Sv32 steps", lambda: sv32_steps(40, 1)),
        ]
        more: list[tuple[str, Killer]] = [
            ("more CSR steps", lambda: csr_steps(5000, 2)),
            ("more Sv32 steps", lambda: sv32_steps(200, 2)),
            ("without PMP", lambda: random_kernel(2000, 1500, pmp=0)),
        ]
        return [*steps, *probes, *random_kernels, *more]
    return [*probes, *random_kernels]
