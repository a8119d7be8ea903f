"""Broken images: ELF files, flat binaries and device trees, loaded and run, bare and in a VM.

Checked: a LoadError of one line or a machine that runs, and that nothing else is raised.
"""

from __future__ import annotations

import random
import struct

from guestos import build
from toyvm.firmware import devicetree
from toyvm.hypervisor import Vm
from toyvm.machine import Computer, LoadError, Machine

RAM = 8 << 20
STEPS = 1_000
INTERESTING = (0, 1, 2, 3, 4, 7, 8, 15, 16, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFF_FFFF)
INTERESTING += (0x8000_0000, 0x8040_0000, 0x8080_0000, 0xFFFF_FFFE, 0xFFFF_FFFF)
JUMP_TO_SELF = bytes.fromhex("6f000000")


class ImageFuzz:
    """A bare machine and a VM that get one broken thing after the other."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.computers: list[Computer] = [
            machine(ram=RAM, bios=bios) for machine in (Machine, Vm) for bios in ("none", "sbi")
        ]
        self.good = {
            "elf": build("hello").to_elf(),
            "flat": build("probe-arith").to_bin(),
            "tree": devicetree.build(0x8000_0000, RAM, 4, "console=ttyS0", True),
        }[kind]

    def round(self, seed: int) -> int:
        """One broken image on each computer; how many were tried."""
        data = damaged(self.good, random.Random(f"{self.kind} {seed}"), self.kind == "elf")
        for computer in self.computers:
            image = data
            if self.kind == "tree":
                computer.boot_options.dtb, image = data, JUMP_TO_SELF
            try:
                computer.load(image)
            except LoadError as error:
                message = str(error)
                assert message
                assert "\n" not in message
                continue
            computer.run(STEPS)
            assert computer.errors == 0, computer.report
        return len(self.computers)


def damaged(good: bytes, rng: random.Random, headers: bool) -> bytes:
    """A copy with a few wrong bytes, halves or words, or a piece missing, or something else."""
    if rng.random() < 0.05:
        return good[:4] + rng.randbytes(rng.randrange(400))
    data = bytearray(good)
    for _ in range(rng.randrange(1, 6)):
        size, form = rng.choice(((1, "B"), (2, "<H"), (4, "<I"), (4, ">I")))
        limit = len(data) - size
        # The beginning of an ELF file and its section headers are where the structure is.
        at = rng.randrange(limit)
        if headers and rng.random() < 0.7:
            at = rng.choice((rng.randrange(120), limit - rng.randrange(600)))
        value = rng.choice((rng.choice(INTERESTING), rng.getrandbits(32)))
        struct.pack_into(form, data, at, value & (1 << 8 * size) - 1)
    if rng.random() < 0.2:
        del data[rng.randrange(len(data)) :]
    return bytes(data)
