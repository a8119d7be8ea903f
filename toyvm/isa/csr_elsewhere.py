"""CSRs of other RISC-V machines: floating point, vectors, hypervisor, debug and withdrawn names.

Sources: Privileged ISA 20211203, tables 2.2 to 2.5; the specifications of the extensions
Sscofpmf, Smstateen, Smaia and Zkr, the debug specification 1.0, and the privileged
architecture 1.9.1 for the old names.  This machine has none of them: an access is an illegal
instruction.  The assembler knows the names, so that code which probes for them can be written.
"""

from __future__ import annotations

ELSEWHERE: dict[str, int] = {
    "ustatus": 0x000, "fflags": 0x001, "frm": 0x002, "fcsr": 0x003, "uie": 0x004, "utvec": 0x005,
    "vstart": 0x008, "vxsat": 0x009, "vxrm": 0x00a, "vcsr": 0x00f, "seed": 0x015,
    "uscratch": 0x040, "uepc": 0x041, "ucause": 0x042, "ubadaddr": 0x043, "utval": 0x043,
    "uip": 0x044, "sedeleg": 0x102, "sideleg": 0x103, "sstateen0": 0x10c, "sstateen1": 0x10d,
    "sstateen2": 0x10e, "sstateen3": 0x10f, "sieh": 0x114, "sbadaddr": 0x143,
    "siselect": 0x150, "sireg": 0x151, "siph": 0x154, "stopei": 0x15c,
    "sptbr": 0x180, "vsstatus": 0x200, "vsie": 0x204, "vstvec": 0x205, "vsieh": 0x214,
    "vsscratch": 0x240, "vsepc": 0x241, "vscause": 0x242, "vstval": 0x243, "vsip": 0x244,
    "vstimecmp": 0x24d, "vsiselect": 0x250, "vsireg": 0x251, "vsiph": 0x254, "vstopei": 0x25c,
    "vstimecmph": 0x25d, "vsatp": 0x280, "mvien": 0x308, "mvip": 0x309, "mstateen0": 0x30c,
    "mstateen1": 0x30d, "mstateen2": 0x30e, "mstateen3": 0x30f, "midelegh": 0x313, "mieh": 0x314,
    "mvienh": 0x318, "mviph": 0x319, "mstateen0h": 0x31c, "mstateen1h": 0x31d, "mstateen2h": 0x31e,
    "mstateen3h": 0x31f, "mucounteren": 0x320, "mscounteren": 0x321, "mhcounteren": 0x322,
    "mbadaddr": 0x343, "mtinst": 0x34a, "mtval2": 0x34b, "miselect": 0x350, "mireg": 0x351,
    "miph": 0x354, "mtopei": 0x35c, "mbase": 0x380, "mbound": 0x381, "mibase": 0x382,
    "mibound": 0x383, "mdbase": 0x384, "mdbound": 0x385, "scontext": 0x5a8, "hstatus": 0x600,
    "hedeleg": 0x602, "hideleg": 0x603, "hie": 0x604, "htimedelta": 0x605, "hcounteren": 0x606,
    "hgeie": 0x607, "hvien": 0x608, "hvictl": 0x609, "henvcfg": 0x60a, "hstateen0": 0x60c,
    "hstateen1": 0x60d, "hstateen2": 0x60e, "hstateen3": 0x60f, "hidelegh": 0x613,
    "htimedeltah": 0x615, "hvienh": 0x618, "henvcfgh": 0x61a, "hstateen0h": 0x61c,
    "hstateen1h": 0x61d, "hstateen2h": 0x61e, "hstateen3h": 0x61f, "htval": 0x643, "hip": 0x644,
    "hvip": 0x645, "hviprio1": 0x646, "hviprio2": 0x647, "htinst": 0x64a, "hviph": 0x655,
    "hviprio1h": 0x656, "hviprio2h": 0x657, "hgatp": 0x680, "hcontext": 0x6a8,
    "mhpmevent3h": 0x723, "mhpmevent4h": 0x724, "mhpmevent5h": 0x725, "mhpmevent6h": 0x726,
    "mhpmevent7h": 0x727, "mhpmevent8h": 0x728, "mhpmevent9h": 0x729, "mhpmevent10h": 0x72a,
    "mhpmevent11h": 0x72b, "mhpmevent12h": 0x72c, "mhpmevent13h": 0x72d, "mhpmevent14h": 0x72e,
    "mhpmevent15h": 0x72f, "mhpmevent16h": 0x730, "mhpmevent17h": 0x731, "mhpmevent18h": 0x732,
    "mhpmevent19h": 0x733, "mhpmevent20h": 0x734, "mhpmevent21h": 0x735, "mhpmevent22h": 0x736,
    "mhpmevent23h": 0x737, "mhpmevent24h": 0x738, "mhpmevent25h": 0x739, "mhpmevent26h": 0x73a,
    "mhpmevent27h": 0x73b, "mhpmevent28h": 0x73c, "mhpmevent29h": 0x73d, "mhpmevent30h": 0x73e,
    "mhpmevent31h": 0x73f, "mseccfg": 0x747, "mseccfgh": 0x757, "etrigger": 0x7a1, "icount": 0x7a1,
    "itrigger": 0x7a1, "mcontrol": 0x7a1, "mcontrol6": 0x7a1, "tmexttrigger": 0x7a1,
    "textra32": 0x7a3, "textra64": 0x7a3, "tinfo": 0x7a4, "tcontrol": 0x7a5, "mcontext": 0x7a8,
    "mscontext": 0x7aa, "dcsr": 0x7b0, "dpc": 0x7b1, "dscratch": 0x7b2, "dscratch0": 0x7b2,
    "dscratch1": 0x7b3, "vl": 0xc20, "vtype": 0xc21, "vlenb": 0xc22, "scountovf": 0xda0,
    "stopi": 0xdb0, "hgeip": 0xe12, "vstopi": 0xeb0, "mtopi": 0xfb0,
}  # fmt: skip
"""Name -> CSR number."""
