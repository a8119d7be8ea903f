"""The instruction set as tables: one row per instruction, CSR, cause and register.

The assembler, the disassembler, the decoder, the debugger and ``docs/isa.md`` read these
tables.  Everything here is plain Python without third-party imports.

Sources: The RISC-V Instruction Set Manual, Volume I: Unprivileged ISA, and Volume II:
Privileged Architecture, both document version 20211203.
"""
