"""toyvm: a small, complete virtualisation stack for RISC-V RV32IMA.

Importing this package, or ``toyvm.isa``, loads neither a compiler nor a user interface.
"""

__version__ = "0.1.0"
