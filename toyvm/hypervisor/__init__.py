"""The hypervisor: many machines from one, by trap and emulate.

A guest runs in the real hart's U-mode.  Each of its traps that reaches us, an *exit*, has one of
three outcomes, and the files are named after them: `emulate` (a privileged instruction, applied
to the vCPU's record), `shadow` (fill the shadow page table), `reflect` (the guest's own trap).
`mmio` does loads and stores for the guest where no page can be mapped; `vcpu` ties them together.
These five are compiled and together at most 1,000 lines; the rest is Python around them.
"""

from toyvm.hypervisor.frames import HostMemory
from toyvm.hypervisor.hypervisor import Hypervisor
from toyvm.hypervisor.ledger import Ledger
from toyvm.hypervisor.vm import Vm

__all__ = ["HostMemory", "Hypervisor", "Ledger", "Vm"]
