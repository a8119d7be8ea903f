# rtc.s: the goldfish real-time clock.
# Purpose: it goes, keeps pace with mtime, can be set, and its alarm interrupts.
# Source: Goldfish virtual hardware, "rtc device".  Mode: M.
# Entry points: probe_main.

    .include "probes/probe.inc"
    .include "rtc.inc"
    .include "plic.inc"
    .include "clint.inc"

.equ TICKS, 10000                # a millisecond of mtime
.equ LEAST_NS, 900000            # and what the clock must show at least
.equ SOON_NS, 200000
.equ FAR_HIGH, 0x70000000         # upper half of the nanoseconds until the year 2225
.equ YEAR_2000_HIGH, 0x0d25db42  # upper half of the nanoseconds from 1970 to 2000

# arm DELAY: an alarm in so many nanoseconds.
.macro arm delay
    lw   t0, RTC_TIME_LOW(s0)
    lw   t1, RTC_TIME_HIGH(s0)
    li   t2, \delay
    add  t2, t0, t2
    sltu t3, t2, t0
    add  t1, t1, t3
    sw   t1, RTC_ALARM_HIGH(s0)
    sw   t2, RTC_ALARM_LOW(s0)
.endm

# show_line LABEL: whether the hart's external interrupt is pending.
.macro show_line label
    csrr s3, mip
    li   t0, MIP_MEIP
    and  s3, s3, t0
    show "\label", s3
.endm

    probe_begin rtc

    li   s0, RTC_BASE
    li   s1, CLINT_BASE + CLINT_MTIME
    lw   s3, RTC_ALARM_STATUS(s0)
    show "alarm armed", s3
    lw   s3, RTC_IRQ_ENABLED(s0)
    show "interrupt enabled", s3
    lw   s3, RTC_CLEAR_ALARM(s0)
    show "write-only", s3

    lw   s4, RTC_TIME_LOW(s0)
    lw   s5, 0(s1)
    li   s6, TICKS
1:  lw   t0, 0(s1)
    sub  t0, t0, s5
    bltu t0, s6, 1b
    lw   t0, RTC_TIME_LOW(s0)
    sub  t0, t0, s4
    li   t1, LEAST_NS
    sltu s3, t0, t1
    show "slower than mtime", s3

    li   s3, 1
    sw   s3, RTC_IRQ_ENABLED(s0)
    lw   s3, RTC_IRQ_ENABLED(s0)
    show "interrupt enabled", s3
    li   a0, RTC_IRQ
    li   a1, PLIC_HART0_M
    call plic_enable
    show_line "before the alarm"
    arm  SOON_NS
2:  lw   s3, RTC_ALARM_STATUS(s0)
    bnez s3, 2b
    show_line "after the alarm"
    li   a0, PLIC_HART0_M
    call plic_claim
    mv   s4, a0
    show "claimed", s4
    sw   zero, RTC_CLEAR_INTERRUPT(s0)
    mv   a0, s4
    li   a1, PLIC_HART0_M
    call plic_complete
    show_line "after its end"

    li   t0, FAR_HIGH            # an alarm that nobody lives to hear
    sw   t0, RTC_ALARM_HIGH(s0)
    sw   t0, RTC_ALARM_LOW(s0)
    lw   s3, RTC_ALARM_STATUS(s0)
    show "far away", s3
    sw   zero, RTC_CLEAR_ALARM(s0)
    lw   s3, RTC_ALARM_STATUS(s0)
    show "called off", s3
    sw   zero, RTC_ALARM_HIGH(s0)
    sw   zero, RTC_ALARM_LOW(s0)
    lw   s3, RTC_ALARM_STATUS(s0)
    show "long ago", s3
    show_line "which is now"
    sw   zero, RTC_CLEAR_INTERRUPT(s0)

    li   t0, YEAR_2000_HIGH
    sw   t0, RTC_TIME_HIGH(s0)
    lw   t0, RTC_TIME_LOW(s0)
    lw   s3, RTC_TIME_HIGH(s0)
    li   t1, YEAR_2000_HIGH
    sub  s3, s3, t1
    sltiu s3, s3, 2              # it may have carried since
    show "set", s3

    on_trap 3f
    lbu  s3, 0(s0)
3:  load_word s3, probe_cause
    show "a byte", s3
    tail probe_ok
