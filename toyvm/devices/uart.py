"""16550A UART with 16-byte FIFOs, behaving as QEMU's ``serial`` device.

Registers are bytes at offsets 0 to 7; the rest of the window faults, as on QEMU.  An aligned access
of 2 or 4 bytes acts on the one register at its offset: a read is zero-extended, a write uses the
low byte.  Sending takes no time, so the transmitter is always empty when the guest looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from toyvm.devices.irq import IrqLine
from toyvm.devices.stats import Stats
from toyvm.platform import UART0_SIZE

RBR: Final = 0
"""Receive buffer (read), transmit holding (write); divisor low byte while LCR.DLAB is set."""
THR: Final = 0
DLL: Final = 0
IER: Final = 1
"""Interrupt enable; divisor high byte while LCR.DLAB is set."""
DLM: Final = 1
IIR: Final = 2
"""Interrupt identification (read), FIFO control (write)."""
FCR: Final = 2
LCR: Final = 3
MCR: Final = 4
LSR: Final = 5
MSR: Final = 6
SCR: Final = 7
REGISTERS: Final = 8

IER_RDI: Final = 0x01
IER_THRI: Final = 0x02
IER_RLSI: Final = 0x04
IER_MSI: Final = 0x08
"""Modem status: the lines at the other end never change, so this interrupt never comes."""

IIR_THRI: Final = 0x02
IIR_NONE: Final = 0x01
IIR_RDI: Final = 0x04
IIR_RLSI: Final = 0x06
IIR_TIMEOUT: Final = 0x0C
IIR_FIFO: Final = 0xC0

FCR_ENABLE: Final = 0x01
FCR_CLEAR_RX: Final = 0x02
FCR_CLEAR_TX: Final = 0x04
FCR_KEPT: Final = 0xC9
FIFO_SIZE: Final = 16
TRIGGER: Final = (1, 4, 8, 14)
"""Bytes that raise the receive interrupt, by FCR bits 7:6."""

LCR_DLAB: Final = 0x80
MCR_OUT2: Final = 0x08
MCR_LOOP: Final = 0x10
LSR_DR: Final = 0x01
LSR_OE: Final = 0x02
LSR_BI: Final = 0x10
"""A break has come."""
LSR_THRE: Final = 0x20
LSR_TEMT: Final = 0x40
MSR_LINES: Final = 0xB0
"""Carrier, data set ready and clear to send: somebody is always at the other end."""


class Uart16550:
    """One serial port.

    ``tx(data)`` receives what the guest sends; :meth:`feed` is the other direction.  Host input
    waits in a queue without bound behind the 16-byte FIFO, so nothing is lost and no overrun
    happens except in loopback mode.
    """

    size = UART0_SIZE

    def __init__(self, irq: IrqLine, tx: Callable[[bytes], None]) -> None:
        self._irq = irq
        self._tx = tx
        self.stats = Stats()
        self._host = bytearray()
        self._clear()

    def _clear(self) -> None:
        self._ier = 0
        self._fcr = 0
        self._lcr = 0
        self._mcr = MCR_OUT2
        self._scr = 0
        self._divisor = 12
        self._overrun = False
        self._break = False
        self._thr_pending = False
        self._fifo = bytearray()
        self._buffer = 0

    def reset(self) -> None:
        """Power-on state.  Host input that no guest has seen stays queued."""
        self._clear()
        self._refill()

    @property
    def backlog(self) -> int:
        """Bytes of host input that wait behind the FIFO."""
        return len(self._host)

    def feed(self, data: bytes) -> None:
        """Host input: queue ``data`` for the guest, in order."""
        self._host += data
        self._refill()

    def receive_break(self) -> None:
        """The other end sends a break: a zero byte with BI in the line status, as on QEMU."""
        self._receive(0)
        self._break = True
        self._update()

    # -- receive side -----------------------------------------------------------------------------

    @property
    def _room(self) -> int:
        return FIFO_SIZE if self._fcr & FCR_ENABLE else 1

    def _refill(self) -> None:
        """Move host input into the FIFO as far as it goes; none arrives in loopback mode."""
        free = self._room - len(self._fifo)
        if free > 0 and self._host and not self._mcr & MCR_LOOP:
            self._arrive(self._host[:free])
            del self._host[:free]
        self._update()

    def _arrive(self, data: bytes | bytearray) -> None:
        self._fifo += data
        if not self._fcr & FCR_ENABLE:
            self._buffer = data[-1]

    def _receive(self, byte: int) -> None:
        """A byte that does not wait for room, from loopback or a break: only these overrun."""
        if len(self._fifo) >= self._room:
            self._overrun = True
            if self._fcr & FCR_ENABLE:
                return
            self._fifo.clear()
        self._arrive(bytes([byte]))

    def _read_rbr(self) -> int:
        byte = self._fifo.pop(0) if self._fifo else None
        self._break = self._break and bool(self._fifo)
        if byte is not None and not self._mcr & MCR_LOOP:
            self.stats.bytes_in += 1
        if not self._fcr & FCR_ENABLE:
            # The one buffer keeps its byte when it is read, and while the FIFO is in use.
            byte = self._buffer
        self._refill()
        return byte or 0

    # -- interrupt --------------------------------------------------------------------------------

    def _cause(self) -> int:
        """The interrupt with the highest priority that is enabled and pending."""
        if self._ier & IER_RLSI and (self._overrun or self._break):
            return IIR_RLSI
        if self._ier & IER_RDI and self._fifo:
            if not self._fcr & FCR_ENABLE or len(self._fifo) >= TRIGGER[self._fcr >> 6]:
                return IIR_RDI
            # A real part waits four character times before it reports bytes below the trigger
            # level.  No more host input is on its way here, so that time has always passed.
            return IIR_TIMEOUT
        if self._ier & IER_THRI and self._thr_pending:
            return IIR_THRI
        return IIR_NONE

    def _update(self) -> None:
        self._irq(self._cause() != IIR_NONE)

    # -- registers --------------------------------------------------------------------------------

    def read(self, offset: int, width: int) -> int | None:
        if not _legal(offset, width):
            return None
        if offset == LSR:
            value = LSR_THRE | LSR_TEMT | LSR_DR if self._fifo else LSR_THRE | LSR_TEMT
            if self._overrun or self._break:
                value |= (LSR_OE if self._overrun else 0) | (LSR_BI if self._break else 0)
                self._overrun = self._break = False
                self._update()
            return value
        if offset == RBR:
            return self._divisor & 0xFF if self._lcr & LCR_DLAB else self._read_rbr()
        if offset == IER:
            return self._divisor >> 8 if self._lcr & LCR_DLAB else self._ier
        if offset == IIR:
            cause = self._cause()
            if cause == IIR_THRI:
                self._thr_pending = False
                self._update()
            return cause | (IIR_FIFO if self._fcr & FCR_ENABLE else 0)
        if offset == LCR:
            return self._lcr
        if offset == MCR:
            return self._mcr
        if offset == MSR:
            return self._modem_status()
        return self._scr

    def write(self, offset: int, width: int, value: int) -> bool:
        if not _legal(offset, width):
            return False
        value &= 0xFF
        if offset == THR:
            if self._lcr & LCR_DLAB:
                self._divisor = self._divisor & 0xFF00 | value
            else:
                self._send(value)
        elif offset == IER:
            if self._lcr & LCR_DLAB:
                self._divisor = self._divisor & 0xFF | value << 8
            else:
                self._set_ier(value & 0x0F)
        elif offset == FCR:
            self._set_fcr(value)
        elif offset == LCR:
            self._lcr = value
        elif offset == MCR:
            self._mcr = value & 0x1F
            self._refill()
        elif offset == SCR:
            self._scr = value
        return True

    def _send(self, byte: int) -> None:
        if self._mcr & MCR_LOOP:
            self._receive(byte)
        else:
            self.stats.bytes_out += 1
            self._tx(bytes([byte]))
        self._thr_pending = True
        self._update()

    def _set_ier(self, value: int) -> None:
        # Enabling the transmit interrupt raises it at once, because the transmitter is empty; so
        # does a second enable after a disable, as drivers expect of QEMU and Bochs.
        if value == self._ier:
            return
        if (self._ier ^ value) & IER_THRI:
            self._thr_pending = bool(value & IER_THRI)
        self._ier = value
        self._update()

    def _set_fcr(self, value: int) -> None:
        if value == self._fcr:
            return
        if (value ^ self._fcr) & FCR_ENABLE:
            value |= FCR_CLEAR_RX | FCR_CLEAR_TX
        if value & FCR_CLEAR_RX:
            self._fifo.clear()
        if value & FCR_CLEAR_TX:
            # A cleared transmitter is an empty one, which is the event that the interrupt tells.
            self._thr_pending = True
        self._fcr = value & FCR_KEPT
        self._refill()

    def _modem_status(self) -> int:
        if not self._mcr & MCR_LOOP:
            return MSR_LINES
        # In loopback OUT2, OUT1, RTS and DTR come back as DCD, RI, CTS and DSR.
        return (self._mcr & 0x0C) << 4 | (self._mcr & 0x02) << 3 | (self._mcr & 0x01) << 5


def _legal(offset: int, width: int) -> bool:
    return 0 <= offset < REGISTERS and not offset & (width - 1) and width in (1, 2, 4)
