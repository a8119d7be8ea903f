"""Compile the proofs' kernels before they are wanted: `python -m toyvm.proofs.warm`.

They contain the whole machine once more, each with the places where a bug can be switched in.
Tests that run side by side would compile them at the same time.
"""

from __future__ import annotations

from toyvm.hypervisor import Vm
from toyvm.proofs import bugs, compare, prove

_NOP = (0x13).to_bytes(4, "little")


def warm() -> None:
    """Load or compile the kernels of `prove` and of `compare --bug`."""
    prove.Prover().block(prove.directed()[:1], prove.Proof(None, whole=False))
    vm = Vm(ram=1 << 20, bios="none")
    vm.load(_NOP * 8)
    compare.prepare(vm, next(iter(bugs.BY_NAME)))
    vm.run(4)


if __name__ == "__main__":
    warm()
