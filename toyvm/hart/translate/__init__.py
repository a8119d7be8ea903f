"""Tier 2: hot guest code as machine code, made by LLVM through llvmlite (docs/translation.md).

`region` chooses what to translate, `emit` writes LLVM IR, `backend` makes machine code of it,
`pool` does that in the background and shares the result, `translator` samples a hart and installs
regions in its decoded words.  Tier 1, the loop in `execute`, stays the oracle: a region leaves
*before* any instruction that is not plain, and tier 1 does it.
"""
