# sched.s: who runs.
# Purpose: round robin over the runnable processes; sleep when there is none; the end.
# Mode: S.
# Entry points: sched_next, sched_return, sched_yield, sched_wake; current.

    .include "platform.inc"
    .include "csr.inc"
    .include "abi.inc"
    .include "frame.inc"
    .include "teachos/teachos.inc"

    .section .text
    .globl sched_next
    .globl sched_return
    .globl sched_yield
    .globl sched_wake
    .globl current

# sched_yield: at the end of this trap, let another process run.
# In: none.  Out: none.  Clobbers: t0, t1.
sched_yield:
    li   t1, 1
    store_word t1, yield, t0
    ret

# sched_wake: a waiting process has its answer.
# In: a0 process, a1 what its system call returns.  Out: none.  Clobbers: t0, t1.
sched_wake:
    sw   a1, FRAME_A0(a0)
    li   t0, PROC_RUNNABLE
    sw   t0, PROC_STATE(a0)
    j    sched_yield

# sched_return: out of a trap: to the same process if it may go on, else to the next.
# In: none.  Out: does not return.
sched_return:
    load_word a0, current
    load_word t0, yield
    bnez t0, sched_next
    lw   t0, PROC_STATE(a0)
    li   t1, PROC_RUNNABLE
    bne  t0, t1, sched_next
    tail trap_return_user

# sched_next: to the next runnable process after the current one.
# In: none.  Out: does not return.
sched_next:
    la   t0, yield
    sw   zero, 0(t0)
    load_word s0, current
    mv   a0, s0
    li   s1, PROCS
    li   s2, 0                   # not 0: somebody waits
1:  addi a0, a0, PROC_SIZE
    la   t0, procs + PROCS * PROC_SIZE
    bltu a0, t0, 2f
    la   a0, procs
2:  lw   t0, PROC_STATE(a0)
    li   t1, PROC_RUNNABLE
    beq  t0, t1, 4f
    or   s2, s2, t0
    addi s1, s1, -1
    bnez s1, 1b
    bnez s2, 3f
    tail finish                  # nobody is left

3:  call net_deadline            # nothing to do until an answer or its timeout
    call timer_after
    call io_wait
    j    sched_next

4:  store_word a0, current, t0
    beq  a0, s0, 5f
    add_word 1, switches, t0, t1
    mv   s0, a0
    li   a0, TIMESLICE           # its own whole slice
    call timer_after
    mv   a0, s0
5:  mv   s0, a0
    lw   a0, PROC_ROOT(a0)
    call vm_use
    mv   a0, s0
    tail trap_return_user

# finish: both processes are over: sum up, wish the neighbour good night, switch off.
# In: none.  Out: does not return.
finish:
    la   a0, text_done
    call print_str
    load_word a0, switches
    call print_dec
    la   a0, text_switches
    call print_str
    load_word a0, ticks
    call print_dec
    la   a0, text_ticks
    call print_str
    load_word a0, pages_left
    call print_dec
    la   a0, text_pages
    call print_str
    call net_good_night
    load_word a0, procs_failed   # 0: no reason, else: failure
    snez a0, a0
    tail sbi_shutdown

    .section .rodata
text_done:
    .asciz "teachos: done, "
text_switches:
    .asciz " switches, "
text_ticks:
    .asciz " timer interrupts, "
text_pages:
    .asciz " pages free\n"

    .section .data
    .align 2
current:                         # the process that runs or ran last; the first one follows it
    .word procs + (PROCS - 1) * PROC_SIZE

    .section .bss
    .align 2
yield:
    .space WORD
switches:
    .space WORD
