# fetch-device.s: a jump into the registers of a device.
# Purpose: a hostile guest; the machine and its neighbours must stay as they are.
# Mode: M.
# Entry points: _start.
# expect: exit 0

    .include "hostile/hostile.inc"

    begin
    li   s0, UART0_BASE
    jalr ra, 0(s0)
    wants CAUSE_INSN_ACCESS_FAULT
    li   s0, VIRTIO_BASE
    jalr ra, 0(s0)
    wants CAUSE_INSN_ACCESS_FAULT
    finish
