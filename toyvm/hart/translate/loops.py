"""Loops whose memory accesses move by fixed steps: their pages are looked up once for many rounds.

Most hot loops walk through memory: `lw a4, 0(a5); addi a5, a5, 4; ...; bne`.  For such a loop
`emit` writes a second copy without TLB lookups (the *quick* copy).  Before it, `prepare` looks up
the page of each pointer and works out for how many rounds all of them stay in their pages; then
the plain copy does the round that crosses into a new page, or whatever else is unusual.

That is exact: nothing can change the TLB while a region runs, so an access that stays in a page
which has an entry is a hit, every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toyvm.hart.translate import region as r

if TYPE_CHECKING:
    from toyvm.hart.translate.emit import Emitter

MAX_BODY: Final = 96
"""Instructions of a loop; longer ones gain little."""
_MAX_GROUPS: Final = 6
_MAX_STRIDE: Final = 512
"""Bytes: with longer steps a page is left too soon."""
_MAX_SPAN: Final = 2048
_MAX_OFFSET: Final = 4096
_NEAR: Final = 0x4000
"""More than a pointer and the addresses made from it can be apart while they stay in a page."""

# What a register holds within a round: (constant, register) more than at its begin, or anything.
_Sum = tuple[int, int] | None
_SAME: Final = (0, 0)
_State = dict[int, _Sum]


@dataclass(frozen=True)
class Group:
    """Accesses of a loop by one pointer, all loads or all stores.

    In the first round they touch the bytes [`low`, `high`) relative to the register `base`; each
    round is `stride` bytes, or what the register `step` holds if that is not 0, further on.
    """

    base: int
    write: bool
    low: int
    high: int
    width: int
    stride: int
    step: int


@dataclass(frozen=True)
class Loop:
    """The instructions [`first`, `last`]; `groups` by the rel of each access that they cover.

    A round has at least `shortest` instructions.
    """

    first: int
    last: int
    shortest: int
    groups: Mapping[int, Group]


def find_loops(words: Mapping[int, int], jumps: Mapping[int, int | None]) -> dict[int, Loop]:
    """Inner loops without calls, by their first instruction; those with `groups` walk."""
    ends: dict[int, int] = {}
    for rel, target in jumps.items():
        if target is not None and target <= rel and target in words:
            ends[target] = max(rel, ends.get(target, rel))
    found = {}
    for first, last in ends.items():
        if last - first < 4 * MAX_BODY and _is_plain(words, jumps, first, last):
            found[first] = _analyse(words, jumps, first, last)
    return found


def _is_plain(
    words: Mapping[int, int], jumps: Mapping[int, int | None], first: int, last: int
) -> bool:
    """Nothing in [first, last] is missing, a call, an indirect jump or another loop."""
    for rel in range(first, last + 4, 4):
        word = words.get(rel)
        if word is None or word & 0x7F == r.JALR:
            return False
        if word & 0x7F == r.JAL and (word >> 7) & 31:
            return False
        target = jumps[rel]
        if target is not None and target <= rel and target != first:
            return False
    return True


def _merge(a: _State | None, b: _State) -> _State:
    """What is known where two paths meet."""
    if a is None:
        return dict(b)
    merged: _State = {}
    for register in {*a, *b}:
        mine, other = a.get(register, _SAME), b.get(register, _SAME)
        merged[register] = mine if mine == other else None
    return merged


def _step(state: _State, word: int, fixed: set[int]) -> None:
    """Bring `state` past an instruction; registers in `fixed` never change in the loop."""
    opcode = word & 0x7F
    rd, rs1, rs2 = (word >> 7) & 31, (word >> 15) & 31, (word >> 20) & 31
    if opcode in (r.STORE, r.BRANCH, r.FENCE) or rd == 0:
        return
    old = state.get(rd, _SAME)
    state[rd] = None
    if old is None:
        return
    constant, register = old
    if opcode == r.OP_IMM and (word >> 12) & 7 == 0 and rs1 == rd:
        state[rd] = constant + r.imm_i(word), register
    elif opcode == r.OP and word & 0xFE00_7000 == 0 and rd in (rs1, rs2):
        other = rs2 if rs1 == rd else rs1
        if register == 0 and other in fixed:
            state[rd] = constant, other


def _analyse(
    words: Mapping[int, int], jumps: Mapping[int, int | None], first: int, last: int
) -> Loop:
    """How pointers move in a round, and which accesses that covers."""
    body = range(first, last + 4, 4)
    changed = {(words[rel] >> 7) & 31 for rel in body if _writes(words[rel])}
    fixed = set(range(1, 32)) - changed
    arriving: dict[int, _State] = {first: {}}
    length = {first: 0}
    ending: _State | None = None
    shortest = len(body)
    offsets: dict[int, int] = {}
    for rel in body:
        if rel not in arriving:
            # Only reached from outside.
            continue
        word, target = words[rel], jumps[rel]
        state, count = arriving[rel], length[rel] + 1
        opcode = word & 0x7F
        if opcode in (r.LOAD, r.STORE) and (word >> 15) & 31:
            base = state.get((word >> 15) & 31, _SAME)
            if base is not None and base[1] == 0:
                imm = r.imm_i(word) if opcode == r.LOAD else r.imm_s(word)
                offsets[rel] = base[0] + imm
        _step(state, word, fixed)
        places = [target] if target is not None else []
        if opcode != r.JAL:
            places.append(rel + 4)
        for place in places:
            if place == first:
                ending = _merge(ending, state)
                shortest = min(shortest, count)
            elif first < place <= last:
                arriving[place] = _merge(arriving.get(place), state)
                length[place] = min(count, length.get(place, count))
    return Loop(first, last, shortest, _groups(words, offsets, ending or {}))


def _writes(word: int) -> bool:
    return word & 0x7F not in (r.STORE, r.BRANCH, r.FENCE)


def _groups(
    words: Mapping[int, int], offsets: Mapping[int, int], ending: _State
) -> dict[int, Group]:
    """The accesses with known offsets, put together by pointer."""
    together: dict[tuple[int, bool], list[int]] = {}
    for rel in offsets:
        key = (words[rel] >> 15) & 31, words[rel] & 0x7F == r.STORE
        together.setdefault(key, []).append(rel)
    found: dict[int, Group] = {}
    count = 0
    for (base, write), rels in together.items():
        motion = ending.get(base, _SAME)
        if motion is None or count == _MAX_GROUPS:
            continue
        stride, step = motion
        widths = {rel: 1 << ((words[rel] >> 12) & 3) for rel in rels}
        width = max(widths.values())
        low = min(offsets[rel] for rel in rels)
        high = max(offsets[rel] + widths[rel] for rel in rels)
        aligned = all((offsets[rel] - low) % widths[rel] == 0 for rel in rels)
        if (
            aligned
            and stride % width == 0
            and not (stride and step)
            and abs(stride) <= _MAX_STRIDE
            and high - low <= _MAX_SPAN
            and max(abs(low), abs(high)) <= _MAX_OFFSET
        ):
            group = Group(base, write, low, high, width, stride, step)
            found |= dict.fromkeys(rels, group)
            count += 1
    return found


def prepare(emitter: Emitter, loop: Loop, plain: str) -> tuple[str, dict[Group, str]]:
    """Write what precedes the quick copy; to the label `plain` if it cannot be used.

    Returns the steps left down to which it may begin another round, and for each group the
    pointer to which a register of its value is added.
    """
    value = emitter.value
    groups = sorted(set(loop.groups.values()), key=lambda group: (not group.step, -group.stride))
    left = value("load i32, ptr %left")
    bound = str(emitter.longest[loop.first])
    pointers = {}

    def branch(tests: list[str]) -> None:
        # One branch: each edge to the plain copy costs the register allocator dearly.
        all_of = tests[0]
        for test in tests[1:]:
            all_of = value(f"and i1 {all_of}, {test}")
        label = emitter.label("fits")
        emitter.branch_unless(all_of, plain, label)
        emitter.place(label)

    tests = []
    for step, width in sorted({(group.step, group.width) for group in groups if group.step}):
        less = value(f"add i32 {emitter.get(step)}, -1")
        tests.append(value(f"icmp ult i32 {less}, {_MAX_STRIDE}"))
        if width > 1:
            odd = value(f"and i32 {emitter.get(step)}, {width - 1}")
            tests.append(value(f"icmp eq i32 {odd}, 0"))
    if tests:
        branch(tests)
    tests = []
    for group in groups:
        base = emitter.get(group.base)
        # Not where the register could wrap around: it is extended to 64 bits.
        far = value(f"add i32 {base}, {_NEAR}")
        tests.append(value(f"icmp uge i32 {far}, {2 * _NEAR}"))
        va = value(f"add i32 {base}, {group.low}")
        tag = value(f"and i32 {va}, {-4096 | (group.width - 1)}")
        entry = emitter.entry(va, group.write)
        low = value(f"trunc i64 {entry} to i32")
        tests.append(value(f"icmp eq i32 {low}, {tag}"))
        inside = value(f"and i32 {va}, 4095")
        room = value(f"sub i32 {4096 - (group.high - group.low)}, {inside}")
        tests.append(value(f"icmp sge i32 {room}, 0"))
        if group.step:
            rounds = value(f"udiv i32 {room}, {emitter.get(group.step)}")
        elif group.stride > 0:
            rounds = value(f"udiv i32 {room}, {group.stride}")
        else:
            rounds = value(f"udiv i32 {inside}, {-group.stride}") if group.stride else ""
        if rounds:
            # At least so many steps are made in these rounds.
            steps = value(f"mul i32 {rounds}, {loop.shortest}")
            last = value(f"sub i32 {left}, {steps}")
            more = value(f"icmp sgt i32 {last}, {bound}")
            bound = value(f"select i1 {more}, i32 {last}, i32 {bound}")
        delta = value(f"trunc i64 {value(f'lshr i64 {entry}, 32')} to i32")
        offset = value(f"zext i32 {value(f'add i32 {va}, {delta}')} to i64")
        back = value(f"sub i64 {offset}, {value(f'zext i32 {va} to i64')}")
        pointers[group] = value(f"getelementptr i8, ptr %ram, i64 {back}")
    branch(tests)
    return bound, pointers
