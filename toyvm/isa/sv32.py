"""Sv32 paging: the layout of addresses, page-table entries and PMP entries.

Source: Privileged Architecture 20211203, section 4.3 (Sv32) and section 3.7 (PMP).
"""

from __future__ import annotations

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
MEGAPAGE_SHIFT = 22
MEGAPAGE_SIZE = 1 << MEGAPAGE_SHIFT
LEVELS = 2
PTE_SIZE = 4
"""Bytes of one page-table entry; a table has PAGE_SIZE / PTE_SIZE = 1024 of them."""

PTE_V = 1 << 0
PTE_R = 1 << 1
PTE_W = 1 << 2
PTE_X = 1 << 3
PTE_U = 1 << 4
PTE_G = 1 << 5
PTE_A = 1 << 6
PTE_D = 1 << 7
PTE_RSW = 3 << 8
"""Two bits that hardware ignores and software may use."""
PTE_PPN = 0xFFFF_FC00
PTE_PPN_SHIFT = 10

PMP_R = 1 << 0
PMP_W = 1 << 1
PMP_X = 1 << 2
PMP_A = 3 << 3
PMP_A_SHIFT = 3
PMP_L = 1 << 7
PMP_OFF = 0 << 3
PMP_TOR = 1 << 3
PMP_NA4 = 2 << 3
PMP_NAPOT = 3 << 3
"""The four values of an entry's A field, in place."""
PMP_ENTRIES = 16
PMP_GRAIN = 10
"""G: the smallest region is 2^(G+2) = 4096 bytes, so NA4 cannot be selected."""
