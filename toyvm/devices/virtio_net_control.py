"""What a driver tells a network card through its control queue (VIRTIO 1.2, section 5.1.6.5): which
frames it wants to receive.

As on QEMU a card is promiscuous until the driver says otherwise, and a table with more addresses
than there is room for lets everything of its kind pass.
"""

from __future__ import annotations

from typing import Final

CLASS_RX: Final = 0
RX_PROMISC: Final = 0
RX_ALLMULTI: Final = 1
RX_ALLUNI: Final = 2
RX_NOMULTI: Final = 3
RX_NOUNI: Final = 4
RX_NOBCAST: Final = 5
CLASS_MAC: Final = 1
MAC_TABLE_SET: Final = 0
MAC_ADDR_SET: Final = 1
CLASS_VLAN: Final = 2
VLAN_ADD: Final = 0
VLAN_DEL: Final = 1

ACK_OK: Final = 0
ACK_ERROR: Final = 1

TABLE_MAX: Final = 64
"""Addresses in both tables together."""
COMMAND_MAX: Final = 2 + 2 * 4 + 6 * 4096
"""Bytes of the longest command that is looked at."""
VLANS: Final = 4096

_MAC: Final = 6
_BROADCAST: Final = b"\xff" * _MAC
_VLAN_TYPE: Final = b"\x81\x00"


class ReceiveFilter:
    """The state behind the control queue; ``mac`` is the card's address, which it may change."""

    def __init__(self, mac: bytes) -> None:
        self._own = mac
        self.reset(False)

    def reset(self, vlans_by_command: bool) -> None:
        """Everything passes again.  With ``vlans_by_command`` no VLAN does until it is added."""
        self.mac = self._own
        self._modes = [True, False, False, False, False, False]
        self._tables: tuple[frozenset[bytes], frozenset[bytes]] = (frozenset(), frozenset())
        self._overflow = [False, False]
        self._vlans = bytearray(VLANS) if vlans_by_command else bytearray(b"\1" * VLANS)

    def wants(self, frame: bytes) -> bool:
        """True if the driver wants to receive ``frame``."""
        if self._modes[RX_PROMISC]:
            return True
        vlan = int.from_bytes(frame[14:16], "big") & VLANS - 1
        if frame[12:14] == _VLAN_TYPE and not self._vlans[vlan]:
            return False
        to = frame[:_MAC]
        if to == _BROADCAST:
            return not self._modes[RX_NOBCAST]
        group = to[0] & 1
        if self._modes[RX_NOMULTI if group else RX_NOUNI]:
            return False
        if self._modes[RX_ALLMULTI if group else RX_ALLUNI] or self._overflow[group]:
            return True
        return to in self._tables[group] or (not group and to == self.mac)

    def command(self, data: bytes) -> bool:
        """Do one command: class, number and data; False if it makes no sense."""
        if len(data) < 2:
            return False
        kind, number, data = data[0], data[1], data[2:]
        if kind == CLASS_RX:
            if number > RX_NOBCAST or len(data) != 1:
                return False
            self._modes[number] = bool(data[0])
            return True
        if kind == CLASS_MAC:
            if number == MAC_ADDR_SET and len(data) == _MAC:
                self.mac = data
                return True
            return number == MAC_TABLE_SET and self._set_tables(data)
        if kind == CLASS_VLAN and number in (VLAN_ADD, VLAN_DEL) and len(data) == 2:
            vlan = int.from_bytes(data, "little")
            if vlan >= VLANS:
                return False
            self._vlans[vlan] = number == VLAN_ADD
            return True
        return False

    def _set_tables(self, data: bytes) -> bool:
        """Two tables, each a 32-bit count and addresses: unicast, then multicast."""
        tables = []
        for _ in range(2):
            count = int.from_bytes(data[:4], "little")
            if len(data) < 4 or count > (len(data) - 4) // _MAC:
                return False
            end = 4 + count * _MAC
            tables.append([data[at : at + _MAC] for at in range(4, end, _MAC)])
            data = data[end:]
        if data:
            return False
        room = TABLE_MAX
        kept = []
        for group, table in enumerate(tables):
            self._overflow[group] = len(table) > room
            kept.append(frozenset(() if self._overflow[group] else table))
            room -= len(kept[-1])
        self._tables = kept[0], kept[1]
        return True
