"""The two firmwares say the same: guestos/sbi and the one built into the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assembler import Image, Source, assemble
from guestos import build, include_dirs
from toyvm.hypervisor.vm import Vm
from toyvm.machine import Machine

from .qemu import Board, needs_qemu, run

OK = "0x00000000"
NOT_SUPPORTED = "0xfffffffe"
INVALID = "0xfffffffd"
BAD_ADDRESS = "0xfffffffb"
ALREADY = "0xfffffffa"
NO = "0x00000000"
YES = "0x00000001"
# Numbers: SBI specification 1.0, chapters 3 (errors), 4 (BASE), 5 (legacy: a0 only, so a1 keeps
# the 2 that the probe put there), 6 (TIME), 7 (IPI), 8 (RFENCE), 9 (HSM), 10 (SRST); 2.0,
# chapter 12 (DBCN).
ANSWERS = f"""\
spec version: {OK} 0x01000000
implementation: {OK} 0x00746f79
implementation version: {OK} 0x00000001
probe BASE: {OK} {YES}
probe TIME: {OK} {YES}
probe SRST: {OK} {YES}
probe DBCN: {OK} {YES}
probe IPI: {OK} {YES}
probe RFENCE: {OK} {YES}
probe HSM: {OK} {YES}
probe legacy send_ipi: {OK} {YES}
probe legacy putchar: {OK} {YES}
probe unknown: {OK} {NO}
BASE function 99: {NOT_SUPPORTED} {OK}
TIME function 99: {NOT_SUPPORTED} {OK}
SRST function 99: {NOT_SUPPORTED} {OK}
DBCN function 99: {NOT_SUPPORTED} {OK}
unknown extension: {NOT_SUPPORTED} {OK}
legacy getchar without input: 0xffffffff 0x00000002
written by DBCN
DBCN write: {OK} 0x00000010
DBCN write of nothing: {OK} {OK}
DBCN write from no memory: {INVALID} {OK}
DBCN write from above 4 GiB: {INVALID} {OK}
DBCN write beyond the end: {INVALID} {OK}

DBCN write byte: {OK} {OK}
DBCN read without input: {OK} {OK}
SRST reserved type: {INVALID} {OK}
SRST reserved reason: {INVALID} {OK}
IPI function 99: {NOT_SUPPORTED} {OK}
RFENCE function 99: {NOT_SUPPORTED} {OK}
HSM function 99: {NOT_SUPPORTED} {OK}
legacy clear_ipi: {OK} 0x00000002
IPI to hart 0: {OK} {OK}
legacy clear_ipi after it: 0x00000001 0x00000002
IPI to all harts: {OK} {OK}
IPI to nobody: {OK} {OK}
IPI to a hart too many: {INVALID} {OK}
IPI from hart 8 on: {INVALID} {OK}
RFENCE fence.i: {OK} {OK}
RFENCE sfence.vma: {OK} {OK}
RFENCE sfence.vma of an ASID: {OK} {OK}
RFENCE of a hart too many: {INVALID} {OK}
RFENCE of guests: {NOT_SUPPORTED} {OK}
HSM status: {OK} {OK}
HSM status of no hart: {INVALID} {OK}
HSM start of hart 0: {ALREADY} {OK}
HSM start of no hart: {INVALID} {OK}
HSM start at no memory: {BAD_ADDRESS} {OK}
HSM start at half a word: {BAD_ADDRESS} {OK}
HSM suspend, reserved: {INVALID} {OK}
HSM suspend, a platform's: {NOT_SUPPORTED} {OK}
HSM suspend to no memory: {BAD_ADDRESS} {OK}
HSM suspend, reserved and non-retentive: {INVALID} {OK}
HSM suspend, a platform's non-retentive: {NOT_SUPPORTED} {OK}
legacy send_ipi to all: {OK} 0x00000002
legacy send_ipi with no mask: {BAD_ADDRESS} 0x00000002
legacy send_ipi to a hart too many: {INVALID} 0x00000002
legacy remote_fence_i: {OK} 0x00000002
legacy remote_sfence_vma: {OK} 0x00000002
legacy remote_sfence_vma_asid: {OK} 0x00000002
probe sbi: ok
"""


@pytest.mark.parametrize("kind", [Machine, Vm])
@pytest.mark.parametrize("firmware", ["built in", "guestos/sbi"])
def test_the_probe_on_ours(kind: type, firmware: str, elf: Callable[[str], Path]) -> None:
    machine = kind(ram=16 << 20, bios="sbi" if firmware == "built in" else elf("sbi"))
    machine.load(build("probe-sbi"))
    stop = machine.run(10_000_000)
    assert machine.console_output.decode() == ANSWERS
    assert (stop.reason, stop.code) == ("exit", 0)


@needs_qemu
def test_the_probe_on_qemu(elf: Callable[[str], Path]) -> None:
    assert run(Board(elf("probe-sbi"), bios=elf("sbi"))) == (ANSWERS, 0)


KERNEL = """
    .include "sbi.inc"
    .include "csr.inc"
    .globl _start
_start:
    la   t0, trap
    csrw stvec, t0
{body}
    li   a0, SBI_SRST_SHUTDOWN
    li   a1, SBI_SRST_NO_REASON
    li   a7, SBI_EXT_SRST
    li   a6, SBI_SRST_RESET
    ecall
trap:
    csrr t0, scause
    li   a0, 'u'
    li   t1, CAUSE_LOAD_ACCESS_FAULT
    bne  t0, t1, 1f
    li   a0, 'f'
1:  li   a7, SBI_LEGACY_PUTCHAR
    ecall
    csrr t0, sepc
    addi t0, t0, 4
    csrw sepc, t0
    sret
    .section .bss
    .align 2
buffer:
    .space 16
"""
CASES = {
    # The firmware's own memory is closed to the kernel.
    "closed": ("    li t0, 0x80000000\n    lw t1, 0(t0)\n", b"", "f", 0),
    "failure": (
        "    li a0, SBI_SRST_SHUTDOWN\n    li a1, SBI_SRST_SYSTEM_FAILURE\n"
        "    li a7, SBI_EXT_SRST\n    li a6, SBI_SRST_RESET\n    ecall\n",
        b"",
        "",
        1,
    ),
    "legacy shutdown": ("    li a7, SBI_LEGACY_SHUTDOWN\n    ecall\n", b"", "", 0),
    "echo": (
        "1:  li a0, 2\n    la a1, buffer\n    li a2, 0\n    li a7, SBI_EXT_DBCN\n"
        "    li a6, SBI_DBCN_READ\n    ecall\n    mv a0, a1\n    beqz a0, 1b\n"
        "    la a1, buffer\n    li a6, SBI_DBCN_WRITE\n    ecall\n"
        "    li a7, SBI_LEGACY_GETCHAR\n    ecall\n    li a7, SBI_LEGACY_PUTCHAR\n    ecall\n",
        b"xyz",
        "xyz",
        0,
    ),
}  # fmt: skip


def kernel(body: str) -> Image:
    """A small kernel with this body."""
    return assemble(
        Source("kernel.s", KERNEL.replace("{body}", body)),
        include_dirs=include_dirs(),
        text_base=0x8040_0000,
    )


@pytest.mark.parametrize("kind", [Machine, Vm])
@pytest.mark.parametrize("reboot", ["SBI_SRST_COLD_REBOOT", "SBI_SRST_WARM_REBOOT"])
def test_a_reboot_reaches_the_finisher(reboot: str, kind: type, elf: Callable[[str], Path]) -> None:
    body = f"    li a0, {reboot}\n    li a1, 0\n    li a7, SBI_EXT_SRST\n    li a6, 0\n    ecall\n"
    machine = kind(ram=16 << 20, bios=elf("sbi"))
    machine.load(kernel(body))
    stop = machine.run(1_000_000)
    assert (stop.reason, stop.code, stop.detail) == ("exit", 0, "reset")


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("kind", [Machine, Vm])
def test_small_kernels_on_the_firmware(case: str, kind: type, elf: Callable[[str], Path]) -> None:
    body, feed, text, code = CASES[case]
    machine = kind(ram=16 << 20, bios=elf("sbi"))
    machine.load(kernel(body))
    machine.run(2_000)  # what is typed before the firmware has prepared its UART is lost
    machine.feed(feed)
    stop = machine.run(1_000_000)
    assert (stop.reason, stop.code) == ("exit", code)
    assert machine.console_output.decode() == text
