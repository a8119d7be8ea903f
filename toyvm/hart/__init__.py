"""The hart: compiled kernels over plain arrays.

Reading order: `state` (the privileged-state record), `ints` (integer conventions), `csrfile`
and `trap` (one semantics, applied to the hart's own record and to a vCPU's), `mmu` (Sv32 and
PMP), `tlb`, `decode`, `access` (everything the fast path leaves alone), `execute` (the loop),
`core` (the arrays and their Python face).
"""
