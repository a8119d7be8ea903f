"""Seeded random privileged programs.

``machine_kernel(seed)`` starts in M-mode: random delegation, PMP, page tables
(valid and broken PTEs), status bits and interrupts, then a random body that
changes modes, touches everything and traps often.  ``supervisor_kernel(seed)``
starts in S-mode above an SBI and never needs M-mode.

The body runs in blocks.  x28 always holds the address of the next block; the
handler goes there when an instruction fetch fails, so that a program gets on
whatever it did to its own page table.  Any other exception is skipped.

Registers: x1 to x25 belong to the body, x26 and x27 to the S-mode handler,
x29 to x31 to the M-mode handler, x17 chooses a service of the handler.

Page-table entries are only changed by a service of the handler, which executes
sfence.vma at once, so that a hart with a TLB and one without agree.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.support.asm import AMOS, CSR_OPS, LOADS, STORES, Asm
from tests.support.kernel_handlers import (
    MIE,
    MSTATUS,
    MTIMECMP,
    RAISE,
    RESUME,
    SATP,
    SERVICE,
    SET_PTE,
    SET_SATP,
    SIE,
    SSTATUS,
    SWITCH,
    WAIT,
    KernelHandlers,
)
from tests.support.kernel_tables import (
    ABSENT,
    BODY_PAGES,
    CLINT,
    DATA_PAGES,
    IMAGE_SIZE,
    M_CSRS,
    READ_ONLY,
    S_CSRS,
    VA_ALIAS,
    VA_BROKEN,
    VA_SUPER,
    VA_USER,
    WRITE_MASKS,
)
from tests.support.programs import RAM_BASE, Program, value


class KernelCode(KernelHandlers):
    """Builds one privileged program."""

    def service(self, number: int) -> None:
        self.a.addi(SERVICE, 0, number)
        self.a.ecall()

    def switch(self) -> None:
        modes = (0, 1, 3) if self.level == "M" else (0, 1)
        if self.rng.random() < 0.05:
            modes = (2,)
        self.service(SWITCH + self.rng.choice(modes))

    def address(self, aligned: int = 1) -> int:
        """A virtual address worth trying."""
        rng = self.rng
        inside = rng.choice((rng.randrange(0x1000), rng.choice((0, 4, 0xFFC, 0xFFD, 0xFFE, 0xFFF))))
        kind = rng.randrange(12)
        if kind < 3:
            va = self.at.data + 0x1000 * rng.randrange(DATA_PAGES) + inside
        elif kind < 6:
            va = VA_ALIAS + 0x1000 * rng.randrange(16) + inside
        elif kind < 7:
            va = VA_SUPER + 0x8000 + 0x1000 * rng.randrange(DATA_PAGES) + inside
        elif kind < 8:
            va = VA_BROKEN + 0x1000 * rng.randrange(3) + inside
        elif kind < 10:
            va = VA_USER + 0x8000 + 0x1000 * rng.randrange(DATA_PAGES) + inside
        elif kind < 11:
            outside = (0x9000_0000, 0xFFFF_FFFC, 0x3000_0000, self.at.end - 4, 0x7FFF_FFFC)
            va = rng.choice(outside) + rng.choice((0, 0, 1, 3))
        else:
            va = rng.choice((self.at.m_handler, self.at.root, self.at.table_alias)) | inside & 0xFFC
            aligned = max(aligned, 4)
        return va & ~(aligned - 1)

    def protected(self, va: int) -> bool:
        """True for the handler and the tables, which the body only reads."""
        return va & ~0xFFF in (self.at.m_handler, self.at.root, self.at.table_alias)

    def touch(self) -> None:
        """A load or store somewhere; handler and tables are only read."""
        rng, a = self.rng, self.a
        base = rng.randrange(1, 26)
        va = self.address()
        a.li(base, va)
        protected = va >> 12 in (
            self.at.m_handler >> 12,
            self.at.root >> 12,
            self.at.table_alias >> 12,
        )
        if rng.random() < 0.5 or protected:
            a.op(rng.choice(tuple(LOADS)), self.reg(), 0, base)
        else:
            if self.exact and va & 0xFFF > 0xFFC:
                a.li(base, va & ~3)
            a.op(rng.choice(tuple(STORES)), self.reg(), 0, base)

    def atomic(self) -> None:
        rng, a = self.rng, self.a
        base = rng.randrange(1, 26)
        va = self.address(aligned=4)
        while self.protected(va):
            va = self.address(aligned=4)
        if not self.spike and rng.random() < 0.08:
            # Only in plain data: which fault comes first elsewhere is a choice.
            va = self.at.data + rng.randrange(0x1000) | 1
        a.li(base, va)
        kind = rng.randrange(3)
        if kind == 0:
            a.lr(self.reg_not(base), base)
            for _ in range(rng.choice((0, 0, 1))):
                a.op("addi", self.reg_not(base), self.reg(), 1)
            a.sc(self.reg_not(base), base, self.reg())
        elif kind == 1:
            a.sc(self.reg(), base, self.reg())
        else:
            a.op(rng.choice(tuple(AMOS)), self.reg(), base, self.reg())

    def csr(self) -> None:
        """A CSR instruction: any form, mostly on registers that exist."""
        rng, a = self.rng, self.a
        name = rng.choice(tuple(CSR_OPS))
        kind = rng.randrange(10)
        writable = dict(S_CSRS) if self.level == "S" else M_CSRS | S_CSRS
        if self.exact:
            del writable["mcountinhibit"]
        if kind < 7:
            number = rng.choice(tuple(writable.values()))
        elif kind < 9:
            number = rng.choice(READ_ONLY if self.spike else (*READ_ONLY, 0xC05, 0xC9F, 0x31A))
        else:
            number = rng.choice(ABSENT)
        if name.endswith("i"):
            operand = rng.randrange(32)
            if number in (MSTATUS, SSTATUS):
                operand &= 0x1A
            a.op(name, self.reg(), number, operand)
            return
        operand = rng.randrange(1, 26)
        bits = rng.choice((value(rng), 1 << rng.randrange(32), 0))
        a.li(operand, bits & WRITE_MASKS.get(number, 0xFFFF_FFFF) & 0xFFFF_FFFF)
        if rng.random() < 0.15 and "w" not in name:
            operand = 0
        a.op(name, self.reg(), number, operand)

    def status_bits(self) -> None:
        """Set or clear one bit that changes what comes after."""
        rng, a = self.rng, self.a
        bit = rng.choice((1, 1, 3, 3, 5, 7, 8, 17, 17, 18, 18, 19, 19, 20, 21, 22))
        if bit == 22 and self.medeleg & 4:
            bit = 1  # an sret that traps to the handler that executes it never ends
        a.li(5, 1 << bit)
        number = MSTATUS if self.level == "M" and rng.random() < 0.7 else SSTATUS
        a.op(rng.choice(("csrrs", "csrrc")), 6, number, 5)

    def interrupts(self) -> None:
        """Raise something, or open the gate for it."""
        rng, a = self.rng, self.a
        kind = rng.randrange(4 if self.exact else 6)
        if kind == 0:
            a.li(10, rng.choice((2, 0x20, 0x200, 0x222)))
            self.service(RAISE)
        elif kind == 1:
            a.li(5, rng.getrandbits(12))
            a.op(rng.choice(("csrrw", "csrrs")), 6, MIE if self.level == "M" else SIE, 5)
        elif kind == 2:
            a.csrrsi(0, SSTATUS, 2)
        elif self.level == "S":
            if kind == 3:
                self.set_timer(5, 6)
            else:
                a.li(5, 0x222)
                a.csrrs(0, SIE, 5)
        elif kind == 3:
            a.csrrsi(0, MSTATUS, 8)
        elif kind == 4:
            a.li(5, CLINT)
            a.addi(6, 0, rng.randrange(2))
            a.sw(6, 0, 5)
        else:
            a.li(5, MTIMECMP)
            if self.spike:
                a.addi(6, 0, rng.choice((0, -1)))
                a.sw(6, 4, 5)
                a.sw(6, 0, 5)
            else:
                a.csrr(6, 0xC01)
                a.addi(6, 6, rng.randrange(-2, 30))
                a.sw(6, 0, 5)
                a.sw(0, 4, 5)

    def trap_return(self) -> None:
        """An mret or sret of its own, to the next line if the mode allows it."""
        rng, a = self.rng, self.a
        here = self.new_label()
        kind = "mret" if self.level == "M" and rng.random() < 0.5 else "sret"
        a.la(5, here)
        a.csrw(0x341 if kind == "mret" else 0x141, 5)
        a.op(kind)
        a.label(here)

    def odd(self) -> None:
        """Instructions that trap or fence."""
        rng, a = self.rng, self.a
        kind = rng.randrange(9)
        if kind == 0:
            a.ebreak()
        elif kind == 1:
            a.addi(SERVICE, 0, 0x7F)
            if self.level == "M":
                a.ecall()
        elif kind == 2:
            a.sfence_vma(rng.choice((0, 5)), rng.choice((0, 6)))
        elif kind == 3:
            a.word(rng.choice((0, 0xFFFF_FFFF, 0x0000_000B, 0x0000_2007, 0x4000_4033, 0x0000_0053)))
        elif kind == 4:
            a.word(self.illegal())
        elif kind == 5:
            a.fence()
        elif kind == 6:
            # A jump to where nothing can be fetched.
            nowhere = (0x9000_0000, 0x7FFF_F000, VA_BROKEN, VA_ALIAS, self.at.base + 2, 6)
            a.li(5, rng.choice(nowhere if self.spike else nowhere + (CLINT, 0)))
            a.jalr(rng.choice((0, 1)), 5, 0)
        elif kind == 7:
            a.jalr(1, 0, 2)
        else:
            self.patch_code()

    def illegal(self) -> int:
        """A word without meaning in RV32IMA: reserved fields or opcodes."""
        rng = self.rng
        registers = rng.getrandbits(32) & 0x01FF_8F80
        return rng.choice(
            (
                0x7E00_0033 | registers,  # OP, funct7 0x3f
                0x0000_3003 | registers,  # LD
                0x0000_3023 | registers,  # SD
                0x0200_1013 | registers,  # SLLI by 32 and more
                0x0000_2063 | registers & ~0x7000,  # branch, funct3 2
                0x0000_1067 | registers & ~0x7000,  # JALR, funct3 1
                0x1010_202F | registers & ~0x01F0_0000 | 1 << 20,  # LR with rs2
                0x2800_202F | registers,  # AMO, funct5 5
                0x0020_0073,  # URET
                0x7B20_0073,  # DRET
                0x0000_4073 | registers,  # SYSTEM, funct3 4
                0x1600_0073,  # SINVAL.VMA
                0x0000_200F,  # MISC-MEM, funct3 2
                0x3020_00F3,  # MRET with rd
                0x1050_8073,  # WFI with rs1
            )
        )

    def patch_code(self) -> None:
        """Write an instruction over a nop ahead, fence.i, run it."""
        rng, a = self.rng, self.a
        slot = self.new_label()
        patch = Asm()
        patch.addi(rng.randrange(1, 26), rng.randrange(26), rng.randrange(-2048, 2048))
        a.la(5, slot)
        a.li(6, patch.words()[0])
        a.sw(6, 0, 5)
        a.fence_i()
        a.label(slot)
        a.nop()

    def change_pte(self) -> None:
        """Another random PTE, by the handler's service."""
        rng, a = self.rng, self.a
        kind = rng.randrange(8)
        if kind == 0:
            at, word = self.at.root + 4 * (VA_SUPER >> 22), self.superpage()
        elif kind == 1:
            at, word = self.at.root + 4 * (VA_BROKEN >> 22), self.broken_root()
        else:
            at, word = self.at.table_alias + 4 * rng.randrange(16), self.random_pte()
        a.li(10, word)
        a.li(11, at)
        self.service(SET_PTE)

    def change_satp(self) -> None:
        rng, a = self.rng, self.a
        a.li(10, rng.choice((0, self.satp_value(), self.satp_value())))
        if rng.random() < 0.5:
            self.service(SET_SATP)
        else:
            a.csrw(SATP, 10)
            a.sfence_vma()

    def pmp(self) -> None:
        """One of entries 1 to 6 gets a region of data pages (or nothing)."""
        rng, a = self.rng, self.a
        entry = rng.randrange(1, 7)
        size = rng.choice((0x1000, 0x1000, 0x2000, 0x4000))
        start = self.at.data + rng.randrange(0, 0x4000, size)
        match_mode = rng.choice((0, 1, 3, 3) if self.spike else (0, 1, 2, 3, 3))
        if match_mode == 3:
            a.li(5, (start >> 2) | (size // 8 - 1))
        else:
            a.li(5, (start + size >> 2) | rng.choice((0, 0x3FF, 0x155)))
            a.li(6, start >> 2 | rng.choice((0, 0x2AA)))
            a.csrrw(7, 0x3B0 + entry - 1, 6)
        a.csrrw(8, 0x3B0 + entry, 5)
        rights = rng.choice((0, 1, 3, 4, 5, 7) if self.spike else range(8))
        bits = rights | match_mode << 3 | rng.choice((0, 0x60))
        if rng.random() < 0.04:
            bits |= 0x80
        number, shift = 0x3A0 + entry // 4, 8 * (entry % 4)
        a.li(5, 0xFF << shift)
        a.li(6, bits << shift)
        a.csrr(7, number)
        a.xor(6, 6, 7)
        a.and_(6, 6, 5)
        a.xor(6, 6, 7)
        a.csrrw(0, number, 6)
        a.csrr(7, number)
        a.csrr(8, 0x3B0 + entry)
        a.sfence_vma()

    def wait(self) -> None:
        rng, a = self.rng, self.a
        if self.level == "M":
            self.service(WAIT)
            if not self.spike and rng.random() < 0.3:
                a.wfi()
        else:
            self.set_timer(5, 6)
            a.li(5, 0x20)
            a.csrrs(0, SIE, 5)
            if rng.random() < 0.5:
                a.csrrci(0, SSTATUS, 2)
            a.wfi()

    def parts(self) -> list[Callable[[], None]]:
        """Kinds of code and how often each comes."""
        weights: list[tuple[Callable[[], None], int]] = [
            (self.alu, 10),
            (self.touch, 14),
            (self.atomic, 5),
            (self.csr, 10),
            (self.status_bits, 5),
            (self.interrupts, 7),
            (self.trap_return, 3),
            (self.odd, 6),
            (self.switch, 6),
            (self.branch, 3),
            (self.wait, 1),
        ]
        if self.paging:
            weights += [(self.change_pte, 3), (self.change_satp, 2 if self.level == "M" else 6)]
        if self.level == "M":
            weights += [(self.pmp, 3), (self.toggle_vectoring, 1)]
        return [part for part, weight in weights for _ in range(weight)]

    def toggle_vectoring(self) -> None:
        rng, a = self.rng, self.a
        a.op(rng.choice(("csrrsi", "csrrci")), self.reg(), rng.choice((0x305, 0x105)), 1)

    def body(self, blocks: int) -> None:
        a = self.a
        a.pad_to(self.at.body)
        parts = self.parts()
        limit = self.at.body + 0x1000 * BODY_PAGES - 0x180
        for _ in range(blocks):
            if a.here > limit:
                break
            a.label(f"block{self.block}")
            self.block += 1
            a.la(RESUME, f"block{self.block}")
            for _ in range(self.rng.randrange(2, 7)):
                self.rng.choice(parts)()
        a.label(f"block{self.block}")
        a.la(RESUME, f"block{self.block}")
        a.label("end")
        a.j("end")

    # ---- the beginning -------------------------------------------------------------------

    def start(self) -> None:
        """Random state, then the body in a random mode."""
        rng, a = self.rng, self.a
        if self.level == "M":
            self.start_m()
        a.li(5, self.at.s_handler | rng.randrange(2))
        a.csrw(0x105, 5)
        a.li(5, rng.getrandbits(3) | 2)
        a.csrw(0x106, 5)
        if self.paging:
            a.li(5, self.satp_value())
            a.csrw(SATP, 5)
            a.sfence_vma()
        for i in range(1, 26):
            if i != 5:
                a.li(i, value(rng))
        a.la(RESUME, "block0")
        if self.level == "M":
            a.la(5, "block0")
            a.csrw(0x341, 5)
            a.li(5, rng.choice((0x0, 0x8, 0x80, 0x88)) | rng.choice((0x800, 0x1800)))
            a.li(6, sum(1 << bit for bit in (1, 5, 8, 18, 19) if rng.random() < 0.5))
            a.or_(5, 5, 6)
            a.li(6, sum(1 << bit for bit in (20, 21) if rng.random() < 0.1))
            a.or_(5, 5, 6)
            a.csrw(MSTATUS, 5)
            a.mret()
        else:
            a.li(5, sum(1 << bit for bit in (1, 5, 18, 19) if rng.random() < 0.5))
            a.csrrs(0, SSTATUS, 5)
            a.la(5, "block0")
            a.jalr(0, 5, 0)

    def start_m(self) -> None:
        rng, a = self.rng, self.a
        a.li(5, 1 << 29)
        a.csrw(0x31A, 5)  # menvcfgh.ADUE
        a.li(5, self.at.m_handler | rng.randrange(2))
        a.csrw(0x305, 5)
        a.addi(5, 0, -1)
        a.li(6, MTIMECMP)
        a.sw(5, 4, 6)
        a.sw(5, 0, 6)
        for number, bits in (
            (0x302, self.medeleg),
            (0x303, rng.choice((0, 0x222, rng.getrandbits(12)))),
            (MIE, rng.getrandbits(12)),
            (0x306, rng.getrandbits(3)),
        ):
            a.li(5, bits)
            a.csrw(number, 5)
        # Some harts start with everything open in entry 0. Here the last entry
        # opens what no entry before it restricts.
        a.csrw(0x3A0, 0)
        a.addi(5, 0, -1)
        a.csrw(0x3BF, 5)
        a.li(5, 0x1F00_0000)  # NAPOT, all rights
        a.csrw(0x3A3, 5)
        a.li(5, self.at.data >> 2)
        for entry in range(7):
            a.csrw(0x3B0 + entry, 5)

    def build_kernel(self, blocks: int) -> bytes:
        """The image: code, handlers, random data and page tables."""
        a = self.a
        self.start()
        self.m_handler()
        self.s_handler()
        self.body(blocks)
        image = bytearray(a.image().ljust(IMAGE_SIZE, b"\0"))
        data = self.rng.randbytes(0x1000 * DATA_PAGES)
        offset = self.at.data - self.at.base
        image[offset : offset + len(data)] = data
        for pa, word in self.tables.items():
            image[pa - self.at.base : pa - self.at.base + 4] = word.to_bytes(4, "little")
        return bytes(image)


def machine_kernel(
    seed: int, spike: bool = False, exact: bool = False, blocks: int = 90
) -> Program:
    """A program that starts in M-mode at the beginning of RAM.

    ``spike=True`` keeps to what Spike does at the same step;
    ``exact=True`` leaves out what no hart can be asked to do as Spike does.
    """
    image = KernelCode(seed, "M", spike, exact).build_kernel(blocks)
    return Program(f"machine kernel {seed}", image, steps=5000)


def supervisor_kernel(seed: int, blocks: int = 90) -> Program:
    """A program that starts in S-mode, 4 MiB into RAM, above an SBI with set_timer."""
    code = KernelCode(seed, "S", False)
    image = code.build_kernel(blocks)
    ram_size = code.at.end - RAM_BASE
    return Program(f"supervisor kernel {seed}", image, 5000, ram_size, code.at.base)
