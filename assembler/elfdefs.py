"""Numbers of the ELF format and of its RISC-V supplement that several files need.

Source: System V ABI, chapters 4 and 5; RISC-V ELF psABI specification 1.0, chapter 8.
"""

from __future__ import annotations

ET_REL = 1
ET_EXEC = 2
EM_RISCV = 243
EF_RISCV_RVC = 0x1
EF_RISCV_FLOAT_ABI = 0x6
EF_RISCV_RVE = 0x8
PT_LOAD = 1

SHT_NULL = 0
SHT_SYMTAB = 2
SHT_STRTAB = 3
SHT_RELA = 4
SHT_REL = 9
SHT_GROUP = 17
SHT_SYMTAB_SHNDX = 18
SHT_RISCV_ATTRIBUTES = 0x7000_0003
SHF_INFO_LINK = 0x40
ELFOSABI_GNU = 3

SHN_UNDEF = 0
SHN_LORESERVE = 0xFF00
SHN_ABS = 0xFFF1
SHN_COMMON = 0xFFF2

EHDR_SIZE, PHDR_SIZE, SHDR_SIZE, SYM_SIZE, RELA_SIZE = 52, 32, 40, 16, 12

BINDINGS = {"LOCAL": 0, "GLOBAL": 1, "WEAK": 2}
TYPES = {
    "NOTYPE": 0, "OBJECT": 1, "FUNC": 2, "SECTION": 3, "FILE": 4, "COMMON": 5, "TLS": 6,
    "GNU_IFUNC": 10,
}  # fmt: skip
BINDING_NAMES = {number: name for name, number in BINDINGS.items()} | {10: "GLOBAL"}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
VISIBILITIES = {"DEFAULT": 0, "INTERNAL": 1, "HIDDEN": 2, "PROTECTED": 3}
VISIBILITY_NAMES = {number: name for name, number in VISIBILITIES.items()}

# Relocation types (psABI, table "Relocation types").
R_NONE = 0
R_32 = 1
R_64 = 2
R_BRANCH = 16
R_JAL = 17
R_CALL = 18
R_CALL_PLT = 19
R_GOT_HI20 = 20
R_PCREL_HI20 = 23
R_PCREL_LO12_I = 24
R_PCREL_LO12_S = 25
R_HI20 = 26
R_LO12_I = 27
R_LO12_S = 28
R_ADD8, R_ADD16, R_ADD32, R_ADD64 = 33, 34, 35, 36
R_SUB8, R_SUB16, R_SUB32, R_SUB64 = 37, 38, 39, 40
R_ALIGN = 43
R_RVC_BRANCH = 44
R_RVC_JUMP = 45
R_RELAX = 51
R_SUB6 = 52
R_SET6, R_SET8, R_SET16, R_SET32 = 53, 54, 55, 56
R_32_PCREL = 57
R_SET_ULEB128 = 60
R_SUB_ULEB128 = 61

RELOCATION_NAMES = {
    0: "NONE", 1: "32", 2: "64", 3: "RELATIVE", 4: "COPY", 5: "JUMP_SLOT", 6: "TLS_DTPMOD32",
    7: "TLS_DTPMOD64", 8: "TLS_DTPREL32", 9: "TLS_DTPREL64", 10: "TLS_TPREL32",
    11: "TLS_TPREL64", 12: "TLSDESC", 16: "BRANCH", 17: "JAL", 18: "CALL", 19: "CALL_PLT",
    20: "GOT_HI20", 21: "TLS_GOT_HI20", 22: "TLS_GD_HI20", 23: "PCREL_HI20",
    24: "PCREL_LO12_I", 25: "PCREL_LO12_S", 26: "HI20", 27: "LO12_I", 28: "LO12_S",
    29: "TPREL_HI20", 30: "TPREL_LO12_I", 31: "TPREL_LO12_S", 32: "TPREL_ADD",
    33: "ADD8", 34: "ADD16", 35: "ADD32", 36: "ADD64", 37: "SUB8", 38: "SUB16", 39: "SUB32",
    40: "SUB64", 43: "ALIGN", 44: "RVC_BRANCH", 45: "RVC_JUMP", 46: "RVC_LUI",
    51: "RELAX", 52: "SUB6", 53: "SET6", 54: "SET8", 55: "SET16", 56: "SET32",
    57: "32_PCREL", 58: "IRELATIVE", 59: "PLT32", 60: "SET_ULEB128", 61: "SUB_ULEB128",
}  # fmt: skip


def relocation_name(kind: int) -> str:
    """``R_RISCV_BRANCH`` and so on; a number for an unknown type."""
    name = RELOCATION_NAMES.get(kind)
    return f"R_RISCV_{name}" if name is not None else f"relocation type {kind}"
