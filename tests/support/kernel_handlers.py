"""Trap handlers of the random privileged programs, and the services they offer."""

from __future__ import annotations

from tests.support.kernel_tables import CLINT, KernelTables

RESUME, SERVICE = 28, 17
SWITCH, SET_PTE, SET_SATP, WAIT, RAISE = 0x50, 0x60, 0x61, 0x62, 0x63  # SWITCH + mode

MTIMECMP = CLINT + 0x4000
MTIME = CLINT + 0xBFF8
SATP, MSTATUS, SSTATUS = 0x180, 0x300, 0x100
MIE, MIP, SIE, SIP = 0x304, 0x344, 0x104, 0x144


class KernelHandlers(KernelTables):
    """One handler for M-mode, one for S-mode."""

    def m_handler(self) -> None:
        """Vector table, then skip, service, or go to the next block.

        It reads what a trap changes into registers, where comparisons see it.
        """
        a = self.a
        a.pad_to(self.at.m_handler)
        for _ in range(12):
            a.j("m_common")
        a.label("m_common")
        a.csrr(29, 0x342)
        a.blt(29, 0, "m_interrupt")
        a.csrr(31, 0x343)
        a.csrr(30, MSTATUS)
        a.csrr(31, MIP)
        a.beq(29, 0, "m_fetch")
        for cause, target in ((1, "m_fetch"), (12, "m_fetch")):
            a.addi(30, 0, cause)
            a.beq(29, 30, target)
        a.addi(30, 0, 8)
        a.blt(29, 30, "m_skip")
        a.addi(30, 0, 11)
        a.blt(30, 29, "m_skip")
        self.services("m", MSTATUS, 0x341)
        a.label("m_skip")
        a.csrr(30, 0x341)
        a.addi(30, 30, 4)
        a.csrw(0x341, 30)
        a.mret()
        a.label("m_fetch")  # M-mode does not translate: always gets on
        a.csrw(0x341, RESUME)
        a.li(30, 0x1800)
        a.csrrs(0, MSTATUS, 30)
        a.mret()
        a.label("m_interrupt")
        a.slli(29, 29, 1)
        a.srli(29, 29, 1)
        a.addi(30, 0, 7)
        a.beq(29, 30, "m_timer")
        a.addi(30, 0, 3)
        a.beq(29, 30, "m_soft")
        a.addi(30, 0, 1)
        a.sll(30, 30, 29)
        a.csrrc(0, MIP, 30)
        a.mret()
        a.label("m_soft")
        a.li(30, CLINT)
        a.sw(0, 0, 30)
        a.mret()
        a.label("m_timer")
        a.li(30, MTIMECMP)
        if self.spike or self.rng.random() < 0.5:
            a.addi(29, 0, -1)
            a.sw(29, 4, 30)
            a.sw(29, 0, 30)
        else:  # the next tick
            a.li(31, MTIME)
            a.lw(29, 0, 31)
            a.addi(29, 29, self.rng.randrange(1, 40))
            a.sw(29, 0, 30)
        a.mret()

    def services(self, level: str, status: int, epc: int) -> None:
        """What an ecall with x17 asks for; falls through to skip."""
        a = self.a
        t, u = (30, 31) if level == "m" else (26, 27)
        a.addi(t, 0, SET_PTE)
        a.beq(SERVICE, t, f"{level}_pte")
        a.addi(t, 0, SET_SATP)
        a.beq(SERVICE, t, f"{level}_satp")
        a.addi(t, 0, WAIT)
        a.beq(SERVICE, t, f"{level}_wait")
        a.addi(t, 0, RAISE)
        a.beq(SERVICE, t, f"{level}_raise")
        a.andi(t, SERVICE, -4)
        a.addi(u, 0, SWITCH)
        a.bne(t, u, f"{level}_skip")
        # Switch to mode x17 & 3 at x28, in U-mode through its own mapping.
        a.andi(t, SERVICE, 3)
        a.csrw(epc, RESUME)
        a.bne(t, 0, f"{level}_go")
        a.csrr(u, SATP)
        a.bge(u, 0, f"{level}_go")
        a.li(u, self.at.to_user)
        a.sub(u, RESUME, u)
        a.csrw(epc, u)
        a.label(f"{level}_go")
        if level == "m":
            a.li(u, 0x1800)
            a.csrrc(0, status, u)
            a.slli(t, t, 11)
            a.csrrs(0, status, t)
            a.mret()
        else:
            a.addi(u, 0, 0x100)
            a.csrrc(0, status, u)
            a.andi(t, t, 1)
            a.slli(t, t, 8)
            a.csrrs(0, status, t)
            a.sret()
        a.label(f"{level}_pte")
        a.sw(10, 0, 11)
        a.sfence_vma()
        a.j(f"{level}_skip")
        a.label(f"{level}_satp")
        a.csrw(SATP, 10)
        a.sfence_vma()
        a.j(f"{level}_skip")
        a.label(f"{level}_raise")
        a.csrrs(0, MIP if level == "m" else SIP, 10)
        a.j(f"{level}_skip")
        a.label(f"{level}_wait")
        if level == "m":
            a.li(t, MTIMECMP)
            if self.spike:
                a.sw(0, 4, t)
                a.sw(0, 0, t)
            else:
                a.li(u, MTIME)
                a.lw(u, 0, u)
                a.addi(u, u, self.rng.randrange(20, 500))
                a.sw(0, 4, t)
                a.sw(u, 0, t)
            a.addi(u, 0, 128)
            a.csrrs(0, MIE, u)
            a.wfi()

    def s_handler(self) -> None:
        """As the M-mode handler; under M-mode it asks that for services."""
        a = self.a
        a.pad_to(self.at.s_handler)
        for _ in range(12):
            a.j("s_common")
        a.label("s_common")
        a.csrr(26, 0x142)
        a.blt(26, 0, "s_interrupt")
        a.csrr(27, 0x143)
        a.csrr(27, SSTATUS)
        a.beq(26, 0, "s_fetch")
        a.addi(27, 0, 1)
        a.beq(26, 27, "s_fetch")
        a.addi(27, 0, 12)
        a.beq(26, 27, "s_fetch")
        a.addi(27, 0, 8)
        a.bne(26, 27, "s_skip")
        if self.level == "S":
            self.services("s", SSTATUS, 0x141)
        else:
            a.andi(27, SERVICE, -64)
            a.addi(26, 0, 64)
            a.beq(26, 27, "s_up")
            a.andi(27, SERVICE, -4)
            a.addi(26, 0, SWITCH)
            a.bne(26, 27, "s_skip")
            a.label("s_up")
            a.ecall()  # M-mode serves; a switch does not come back
        a.label("s_skip")
        a.csrr(27, 0x141)
        a.addi(27, 27, 4)
        a.csrw(0x141, 27)
        a.sret()
        self.stranded()
        a.label("s_fetch")
        if self.level == "S":
            a.csrw(SATP, 0)
            a.sfence_vma()
            a.csrw(0x141, RESUME)
            a.addi(27, 0, 0x100)
            a.csrrs(0, SSTATUS, 27)
            a.sret()
        else:
            self.stranded()
        a.label("s_interrupt")
        a.slli(26, 26, 1)
        a.srli(26, 26, 1)
        a.addi(27, 0, 1)
        a.sll(27, 27, 26)
        if self.level == "S":
            a.addi(27, 0, 5)
            a.beq(26, 27, "s_timer")
            a.addi(27, 0, 2)
        a.csrrc(0, SIP, 27)
        a.addi(26, 0, 2)
        a.beq(26, 27, "s_back")
        a.csrrc(0, SIE, 27)  # STIP and SEIP cannot be cleared from S-mode
        a.label("s_back")
        a.sret()
        self.stranded()
        if self.level == "S":
            a.label("s_timer")
            self.set_timer(26, 27)
            a.sret()

    def stranded(self) -> None:
        """After an sret that TSR forbids: M-mode takes over at the next block."""
        if self.level == "M":
            self.a.addi(SERVICE, 0, SWITCH + 3)
            self.a.ecall()
            self.a.csrw(0x141, RESUME)
            self.a.sret()

    def set_timer(self, low: int, high: int) -> None:
        """SBI set_timer some ticks from now; changes a0, a1 and a7 only."""
        a, rng = self.a, self.rng
        a.csrr(10, 0xC01)
        a.addi(10, 10, rng.randrange(2, 60))
        a.addi(11, 0, 0)
        if rng.random() < 0.5:
            a.li(SERVICE, 0x5449_4D45)  # extension TIME, function 0
            a.addi(16, 0, 0)
        else:
            a.addi(SERVICE, 0, 0)
        a.ecall()
