"""Checks of lesson 2: results in memory, and every address that was loaded from or stored to."""

from lessons import checks
from lessons.runner import Bench, Block, Case, Inputs, Run

MOST_ELEMENTS = 100
LOWEST_OF_NONE = 0x7FFFFFFF
FOR_EACH, ONCE = 8, 16
"""Instructions for each element, and once for each call."""


def string_of(inputs: Inputs, size: int) -> Case:
    """A call of length with a string of ``size`` random bytes, half of them above 0x7f."""
    text = bytes(inputs.randint(1, 255) for _ in range(size)) + b"\0"
    address = inputs.place(len(text), 1)
    return Case(
        note=f"a string of {size} bytes",
        entry="length",
        registers={"a0": address},
        blocks=[Block("string", address, text)],
        expected=size,
    )


def string_even(inputs: Inputs) -> Case:
    """A call of length with a string of an even number of bytes."""
    return string_of(inputs, 2 * inputs.randint(1, MOST_ELEMENTS // 2))


def string_odd(inputs: Inputs) -> Case:
    """A call of length with a string of an odd number of bytes: steps of two miss its end."""
    return string_of(inputs, 2 * inputs.randint(1, MOST_ELEMENTS // 2) - 1)


def empty_string(inputs: Inputs) -> Case:
    """A call of length with the empty string."""
    return string_of(inputs, 0)


def array(inputs: Inputs, entry: str, values: list[int], width: int, expected: int) -> Case:
    """A call of ``entry`` with an array of unsigned ``values`` of ``width`` bytes."""
    data = b"".join(value.to_bytes(width, "little") for value in values)
    start = inputs.place(len(data), width)
    result = inputs.place(width, width)
    unit = "bytes" if width == 1 else "words"
    return Case(
        note=f"an array of {len(values)} {unit}",
        entry=entry,
        registers={"a0": start, "a1": len(values), "a2": result},
        blocks=[
            Block("array", start, data),
            Block("result", result, inputs.randbytes(width), readable=False),
        ],
        expected=expected,
    )


def bytes_spread(inputs: Inputs) -> Case:
    """A call of largest with random bytes; bytes above 0x7f are among them."""
    values = [inputs.getrandbits(8) for _ in range(inputs.randint(8, MOST_ELEMENTS))]
    values[inputs.randrange(len(values))] = inputs.randint(0x80, 0xFF)
    return array(inputs, "largest", values, 1, max(values))


def bytes_last(inputs: Inputs) -> Case:
    """A call of largest where the last byte is the largest, and the byte behind it larger."""
    values = [inputs.randint(0, 99) for _ in range(inputs.randint(1, 30))] + [100]
    case = array(inputs, "largest", values, 1, 100)
    case.blocks.append(Block("byte behind", case.blocks[0].address + len(values), b"\xff"))
    return case


def bytes_none(inputs: Inputs) -> Case:
    """A call of largest with no bytes."""
    return array(inputs, "largest", [], 1, 0)


def words_spread(inputs: Inputs) -> Case:
    """A call of lowest with random words of both signs."""
    values = [inputs.word() for _ in range(inputs.randint(8, MOST_ELEMENTS))]
    low, high = inputs.sample(range(len(values)), 2)
    values[low] |= 0x80000000
    values[high] &= 0x7FFFFFFF
    return array(inputs, "lowest", values, 4, min(values, key=signed))


def words_last(inputs: Inputs) -> Case:
    """A call of lowest with positive words, of which the last is the lowest."""
    values = [inputs.randint(1000, 0x7FFFFFFF) for _ in range(inputs.randint(1, 30))] + [999]
    return array(inputs, "lowest", values, 4, 999)


def words_none(inputs: Inputs) -> Case:
    """A call of lowest with no words."""
    return array(inputs, "lowest", [], 4, LOWEST_OF_NONE)


def signed(word: int) -> int:
    """The word as a signed number."""
    return word - (1 << 32) if word >> 31 else word


LABELS = ("length", "largest", "lowest")
FULL = (string_even, string_odd, bytes_spread, bytes_last, words_spread, words_last)
NONE = (empty_string, bytes_none, words_none)


def test_defined(vm: Bench) -> None:
    checks.labels(vm, *LABELS)
    checks.defined(vm, *FULL, *NONE)


def test_reads(vm: Bench) -> None:
    checks.labels(vm, *LABELS)
    checks.loads_inside(vm, FULL, ("array", "string"))


def test_writes(vm: Bench) -> None:
    checks.labels(vm, *LABELS)
    checks.stores_inside(vm, FULL + NONE, ("result",))


def test_ends(vm: Bench) -> None:
    checks.labels(vm, *LABELS)
    checks.ends(vm, *FULL, *NONE)


def test_length(vm: Bench) -> None:
    for run in vm.runs(string_even, string_odd):
        checks.register(run, "a0", run.case.expected, "the bytes before the zero")


def test_largest(vm: Bench) -> None:
    for run in vm.runs(bytes_spread, bytes_last):
        result(run, "the largest byte")


def test_lowest(vm: Bench) -> None:
    for run in vm.runs(words_spread, words_last):
        result(run, "the lowest word")


def test_empty(vm: Bench) -> None:
    checks.labels(vm, *LABELS)
    checks.loads_inside(vm, NONE, ("string",))
    for run in vm.runs(empty_string):
        checks.register(run, "a0", 0, "the length of the empty string")
    for run in vm.runs(bytes_none):
        result(run, "the largest of no bytes")
    for run in vm.runs(words_none):
        result(run, "the lowest of no words")


def test_count(vm: Bench) -> None:
    checks.after(vm, test_length, test_largest, test_lowest)
    for run in vm.runs(*FULL):
        elements = run.case.registers.get("a1", run.case.expected)
        limit = FOR_EACH * elements + ONCE
        checks.at_most(run, run.record.retired, limit, f"instructions in {run.case.entry}")


def result(run: Run, what: str) -> None:
    """The result in memory is as expected; the bytes around it are judged by 'writes'."""
    block = next(block for block in run.case.blocks if block.name == "result")
    got = int.from_bytes(run.read(block.address, len(block.data)), "little")
    checks.stored(run, got, run.case.expected, what, block, signed=len(block.data) == 4)
