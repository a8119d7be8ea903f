"""The host's side of virtual networks: addresses, the switch, captures and remote peers."""

from __future__ import annotations

from toyvm.network.backend import NetBackend
from toyvm.network.mac import BROADCAST, format_mac, mac_for, parse_mac
from toyvm.network.pcap import PcapWriter
from toyvm.network.socket_peer import PeerError, SocketPeer
from toyvm.network.switch import Port, Switch

__all__ = [
    "BROADCAST",
    "NetBackend",
    "PcapWriter",
    "PeerError",
    "Port",
    "SocketPeer",
    "Switch",
    "format_mac",
    "mac_for",
    "parse_mac",
]
