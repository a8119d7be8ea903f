"""Sources that use the directives, macros, conditions and sections; all have GNU's bytes."""

from __future__ import annotations

from .cases_macros import MACROS

CASES = {
    **MACROS,
    "alignment in code": """
        nop
        .byte 1
        .align 3
        nop
        .balign 16, 0x55
        .byte 1, 2, 3
        .p2align 3,,2
        .p2align 3,,6
        nop
        .balignw 8, 0x1234
        .align 4
        .byte 9
        .balign 8
    """,
    "alignment in data": """
        .data
        .byte 1
        .align 3
        .byte 9
        .balign 8, 7
        .word 5
        .balign 4
        .byte 1
        .p2align 4,,3
        .byte 3
        .p2align 2, 0xaa
        .align
        .balign 8, 0x11
        .half 3
        .balignw 8, 0x1234
        .word 1
        .balignl 8, 0x12345678
        .p2alignl 4, 0x12345678
    """,
    "data": r"""
        .data
        .byte 1, -1, 255, 'a', '\n', ' ', ','
        .half 1, -1, 65535
        .2byte 0x1234
        .4byte 0x12345678
        .8byte 0x123456789abcdef0
        .dword -1
        .quad 5
        .word 1<<31, -1, ~0, 5-7
        .ascii "abc\n\t\\\"\101\x41", "de"
        .asciz "x", "y"
        .string "z"
        .zero 5
        .space 3, 7
        .skip 2
        .fill 3, 2, 0x1234
        .fill 2, 8, -1
        .fill 2, 4
        .fill 2
        .fill 1, 5, 0x1122334455
        x: .word x, x+4, x-4, y-x, .-x, . , .
        y: .byte y-x
        .half y-x+1
        .short 3
        .hword 4
        .int 5
        .long 6
        .word 1+2*3-4/2%3<<1|8&12^3
        .ascii "caf\303\251 "
        .ascii "café"
    """,
    "truncated data": """
        .data
        .byte 256, 0x1ff, -256
        .half 0x12345
        .word 0x123456789
    """,
    "set": """
        .data
        .word x
        .set x,1
        .word x
        .set x,2
        .word x
        y = 5
        .word y
        y = y + 1
        .word y
        .equ z, lab+4
        .word z
        lab: .word 3
        .equ w, lab+4
        .word w, w-lab
        .equiv q, 7
        .word q
        a == 3
        .word a
        v = fwd
        .word v+1
        fwd: .word 9
        .equ size, . - lab
        .word size
        .equ late, later_one
        .word late
        .equ later_one, 77
    """,
    "numeric labels": """
        1: nop
        j 1b
        j 1f
        1: nop
        beqz a0, 1b
        2: beq a0,a1,2f
        2: j 2b
        1:
        .word 1b, 2b
        .word 1b-2b
        99: j 99b
        0: j 0b
        j 0f
        0:
    """,
    "sections": """
        nop
        .data
        .word 1
        .section .rodata
        .word 2
        .bss
        .space 4
        b: .space 8
        .section .text.foo,"ax",@progbits
        nop
        .section .rodata.str,"aMS",@progbits,1
        .asciz "x"
        .pushsection .data
        .word 3
        .popsection
        .asciz "y"
        .previous
        nop
        .previous
        .asciz "z"
        .section .mydata,"aw"
        .word 7
        .section .myro,"a"
        .word 8
        .section .mycode,"ax"
        nop
        .section .mybss,"aw",@nobits
        .space 16
        .section .sdata,"aw"
        .word 11
        .section .sbss,"aw",@nobits
        .space 4
        .text
        nop
        .comm com, 12, 8
        .lcomm lcom, 5
        .bss
        early: .byte 0
        .lcomm lcom1, 1
        .lcomm lcom12, 12
        late: .half 0
        .subsection 2
        last: .space 1
        .data
        .lcomm lcom3, 3
        .lcomm lcom7, 7
        .word lcom1, lcom12, lcom3, lcom7, early, late, last
        .comm com2, 3
        .local priv
        .comm priv, 16, 16
        .word com, com2, lcom, b, priv
        .section .data.rel.ro, "aw"
        .word 5
        .section .init_array, "aw"
        .word b
        .section .srodata, "a"
        .word 6
    """,
    "text subsections are sorted as ld sorts them": """
        nop
        .section .text.zeta, "ax"
        li a0, 1
        .section .text.startup, "ax"
        li a0, 2
        .section .text.hot, "ax"
        li a0, 3
        .section .text.unlikely, "ax"
        li a0, 4
        .section .text.sorted.b, "ax"
        li a0, 5
        .section .text.sorted.a, "ax"
        li a0, 6
        .section .text.exit, "ax"
        li a0, 7
    """,
    "weak": """
        .weak w
        call w
        la a0, w
        lui a0, %hi(w)
        .word w
        .weak d
        d: nop
        call d
        beq a0,a1,d
        la a0,d
    """,
    "symbols of the linker": """
        la a0, _end
        la a1, __bss_start
        la a2, _edata
        la a3, __global_pointer$
        la a4, etext
        .data
        .byte 1
        .bss
        .space 3
    """,
    "what debuggers want": """
        .option push
        .option norvc
        .option norelax
        .attribute arch, "rv32ima"
        .option pop
        .file "x.c"
        .ident "gcc"
        .ident "as well"
        .ident "gcc"
        foo:
        nop
        .type foo, @function
        .size foo, .-foo
        .globl foo
    """,
    "org": """
        .data
        .word 1
        .org 16
        .word 2
        .org 32, 0xff
        .byte 1
        x:
        .org x + 8
        .byte 7
        . = . + 4
        .byte 5
        .uleb128 0
        .uleb128 127
        .uleb128 128
        .uleb128 1000000
        .sleb128 -1
        .sleb128 63
        .sleb128 64
        .sleb128 -64
        .sleb128 -65
        .sleb128 1000
        .sleb128 0
    """,
    "separators and comments": r"""
        nop; nop; li a0, ';'; .ascii "a;b" ; .byte 1
        a: b: nop; c: d:
        # comment
         /* multi
        line */ nop /* x */ ; nop # y
        .byte '#, '/', 'a
        .ascii "/* no comment */ # none // none"
        e:nop;f: nop
        .ascii "x" # "y"
    """,
    "csr": """
        csrw 0x300, a0
        csrw sstatus, 3
        csrrw a0, mscratch, 5
        .equ MYCSR, 0x340
        csrr a0, MYCSR
        csrrwi a0, MYCSR+1, 31
    """,
    "insn": """
        .insn 0x00000013
        .insn 4, 0x00100513
    """,
}
