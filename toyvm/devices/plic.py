"""PLIC: the platform-level interrupt controller, on the register map of QEMU's ``virt`` board.

It follows the RISC-V PLIC specification, with the gateways of QEMU's board, because its kernels
need them.  A gateway makes a request of every report that its line is high, in service or not.  A
completion does not look at the line again: a handler that leaves the 16550's transmit interrupt or
a virtio interrupt unacknowledged, as widespread kernels do, would otherwise be interrupted for
ever.  In two places QEMU 7.2 differs from the specification and this model does not copy it: a
claim here ignores the threshold, and a completion by a context that has the source disabled is
ignored.
Only aligned 32-bit accesses exist, others fault; offsets without a register read as zero and
ignore writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from toyvm.devices.irq import IrqLine
from toyvm.platform import PLIC_SIZE, PLIC_SOURCES

PRIORITY: Final = 0x0000
"""Priority of source i at 4 * i."""
PENDING: Final = 0x1000
"""Pending bits, 32 sources a word, read-only."""
ENABLE: Final = 0x2000
"""Enable bits of context c at 0x80 * c."""
ENABLE_STRIDE: Final = 0x80
CONTEXT: Final = 0x20_0000
"""Threshold of context c at 0x1000 * c, its claim/complete register 4 behind."""
CONTEXT_STRIDE: Final = 0x1000
THRESHOLD: Final = 0
CLAIM: Final = 4

MAX_PRIORITY: Final = 7
"""Priorities and thresholds keep three bits; priority 0 means "never interrupt"."""

_WORD: Final = 0xFFFF_FFFF


class Plic:
    """Sources 1 to ``sources``, one context for each line in ``outputs``.

    Context 2 * hart is the hart's M-mode (its MEIP line), 2 * hart + 1 its S-mode (SEIP).  Sets of
    sources are Python integers with one bit for each source.
    """

    size = PLIC_SIZE

    def __init__(self, outputs: Sequence[IrqLine], sources: int = PLIC_SOURCES) -> None:
        self._outputs = list(outputs)
        self.sources = sources
        self._mask = (1 << sources + 1) - 2
        self._level = 0
        self._clear()

    def _clear(self) -> None:
        contexts = len(self._outputs)
        self.priority = [0] * (self.sources + 1)
        self.threshold = [0] * contexts
        self.enabled = [0] * contexts
        self.pending = 0
        """Requests that nobody has claimed; one made while in service waits for the completion."""
        self.in_service = 0
        """Claimed and not completed: such a source cannot be claimed again."""
        self._driven: list[bool | None] = [None] * contexts

    def reset(self) -> None:
        """Back to power-on.  The input levels stay as the devices drive them."""
        self._clear()
        self.pending = self._level
        self._update()

    def line(self, irq: int) -> IrqLine:
        """The level input of source ``irq``, to be wired to a device.

        Raises ValueError for a source that does not exist.
        """
        if not 1 <= irq <= self.sources:
            raise ValueError(f"PLIC source {irq}: expected 1 to {self.sources}")
        bit = 1 << irq

        def drive(level: bool) -> None:
            if level:
                self._level |= bit
                self.pending |= bit
                self._update()
            else:
                self._level &= ~bit

        return drive

    def _update(self) -> None:
        """Drive the outputs that changed."""
        for context, output in enumerate(self._outputs):
            level = self._best(context, self.threshold[context]) != 0
            if level != self._driven[context]:
                self._driven[context] = level
                output(level)

    def _best(self, context: int, floor: int) -> int:
        """The pending enabled source with the highest priority above ``floor``; 0 if none.

        The lowest number wins among equals.
        """
        waiting = self.pending & ~self.in_service & self.enabled[context]
        best, most = 0, floor
        while waiting:
            low = waiting & -waiting
            source = low.bit_length() - 1
            waiting ^= low
            if self.priority[source] > most:
                best, most = source, self.priority[source]
        return best

    def _claim(self, context: int) -> int:
        source = self._best(context, 0)
        if source:
            self.pending &= ~(1 << source)
            self.in_service |= 1 << source
            self._update()
        return source

    def _complete(self, context: int, source: int) -> None:
        if source <= self.sources and self.enabled[context] >> source & 1:
            self.in_service &= ~(1 << source)
            self._update()

    def read(self, offset: int, width: int) -> int | None:
        if not _legal(offset, width):
            return None
        if offset >= CONTEXT:
            context, register = divmod(offset - CONTEXT, CONTEXT_STRIDE)
            if context < len(self._outputs):
                if register == THRESHOLD:
                    return self.threshold[context]
                if register == CLAIM:
                    return self._claim(context)
            return 0
        if offset >= ENABLE:
            context, at = divmod(offset - ENABLE, ENABLE_STRIDE)
            if context < len(self._outputs):
                return self.enabled[context] >> at * 8 & _WORD
            return 0
        if offset >= PENDING:
            return self.pending >> (offset - PENDING) * 8 & _WORD
        source = offset // 4
        return self.priority[source] if source <= self.sources else 0

    def write(self, offset: int, width: int, value: int) -> bool:
        if not _legal(offset, width):
            return False
        value &= _WORD
        if offset >= CONTEXT:
            context, register = divmod(offset - CONTEXT, CONTEXT_STRIDE)
            if context < len(self._outputs):
                if register == THRESHOLD:
                    self.threshold[context] = value & MAX_PRIORITY
                    self._update()
                elif register == CLAIM:
                    self._complete(context, value)
        elif offset >= ENABLE:
            context, at = divmod(offset - ENABLE, ENABLE_STRIDE)
            if context < len(self._outputs):
                kept = self.enabled[context] & ~(_WORD << at * 8)
                self.enabled[context] = (kept | value << at * 8) & self._mask
                self._update()
        elif offset < PENDING:
            source = offset // 4
            if 1 <= source <= self.sources:
                self.priority[source] = value & MAX_PRIORITY
                self._update()
        return True


def _legal(offset: int, width: int) -> bool:
    return width == 4 and not offset & 3 and 0 <= offset < PLIC_SIZE
