"""What mutants are judged by: the project's own tests in small pieces, for plain Python.

Each raises on a difference.  Three kinds:

* short random programs (tests/support/short.py), each by itself: after every instruction against
  the model, or in runs of random length bare, in a VM and on the model, the VM in each variant;
* probes, hostile guests and random kernels, bare, virtualised and on the model; single CSR
  instructions and Sv32 accesses against the model;
* the directed tests of the files in `DIRECTED`, each with each of its parameters.
"""

from __future__ import annotations

import hashlib
import importlib
import itertools
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from guestos import build, manifest
from tests.hart import test_csr_every as every
from tests.hart import test_csr_exhaustive as csrs
from tests.hypervisor import test_random_kernels as kernels
from tests.hypervisor import test_shadow as shadows
from tests.hypervisor import twin
from tests.support import fast, short, sv32_cases
from tests.support.asm import CSR_OPS
from tests.support.compare import lockstep
from tests.support.kernels import machine_kernel, supervisor_kernel
from tests.support.machine_adapter import MachineAdapter
from toyvm import jit

TESTS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Killer:
    """One check and the files that it is made of: what is known of it holds while they do."""

    name: str
    check: Callable[[], Any]
    files: str = "support/*.py"

    @property
    def kind(self) -> str:
        """Which checks are of a kind: the first word, or the file of a directed test."""
        return self.files if "." in self.name.split()[0] else self.name.split()[0].split("-")[0]

    @property
    def stamp(self) -> str:
        return _stamp(self.files)


@cache
def _stamp(files: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(TESTS.glob(files)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def quicken() -> None:
    """Loads and stores of words are half of all work; without the compiler there is a faster way.

    They do the same, and are in no set of mutants.
    """

    def load32(ram: Any, offset: Any) -> Any:
        return np.int64(unpack("<I", ram, offset)[0])  # type: ignore[name-defined]  # noqa: F821

    def store32(ram: Any, offset: Any, value: Any) -> None:
        pack("<I", ram, offset, value & 0xFFFF_FFFF)  # type: ignore[name-defined]  # noqa: F821

    vars(jit).update(unpack=struct.unpack_from, pack=struct.pack_into)
    jit.load32.__code__ = load32.__code__
    jit.store32.__code__ = store32.__code__


# ---- pieces ------------------------------------------------------------------------------------


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
    one = twin.Twin(build(name), bios=row.bios, ram_size=1 << 20, drives=row.drives)
    stop = one.to_the_end((1,) * 30 + (7, 61, 499), 30_000)
    assert (stop.reason, stop.code) == ("exit", 0), stop


def random_kernel(seed: int, steps: int, **options: Any) -> None:
    """A random kernel bare, virtualised and on the model (T1, T2)."""
    make = supervisor_kernel if options.get("bios") == "sbi" else machine_kernel
    kernels.run(make(seed), seed, steps, **options)


def hostile(name: str) -> None:
    """A hostile guest bare, virtualised and on the model; equal all along."""
    row = manifest()[name]
    one = twin.Twin(build(name), bios=row.bios, ram_size=row.ram, drives=row.drives)
    one.to_the_end((1,) * 20 + (7, 61, 499), 2_000)


def in_variant(check: Callable[[], Any], variant: tuple[str, str]) -> None:
    """A check whose VMs use a technique and a way to keep the shadow true."""
    before = list(twin.VARIANT)
    twin.VARIANT[:] = variant
    try:
        check()
    finally:
        twin.VARIANT[:] = before


def patching(check: Callable[..., Any]) -> None:
    """A check that replaces things, and puts them back."""
    with pytest.MonkeyPatch.context() as patch:
        check(monkeypatch=patch)


@cache
def program(seed: int) -> short.Short:
    return short.short_program(seed)


@cache
def runner(kind: str, technique: str = "", shadow_mode: str = "") -> fast.Runner:
    if not technique:
        return fast.Runner(kind)
    return fast.Runner(kind, with_vm=True, technique=technique, shadow_mode=shadow_mode)


def step_by_step(seed: int) -> None:
    """A short program against the model, after each instruction."""
    one = runner(program(seed).kind)
    one.tally.programs = 15  # so that its end is looked at as well
    one.step_by_step(program(seed))


def in_runs(seed: int, variant: tuple[str, str]) -> None:
    """A short program bare, virtualised and on the model; then its shadow tables are checked."""
    one = runner(program(seed).kind, *variant)
    one.tally.programs = 15
    one.in_runs(program(seed), fast.sizes(seed))
    (vm,) = one.computers[1:]
    shadows.check_shadow(vm)  # type: ignore[arg-type]
    shadows.check_entries(vm)  # type: ignore[arg-type]


# ---- all of them -------------------------------------------------------------------------------

#: Hostile guests of few steps that go where random kernels seldom go.
HOSTILE = [
    f"hostile-{name}"
    for name in (
        *("high-page", "high-table", "satp-nowhere", "table-loop", "table-self", "level0-pointer"),
        *("mega-misaligned", "write-only", "table-device", "table-protected", "cross-unmapped"),
        *("cross-device", "sc-elsewhere", "amo-device", "fetch-device", "jump-odd", "code-twice"),
        *("entry-unfenced", "mprv-storm"),
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
#: Files of directed tests: they say what they expect, or compare with the model.
DIRECTED: dict[str, tuple[str, ...]] = {
    "shared": (
        *("hart.test_options", "hart.test_several_harts", "hart.test_csr_corners"),
        *("hypervisor.test_memory", "hypervisor.test_regressions", "hypervisor.test_privilege"),
        *("hypervisor.test_code_pages", "hypervisor.test_contexts", "hypervisor.test_withdrawal"),
    ),
    "hypervisor": (
        *("hypervisor.test_kernels_tables", "hypervisor.test_kernels_fences"),
        *("hypervisor.test_kernels_roots", "hypervisor.test_kernels_fill"),
        *("hypervisor.test_kernels_mmio", "hypervisor.test_kernels_vcpu"),
        "hypervisor.test_kernels_run",
        *("hypervisor.test_memory", "hypervisor.test_regressions", "hypervisor.test_privilege"),
        *("hypervisor.test_paravirtual", "hypervisor.test_code_pages", "hypervisor.test_frames"),
        *("hypervisor.test_shadow", "hypervisor.test_ledger", "hypervisor.test_vcpus"),
        *("hypervisor.test_withdrawal", "hypervisor.test_contexts"),
    ),
}
DIRECTED["memory"] = DIRECTED["shared"]
DIRECTED["constants"] = tuple(dict.fromkeys(DIRECTED["shared"] + DIRECTED["hypervisor"]))
#: Tests that cost more than all others of their file, and find nothing that those do not.
LEFT_OUT = {
    "test_odd_accesses_to_devices_do_not_panic",
    "test_every_csr_number_in_every_mode",
    "test_any_time_against_any_deadline",
    "test_in_chunks",
    "test_teachos_does_the_same_with_fewer_exits",
}
#: Kinds of checks that are whole guests.
LONG = {"probe", "hostile", "random", "without", "lines"}
SHORT = 600
SHORT_IN_RUNS = {"shared": 300, "hypervisor": 600, "memory": 300, "constants": 300}


def directed(name: str, every_variant: bool) -> Iterator[Killer]:
    """The tests of a file, each with each of its parameters."""
    module = importlib.import_module(f"tests.{name}")
    file = name.replace(".", "/") + ".py"
    marks = getattr(module, "pytestmark", [])
    whole = "variant" in str(marks)
    for test, function in vars(module).items():
        if not test.startswith("test_") or function.__module__ != module.__name__:
            continue
        if test in LEFT_OUT:
            continue
        wanted = function.__code__.co_varnames[: function.__code__.co_argcount]
        for given in _parameters(function):
            if set(wanted) - set(given) - {"variant", "monkeypatch"}:
                continue
            text = ", ".join(str(value) for value in given.values())
            for variant in twin.VARIANTS if whole or "variant" in wanted else [("u", "lazy")]:
                if variant != ("u", "lazy") and not every_variant:
                    continue
                all_given = given | ({"variant": variant} if "variant" in wanted else {})
                call = partial(function, **all_given)
                if "monkeypatch" in wanted:
                    call = partial(patching, call)
                check = partial(in_variant, call, variant)
                yield Killer(f"{name}.{test}[{text}] {'-'.join(variant)}", check, file)


def _parameters(function: Any) -> Iterator[dict[str, Any]]:
    choices = []
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "parametrize":
            names, rows = mark.args[:2]
            if isinstance(names, str):
                names = [name.strip() for name in names.split(",")]
            rows = [getattr(row, "values", row) for row in rows]
            rows = [row if len(names) > 1 or hasattr(row, "_fields") else (row,) for row in rows]
            choices.append([dict(zip(names, row, strict=True)) for row in rows])
    for combination in itertools.product(*choices):
        merged: dict[str, Any] = {}
        for part in combination:
            merged |= part
        yield merged


def killers(name: str) -> list[Killer]:
    """All that judge a set of kernels."""
    found = [Killer(p, partial(probe, p)) for p in PROBES]
    found += [Killer(p, partial(hostile, p)) for p in HOSTILE]
    if name != "hypervisor":
        found += [Killer(f"short {n}", partial(step_by_step, n)) for n in range(SHORT)]
        found += csr_numbers()
        found += [Killer(f"CSR steps {n}", partial(csr_steps, 300, n)) for n in range(1, 13)]
        found += [Killer(f"Sv32 steps {n}", partial(sv32_steps, 40, n)) for n in range(1, 7)]
        found += [
            Killer(f"without PMP {n}", partial(random_kernel, n, 700, pmp=0))
            for n in range(2000, 2003)
        ]
    lines = kernels.test_external_interrupts_at_random_steps
    found += [Killer(f"lines {n}", partial(lines, n)) for n in range(3000, 3006)]
    for n in range(SHORT_IN_RUNS[name]):
        what = f"short runs {n} {'-'.join(variant_of(n))}"
        found.append(Killer(what, partial(in_runs, n, variant_of(n))))
    if name != "shared":
        found += random_kernels()
    for file in DIRECTED[name]:
        found += directed(file, every_variant=name in ("hypervisor", "constants"))
    return found


def csr_numbers() -> Iterator[Killer]:
    """All CSR numbers in parts; those that exist with Sstc as well."""
    file = "hart/test_csr_every.py"
    for mode, form, first in itertools.product(every.MODES, ("csrrw", "csrrs"), range(16)):
        what = f"{form} {256 * first:#x} {mode}"
        numbers = list(range(256 * first, 256 * first + 256))
        yield Killer(what, partial(every.play, "plain", form, mode, numbers), file)
        numbers = sorted(n for n in csrs.EXISTING if n >> 8 == first)
        if numbers:
            yield Killer(f"{what} sstc", partial(every.play, "sstc", form, mode, numbers), file)


def random_kernels() -> Iterator[Killer]:
    """Long random kernels in every variant."""
    for variant in twin.VARIANTS:
        for n, bios in itertools.product(range(1000, 1003), ("none", "sbi")):
            check = partial(random_kernel, n, 1500, bios=bios)
            what = f"random kernel {n} {bios} {'-'.join(variant)}"
            yield Killer(what, partial(in_variant, check, variant))


def variant_of(seed: int) -> tuple[str, str]:
    """Every kind of short program meets every variant."""
    return twin.VARIANTS[seed // 4 % 4]


def prepare(name: str) -> None:
    """Make what checks share, before processes are forked that would each make it."""
    for guest in (*PROBES, *HOSTILE):
        build(guest)
    if name != "hypervisor":
        for n in range(SHORT):
            runner(program(n).kind)
    for n in range(SHORT_IN_RUNS[name]):
        runner(program(n).kind, *variant_of(n))
