"""Disk backends: the host's side of a virtual disk."""

from __future__ import annotations

from toyvm.storage.disk import SECTOR_SIZE, Disk, DiskError, MemoryDisk, disk_sha256
from toyvm.storage.raw import RawDisk

__all__ = ["SECTOR_SIZE", "Disk", "DiskError", "MemoryDisk", "RawDisk", "disk_sha256"]
