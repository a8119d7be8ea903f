"""What the M extension asks for and no single operation of NumPy does.

Source: Unprivileged 20191213, chapter 7.  Numbers are int64 in the range of their type.
"""

from __future__ import annotations

import numpy as np

from toyvm.jit import kernel


@kernel
def divide(a, b):
    """DIV: truncates, -1 for b = 0 (Unprivileged 20191213 §7.2); a and b in int32 range."""
    if b == 0:
        return np.int64(-1)
    dividend = -a if a < 0 else a
    divisor = -b if b < 0 else b
    quotient = dividend // divisor
    return -quotient if (a < 0) != (b < 0) else quotient


@kernel
def remainder(a, b):
    """REM: the sign of the dividend, a for b = 0; a and b in int32 range."""
    if b == 0:
        return a
    dividend = -a if a < 0 else a
    remainder = dividend % (-b if b < 0 else b)
    return -remainder if a < 0 else remainder


@kernel
def divide_unsigned(a, b):
    """DIVU: all ones for b = 0; a and b in uint32 range."""
    return np.int64(-1) if b == 0 else a // b


@kernel
def remainder_unsigned(a, b):
    """REMU: a for b = 0; a and b in uint32 range."""
    return a if b == 0 else a % b


@kernel
def mulhu(a, b):
    """High word of an unsigned product; a and b in uint32 range."""
    return np.int64((np.uint64(a) * np.uint64(b)) >> np.uint64(32))
