# syscall.s: what programs may ask of the kernel.
# Purpose: find the call, check its arguments, give the answer in the caller's a0.
# Mode: S.
# Entry points: syscall.
#
# A call gets the process in a0 and returns the result in a0.

    .include "platform.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "teachos/teachos.inc"
    .include "teachos/syscall.inc"

.equ INSN_BYTES, 4
.equ POINTER_SHIFT, 2
.equ CONSOLE, 1                  # the only file

    .section .text
    .globl syscall

# syscall: serve one ecall.
# In: a0 process.  Out: none.  Clobbers: t0-t6, a0-a7.
syscall:
    prologue 1
    mv   s0, a0
    lw   t0, FRAME_EPC(s0)
    addi t0, t0, INSN_BYTES      # the program goes on behind the ecall
    sw   t0, FRAME_EPC(s0)
    lw   t0, FRAME_A7(s0)
    li   t1, SYSCALLS
    bgeu t0, t1, 1f
    slli t0, t0, POINTER_SHIFT
    la   t1, calls
    add  t1, t1, t0
    lw   t1, 0(t1)
    jalr t1
    sw   a0, FRAME_A0(s0)
    epilogue 1
1:  li   a0, ERR_BAD_CALL
    sw   a0, FRAME_A0(s0)
    epilogue 1

sys_exit:
    lw   a1, FRAME_A0(a0)
    tail proc_end

# sys_write: page by page, each as far as it is the program's.
sys_write:
    prologue 5
    mv   s0, a0
    lw   t0, FRAME_A0(s0)
    li   t1, CONSOLE
    li   a0, ERR_BAD_CALL
    bne  t0, t1, 4f
    call console_flush
    lw   s1, FRAME_A1(s0)
    lw   s2, FRAME_A2(s0)
    add  s3, s1, s2              # the end
    li   a0, ERR_FAULT
    bltu s3, s1, 4f              # it wraps around
    j    3f
1:  lw   a0, PROC_ROOT(s0)
    mv   a1, s1
    call space_physical
    beqz a0, 5f
    li   t0, PAGE_SIZE
    neg  t1, t0
    and  t1, s1, t1              # start of this page
    add  s4, t1, t0              # start of the next
    bleu s4, s3, 2f
    mv   s4, s3
2:  sub  a1, s4, s1
    call console_write
    mv   s1, s4
3:  bltu s1, s3, 1b
    mv   a0, s2
4:  epilogue 5
5:  li   a0, ERR_FAULT
    epilogue 5

sys_getpid:
    lw   a0, PROC_PID(a0)
    ret

sys_yield:
    prologue 0
    call sched_yield
    li   a0, 0
    epilogue 0

sys_gettime:
    prologue 1
    mv   s0, a0
    call timer_now
    sw   a1, FRAME_A1(s0)
    epilogue 1

sys_ping:
    mv   a3, a0
    lw   a0, FRAME_A0(a3)
    lw   a1, FRAME_A1(a3)
    lw   a2, FRAME_A2(a3)
    tail net_ping

    .section .rodata
    .align 2
calls:                           # by number
    .word sys_exit, sys_write, sys_getpid, sys_yield, sys_gettime, sys_ping
