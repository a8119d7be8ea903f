"""What teachos's processes may do to it and to each other: nothing but ask."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import cache

import pytest

from assembler import Image, ObjectFile, Source, assemble, assemble_object
from guestos import build, include_dirs, manifest, sources
from toyvm.hypervisor.vm import Vm
from toyvm.machine import Machine

# A program in the place of `count`: what the case says, then a line that proves it went on.
PROGRAM = """
    .include "teachos/user/user.inc"
    .section .rodata
    .globl count_start
    .globl count_end
    .align 2
count_start:
    line_begin
{body}
    text survived
    call put_line
    exit zero
    .include "teachos/user/ulib.inc"
survived:
    .asciz "user: survived"
    .align 2
count_end:
"""
KERNEL = 0x8040_0000
FETCH_FAULT = 12
USER_CODE = 0x0001_0000
USER_STACK = 0x0007_F000
STACK_TOP = 0x0008_0000


@cache
def others() -> list[ObjectFile | None]:
    """The system's other files, assembled once; None where the program's place is."""
    return [
        None if p.name == "count.s" else assemble_object(p, include_dirs=include_dirs())
        for p in sources("teachos")
    ]


def image_with(body: str) -> Image:
    program = Source("user.s", PROGRAM.replace("{body}", body))
    parts: list[ObjectFile | Source] = [part or program for part in others()]
    return assemble(parts, include_dirs=include_dirs(), text_base=KERNEL)


def run(body: str, kind: type = Machine) -> tuple[str, int]:
    machine = kind(ram=16 << 20, bios="sbi")
    machine.load(image_with(body))
    stop = machine.run(20_000_000)
    assert stop.reason == "exit", (stop, machine.console_output.decode())
    return machine.console_output.decode(), stop.code


# (what it does, cause, value or None if the machine may choose)
FORBIDDEN = {
    "reads the kernel": (f"    li t0, {KERNEL:#x}\n    lw t1, 0(t0)", 13, KERNEL),
    "writes the kernel": (f"    li t0, {KERNEL:#x}\n    sw t1, 0(t0)", 15, KERNEL),
    "jumps into the kernel": (f"    li t0, {KERNEL:#x}\n    jr t0", 12, KERNEL),
    "reads a device": ("    li t0, 0x10001000\n    lw t1, 0(t0)", 13, 0x1000_1000),
    "writes the interrupt controller": ("    li t0, 0x0c000000\n    sw t1, 0(t0)", 15, 0x0C00_0000),
    "reads address 0": ("    lw t1, 0(zero)", 13, 0),
    "reads behind its stack": (f"    li t0, {STACK_TOP:#x}\n    lw t1, 0(t0)", 13, STACK_TOP),
    "runs its stack over": (
        f"    li t0, {USER_STACK:#x}\n    sw t1, -4(t0)", 15, USER_STACK - 4,
    ),
    "writes its own code": (f"    li t0, {USER_CODE:#x}\n    sw t1, 0(t0)", 15, USER_CODE),
    "executes its stack": (
        f"    li t0, 0x73\n    li t1, {USER_STACK:#x}\n    sw t0, 0(t1)\n    fence.i\n    jr t1",
        12, USER_STACK,
    ),
    "reads a CSR of the kernel": ("    csrr t0, sstatus", 2, None),
    "switches its address space": ("    csrw satp, zero", 2, None),
    "returns from a trap": ("    sret", 2, None),
    "flushes the TLB": ("    sfence.vma", 2, None),
    "waits for an interrupt": ("    wfi", 2, None),
    "executes no instruction": ("    .word 0", 2, 0),
    "stops at a breakpoint": ("    ebreak", 3, None),
}  # fmt: skip


@pytest.mark.parametrize("kind", [Machine, Vm])
@pytest.mark.parametrize("case", list(FORBIDDEN))
def test_a_program_that_breaks_out_is_stopped_and_the_other_goes_on(case: str, kind: type) -> None:
    body, cause, value = FORBIDDEN[case]
    text, code = run(body, kind)
    found = re.search(r"^teachos: process 2: trap, cause (\d+) at (\w+), value (\w+)$", text, re.M)
    assert found, text
    assert int(found[1]) == cause
    if value is not None:
        assert int(found[3], 16) == value
    where = int(found[2], 16)
    assert where == value if cause == FETCH_FAULT else USER_CODE <= where < USER_CODE + 0x1000
    assert "teachos: process 2, count, is stopped\n" in text
    assert "user: survived" not in text
    assert "teachos: process 1, ping, ends with code 0\n" in text
    assert " 45 pages free\n" in text
    assert code == 1, "a process that had to be stopped is a failure"


def call(number: str, *arguments: str) -> str:
    loads = "\n".join(f"    li a{i}, {value}" for i, value in enumerate(arguments))
    return f"{loads}\n    li a7, {number}\n    ecall\n"


# (call, the result as SYS_ names it)
REFUSED = {
    "no such call": (call("99"), "ERR_BAD_CALL"),
    "a negative call": (call("-1"), "ERR_BAD_CALL"),
    "another file": (call("SYS_WRITE", "2", hex(USER_CODE), "4"), "ERR_BAD_CALL"),
    "the kernel's memory": (call("SYS_WRITE", "1", hex(KERNEL), "4"), "ERR_FAULT"),
    "a device": (call("SYS_WRITE", "1", "0x10001000", "4"), "ERR_FAULT"),
    "no memory": (call("SYS_WRITE", "1", "0", "4"), "ERR_FAULT"),
    "the end of memory": (call("SYS_WRITE", "1", "-4", "8"), "ERR_FAULT"),
    "everything": (call("SYS_WRITE", "1", hex(USER_CODE), "-1"), "ERR_FAULT"),
    "no card": (call("SYS_PING", "1", "1", "1000"), "ERR_NO_DEVICE"),
    "nothing": (call("SYS_WRITE", "1", "0", "0"), "0"),
    "getpid": (call("SYS_GETPID"), "2"),
    "yield": (call("SYS_YIELD"), "0"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_system_calls_answer_as_documented(case: str) -> None:
    body, want = REFUSED[case]
    text, code = run(f"{body}    li t0, {want}\n    beq a0, t0, 1f\n    ebreak\n1:")
    assert text.count("user: survived\n") == 1, text
    assert code == 0


def test_a_program_that_never_calls_is_preempted() -> None:
    # Two million steps are 20 ms of guest time; the other process needs its turns meanwhile.
    text, code = run("    li t0, 1000000\n1:  addi t0, t0, -1\n    bnez t0, 1b")
    assert code == 0
    found = re.search(r"(\d+) timer interrupts", text)
    assert found
    assert int(found[1]) >= 15, "20 ms are 20 time slices"


def test_an_exit_code_other_than_0_is_a_failure() -> None:
    text, code = run("    li t0, 7\n    exit t0")
    assert "teachos: process 2, count, ends with code 7\n" in text
    assert code == 1


def test_registers_survive_preemption() -> None:
    # Every register but zero, sp, s10 and s11 gets its own value, then two time slices pass.
    names = ["ra", "gp", "tp", *(f"t{i}" for i in range(7)), *(f"s{i}" for i in range(10))]
    names += [f"a{i}" for i in range(8)]
    values = {name: 0x1000 + i * 77 for i, name in enumerate(names) if name != "t0"}
    fill = "\n".join(f"    li {name}, {value}" for name, value in values.items())
    tests = "\n".join(f"    li t0, {v}\n    bne {name}, t0, 9f" for name, v in values.items())
    wait = "    li t0, 200000\n1:  addi t0, t0, -1\n    bnez t0, 1b"
    text, code = run(f"{fill}\n{wait}\n{tests}\n    j 8f\n9:  ebreak\n8:")
    assert text.count("user: survived\n") == 1, text
    assert code == 0
    found = re.search(r"(\d+) timer interrupts", text)
    assert found
    assert int(found[1]) >= 3


# -- the page tables, walked from outside -------------------------------------------------------

V, R, W, X, U, G = (1 << bit for bit in range(6))


def leaves(machine: Machine, root: int) -> Iterator[tuple[int, int, int]]:
    """(virtual address, size, entry) of every mapping."""

    def table(pa: int) -> tuple[int, ...]:
        data = machine.read_phys(pa, 4096)
        assert data is not None
        return struct.unpack("<1024I", data)

    for i, entry in enumerate(table(root)):
        if not entry & V:
            continue
        if entry & (R | W | X):
            yield i << 22, 1 << 22, entry
            continue
        for j, leaf in enumerate(table((entry >> 10) << 12)):
            if leaf & V:
                yield i << 22 | j << 12, 1 << 12, leaf


@pytest.mark.parametrize("kind", [Machine, Vm])
def test_page_tables(kind: type) -> None:
    """While a process runs: no page writable and executable, no kernel page open to it."""
    machine = kind(ram=manifest()["teachos"].ram, bios="sbi")
    machine.load(build("teachos"))
    walked: dict[int, int] = {}
    user_pages: dict[int, set[int]] = {}
    # One process sleeps nearly always: steps this short see its bursts, which are of hundreds.
    for _ in range(4000):
        machine.run(97)
        if machine.mode != "U":
            continue
        satp = machine.csr("satp")
        assert satp >> 31 == 1
        root = (satp & 0x3F_FFFF) << 12
        walked[root] = walked.get(root, -1) + 1
        if walked[root] % 10:
            continue
        for va, size, entry in leaves(machine, root):
            assert entry & (W | X) != W | X, f"{va:#x} is writable and executable"
            pa = (entry >> 10) << 12
            if va < 1 << 22:
                assert entry & U
                assert not entry & G
                user_pages.setdefault(root, set()).add(pa)
            else:
                assert not entry & U, f"{va:#x} is the kernel's"
                assert pa == va, "the kernel is mapped at its own addresses"
                assert size == 1 << 12 or va >> 24 == 0x0C
    assert len(walked) == 2
    first, second = user_pages.values()
    assert first
    assert second
    assert not first & second, "two processes share no page"
