"""Where we differ from GNU as on purpose: reasons, and the sources that show each.

``|`` stands for a line end, as in snippets.txt.  docs/assembler.md lists the reasons.
"""

from __future__ import annotations

REFUSED = {
    "encodings of other lengths than 32 bits: this machine has no compressed code": [
        ".insn 2, 0x1", ".insn 0x1", ".insn 0x1f", ".option rvc", ".option arch, +c",
    ],
    "extensions that this machine has not": [".option arch, +zba", "uret", "dret"],
    "position-independent code and global offset tables": [
        ".option pic", "auipc a0, %got_pcrel_hi(foo)",
    ],
    "thread-local storage": ['.section .tdata,"awT"|.word 1', ".tls_common x, 4"],
    "words that GNU as skips with a warning": [
        ".option arch", ".option foo", '.section .x,"aw",@foo',
    ],
    "a value that is missing, or a comma with nothing behind it": [
        ".byte 1,,2", ".word 1,", ".rept|.word 1|.endr", ".word 0x", '.file 1 "a.s"|.loc 1',
        '.section "",""',
    ],
    "numbers that do not fit a 32-bit register": ["li a0, 0x100000000", "li a0, -0x80000001"],
    "counts, sizes and alignments out of range, which GNU as changes or ignores": [
        ".comm x, 4, 3", ".comm x, -1", ".align 32", ".align -1", ".fill -1", ".fill 2, -1",
        ".space -1",
        '.section .x,"9999999999"|.word 1',
    ],
    "division by zero": [".word 5 / 0"],
    "escapes that do not exist, and texts that are not closed": [
        r'.ascii "a\qb"', '.ascii "abc', '.globl "a', "nop /* c", r".byte '\t', '\0', '\1', '\x41'",
    ],
    "symbols that nobody defines, in a difference": [".word foo - nope"],
    "`.popsection` without `.pushsection`, `.purgem` of no macro": [".popsection", ".purgem nope"],
    "strings where a value stands, and no symbol has that name": ['.word "nobody"'],
    "`.cfi_val_encoded_addr`": [
        ".cfi_startproc|.cfi_val_encoded_addr ra, 0x1b, foo|.cfi_endproc",
    ],
    "a branch of `.insn` that does not reach: it is not made longer": [
        ".insn b BRANCH, 0, a0, a1, far|.space 8192|far:",
    ],
}  # fmt: skip
"""GNU as takes these, we do not."""

TAKEN = {
    "`//` begins a comment anywhere": ["nop // c"],
    "several values for `.uleb128`, `.sleb128` and `.cfi_same_value`": [
        ".uleb128 300, 5", ".sleb128 -300, 5", ".cfi_startproc|.cfi_same_value s0, s1|.cfi_endproc",
    ],
    "differences of labels in `.uleb128`": [".uleb128 foo-_start"],
    "an address with a minus sign, known at the end of linking": [".word -foo"],
    "`.rodata`; `.addrsig`, which clang writes": [".rodata|.word 1", ".addrsig"],
    "`.lcomm` with an alignment": [".lcomm x, 4, 8|.word x"],
    "attributes behind code": [
        '.attribute arch, "rv32i2p1_m2p0_a2p1"', '.attribute 5, "rv32i2p0"',
        ".attribute priv_spec, 1",
    ],
    "`.nops`; `.file` with a folder or MD5 and `.loc` with a view in any version of DWARF": [
        ".nops 8", '.file 1 "a.s"|.file 2 "dir" "b.s"',
        '.file 1 "a.s"|.file 3 "q.c" md5 0x00112233445566778899aabbccddeeff',
        '.file 1 "a.s"|.loc 1 6 view 3',
    ],
    "a section named again with other flags (a warning here)": [
        '.section .x,"aw"|.word 1|.section .x,"a"|.word 2',
    ],
}  # fmt: skip
"""We take these, GNU as does not."""

OTHERWISE = {
    "versions of symbols (`.symver`) are in objects, but not in linked programs": [
        ".symver foo, foo@V1",
    ],
    "a subsection of data begins where its alignments hold; GNU as aligns what follows": [
        ".data|.byte 1|.data 1|.byte 2|.align 2|.word 3|.data 0|.byte 5",
    ],
}  # fmt: skip
"""Both take these, with another result."""


def snippets(table: dict[str, list[str]]) -> set[str]:
    """All sources of a table."""
    return {text for texts in table.values() for text in texts}
