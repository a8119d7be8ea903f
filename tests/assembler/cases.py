"""Sources that use the directives, macros, conditions and sections; all have GNU's bytes."""

from __future__ import annotations

CASES = {
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
    "macros": r"""
        .macro foo a, b=7, c:req
        addi x\a, x\a, \b + \c
        .endm
        foo 1, , 3
        foo 1,c=9
        foo 1 2 3
        .macro v x, r:vararg
        .word \x, \r
        .endm
        v 1, 2, 3 , 4
        v 1, 2 + 3
        .macro w a b
        .word \a
        .word \b
        .endm
        w 1 + 2, 3
        w 1+2 3
        w 1 3
        .macro s a, b
        .ascii "\a"
        .ascii "\b"
        .endm
        s "hello, x", abc
        s "hello", "a b"
        s "a\"b", "c\\d"
        s 'x', 5
        .macro lw2 r, m
        lw \r, \m
        .endm
        lw2 a0, 8(sp)
        lw2 a0, 8 (sp)
        lw2 a0, %lo(4096+5)(sp)
        .macro lab n
        l\n\()_x: .word l\n\()_x
        .endm
        lab 5
        .irp r, a0, a1, a2
        addi \r, \r, 1
        .endr
        .irp r, a0 a1 a2
        addi \r, \r, 1
        .endr
        .irpc c, 123
        .word \c
        .endr
        .rept 2; nop; .endr
        .macro rec n
        .if \n
        .word \n
        rec "(\n-1)"
        .endif
        .endm
        rec 5
        .macro cnt
        .word \@
        .endm
        cnt
        cnt
        .macro ex a
        .word 1
        .if \a
        .exitm
        .endif
        .word 2
        .endm
        ex 1
        ex 0
        .purgem ex
        .macro ex
        .word 77
        .endm
        ex
        .macro outer n
        .macro inner\n x
        .word \n, \x
        .endm
        .endm
        outer 3
        inner3 4
        .macro p reg, val=10
        li \reg, \val
        .endm
        p a0
        p a1, 20
        p reg=a2, val=30
        p val=3, reg=a3
        .rept 3
        .rept 2
        .byte 1
        .endr
        .byte 2
        .endr
        .irp a, 1, 2
        .irp b, 3, 4
        .byte \a, \b
        .endr
        .endr
        .byte 0, 0, 0
        .macro ret2
        ret
        .endm
        ret2
        .macro shadow
        .word 0x12345678
        .endm
        .macro nop
        .word 5
        .endm
        nop
        .purgem nop
        nop
        .macro PUSH a
        .word \a
        .endm
        push 5
        Push 6
    """,
    "macro arguments": r"""
        .data
        .macro t a
        .asciz "\a"
        .endm
        t hello
        t "hello world"
        t "a\"b"
        t 'x'
        t a+b
        .macro u a b
        .asciz "\a|\b"
        .endm
        u "a b"c
        u a,"b"
        u (a b) c
        u a+b c
        u a -b
        u a - b
        u %a b
        u 1 ,2
        u <a b> c
        .macro e a, b, c
        .ifb \b
        .word 0
        .else
        .word \b
        .endif
        .ifnb \c
        .word 3
        .endif
        .ifc \a,foo
        .word 55
        .endif
        .ifnc \a, bar
        .word 56
        .endif
        .endm
        e foo, 1, 2
        e bar
        e foo,,3
    """,
    "conditions": """
        .equ A, 1
        .if A
        .word 1
        .else
        .word 2
        .endif
        .if A == 2
        .word 1
        .elseif A == 1
        .word 3
        .else
        .word 2
        .endif
        .ifdef A
        .word 4
        .endif
        .ifdef B
        .word 5
        .endif
        .ifndef B
        .word 6
        .endif
        .ifeq A-1
        .word 7
        .endif
        .ifgt A
        .word 8
        .endif
        .iflt A
        .word 9
        .endif
        .if 0
        .if 1
        .word 10
        .else
        .word 11
        .endif
        .else
        .word 12
        .endif
        .ifeqs "a","a"
        .word 13
        .endif
        x: .word 5
        .if . - x == 4
        .word 14
        .endif
        .if 0; .word 15; .else; .word 16; .endif
        .if 0
        .macro never
        .if 1
        .endif
        .endm
        .endif
        .ifge A-1
        .word 17
        .endif
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
