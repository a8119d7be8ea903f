# end.s: where the kernel ends.
# Purpose: symbols behind each section's last byte, for the kernel's page table.  Mode: S.
# Entry points: none.  Last of the sources.

    .section .text
    .globl text_end
text_end:

    .section .rodata
    .globl rodata_end
rodata_end:

    .section .data
    .globl data_end
data_end:

    .section .bss
    .globl bss_end
bss_end:
