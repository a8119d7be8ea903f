"""The complete architectural state of a computer, as named values that can be compared.

Used by `compare` and `isolate`: what a guest, its user or its disks can see, and nothing else.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np

from toyvm.hart import state as s
from toyvm.isa.csr import CSRS
from toyvm.isa.registers import ABI_NAMES
from toyvm.machine import Computer
from toyvm.machine.memory import PAGE
from toyvm.platform import RAM_BASE

#: Fields of a record that a guest can find out about: all but results and caches.
VISIBLE: Final = np.array(
    [*range(s.PC, s.INSTRET_OFFSET + 1), *range(s.PMPCFG, s.PMPCFG + 16)]
    + [*range(s.PMPADDR, s.PMPADDR + 16), s.MENVCFGH]
)
_CHUNK: Final = 1 << 20
_SECTORS: Final = 2048


def harts_of(computer: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """(record, registers) of each hart."""
    harts = getattr(computer, "harts", None)
    if harts is None:
        return [(computer.record, computer.x)]
    return [(hart.record, hart.x) for hart in harts]


def reservation(computer: Computer) -> int:
    """Physical address (gpa in a VM) of the reserved word, -1 if there is none."""
    offset = int(computer.hart.p[s.RESERVATION])
    pages = np.flatnonzero(computer.memory.fmap == (offset // PAGE if offset >= 0 else -9))
    return RAM_BASE + int(pages[0]) * PAGE + offset % PAGE if len(pages) else -1


def quickly_equal(a: Computer, b: Computer) -> bool:
    """Are registers, records, console and endings equal?  Cheap enough for every step."""
    return (
        all(
            np.array_equal(ours[VISIBLE], theirs[VISIBLE]) and np.array_equal(x[:32], y[:32])
            for (ours, x), (theirs, y) in zip(harts_of(a), harts_of(b), strict=True)
        )
        and a.waiting == b.waiting
        and a.stopped == b.stopped
        and len(a.console_output) == len(b.console_output)
        and reservation(a) == reservation(b)
    )


def memory_difference(a: Computer, b: Computer) -> int | None:
    """The first physical address at which two memories differ, None if they are equal."""
    for first in range(0, a.memory.size, _CHUNK):
        length = min(_CHUNK, a.memory.size - first)
        one, other = (c.read_phys(RAM_BASE + first, length) or b"" for c in (a, b))
        if one != other:
            same = np.frombuffer(one, np.uint8) != np.frombuffer(other, np.uint8)
            return RAM_BASE + first + int(np.flatnonzero(same)[0])
    return None


def memory_hash(computer: Computer) -> str:
    """SHA-256 of RAM."""
    sha = hashlib.sha256()
    for first in range(0, computer.memory.size, _CHUNK):
        length = min(_CHUNK, computer.memory.size - first)
        sha.update(computer.read_phys(RAM_BASE + first, length) or b"")
    return sha.hexdigest()


def disk_hash(disk: Any) -> str:
    """SHA-256 of a disk's sectors."""
    sha = hashlib.sha256()
    for first in range(0, disk.sectors, _SECTORS):
        sha.update(disk.read(first, min(_SECTORS, disk.sectors - first)))
    return sha.hexdigest()


def values(computer: Computer) -> dict[str, Any]:
    """Registers, CSRs, mode, time, console: everything but memory and disks, by name."""
    out: dict[str, Any] = {
        "ended": _ending(computer),
        "pc": computer.pc,
        "mode": computer.mode,
        "steps": computer.steps,
        "instret": computer.instret,
        "mtime": computer.mtime(),
        "waits in wfi": computer.waiting,
        "reserved word": reservation(computer),
    }
    for number, (record, x) in enumerate(harts_of(computer)):
        mark = f"hart {number} " if number else ""
        out |= {f"{mark}{ABI_NAMES[i]}": int(x[i]) for i in range(32)}
        if number:
            out |= {f"{mark}field {int(at)}": int(record[at]) for at in VISIBLE}
    out |= {row.name: computer.csr(row.number) for row in CSRS}
    out["console bytes"] = len(computer.console_output)
    out["console"] = hashlib.sha256(computer.console_output).hexdigest()
    return out


def _ending(computer: Computer) -> str:
    stop = computer.stopped
    return "no" if stop is None else f"{stop.reason} {stop.code} {stop.detail}".rstrip()


def state_hash(computer: Computer) -> str:
    """SHA-256 over everything, memory and disks included."""
    sha = hashlib.sha256(repr(sorted(values(computer).items())).encode())
    for record, _ in harts_of(computer):
        sha.update(record[VISIBLE].tobytes())
    sha.update(memory_hash(computer).encode())
    for block in computer.board.blocks:
        sha.update(disk_hash(block.disk).encode())
    return sha.hexdigest()


def light_hash(computer: Computer) -> str:
    """SHA-256 over registers, records and console: what can be taken often."""
    sha = hashlib.sha256()
    for record, x in harts_of(computer):
        sha.update(record[VISIBLE].tobytes())
        sha.update(x[:32].tobytes())
    sha.update(computer.console_output)
    sha.update(_ending(computer).encode())
    return sha.hexdigest()
