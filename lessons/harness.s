# What surrounds a submission on the machine.  M-mode; the code runs at any address.
# Entry points: enter (mepc holds the submission's entry, mstatus.MPP is U).

        .globl  enter, back, trapped

enter:  mret                            # into the submission, in U-mode

back:   ebreak                          # ra of the first call: the run ends before it is executed

trapped:                                # mtvec: a trap of the submission ends the run here
        j       trapped
