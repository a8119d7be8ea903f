"""Sources that use macros, repetition and conditions; all have GNU's bytes (see cases.py)."""

from __future__ import annotations

MACROS = {
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
}
