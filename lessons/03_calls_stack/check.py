"""Checks of lesson 3: the contract at every call and return, and the sum of random trees."""

from lessons import checks
from lessons.runner import Bench, Block, Case, Inputs

MASK = 0xFFFFFFFF
NODE = 12
"""Bytes of a node: value, left, right."""
STACK_FOR_LEVEL = 32
INSTRUCTIONS_FOR_NODE = 40


def plant(inputs: Inputs, shape: list[tuple[int, bool]], note: str) -> Case:
    """A call of sum with a tree of len(shape) + 1 nodes.

    ``shape`` gives each further node its parent's index and whether it is the left child.
    """
    addresses = [inputs.place(NODE) for _ in range(len(shape) + 1)]
    values = [inputs.word() for _ in addresses]
    children = [[0, 0] for _ in addresses]
    levels = [1]
    for index, (parent, left) in enumerate(shape, 1):
        children[parent][0 if left else 1] = addresses[index]
        levels.append(levels[parent] + 1)
    blocks = [
        Block("tree", at, b"".join(w.to_bytes(4, "little") for w in (value, *pair)))
        for at, value, pair in zip(addresses, values, children, strict=True)
    ]
    return Case(
        note=f"{note} of {len(addresses)} nodes",
        entry="sum",
        registers={"a0": addresses[0]},
        blocks=blocks,
        expected=(sum(values) & MASK, len(addresses), max(levels)),
    )


def bushy(inputs: Inputs) -> Case:
    """A random tree of 10 to 30 nodes, several of them with two children."""
    free = [(0, True), (0, False)]
    shape = []
    for index in range(1, inputs.randint(10, 30)):
        shape.append(free.pop(inputs.randrange(len(free))))
        free += [(index, True), (index, False)]
    return plant(inputs, shape, "a tree")


def chain(inputs: Inputs) -> Case:
    """A tree of 8 to 16 levels with one node each, left and right at random."""
    shape = [(parent, inputs.random() < 0.5) for parent in range(inputs.randint(7, 15))]
    return plant(inputs, shape, "a chain")


def nothing(inputs: Inputs) -> Case:
    """The empty tree."""
    return Case(note="the empty tree", entry="sum", registers={"a0": 0}, expected=(0, 0, 0))


ALL = (bushy, chain, nothing)


def test_returns(vm: Bench) -> None:
    checks.labels(vm, "sum")
    checks.returns(vm, *ALL)


def test_saved(vm: Bench) -> None:
    checks.labels(vm, "sum")
    checks.saved_registers(vm, *ALL)


def test_sp(vm: Bench) -> None:
    checks.labels(vm, "sum")
    checks.stack_pointer(vm, *ALL)


def test_temps(vm: Bench) -> None:
    checks.labels(vm, "sum")
    checks.temporaries(vm, *ALL)


def test_defined(vm: Bench) -> None:
    checks.labels(vm, "sum")
    checks.defined(vm, *ALL)


def test_frame(vm: Bench) -> None:
    checks.labels(vm, "sum")
    checks.stores_inside(vm, ALL, ())


def test_ends(vm: Bench) -> None:
    checks.labels(vm, "sum")
    checks.ends(vm, *ALL)


def test_sum(vm: Bench) -> None:
    for run in vm.runs(*ALL):
        checks.register(run, "a0", run.case.expected[0], "the sum of the tree's values")


def test_calls(vm: Bench) -> None:
    checks.after(vm, test_sum)
    for run in vm.runs(*ALL):
        nodes = run.case.expected[1]
        made = run.record.calls[run.program.symbols["sum"]]
        checks.at_least(run, made + 1, nodes, "calls of sum, the grader's included")


def test_depth(vm: Bench) -> None:
    checks.after(vm, test_sum)
    for run in vm.runs(*ALL):
        used = run.record.entry_sp - run.record.lowest_sp
        limit = STACK_FOR_LEVEL * (run.case.expected[2] + 1)
        checks.at_most(run, used, limit, "bytes of stack")


def test_count(vm: Bench) -> None:
    checks.after(vm, test_sum)
    for run in vm.runs(*ALL):
        limit = INSTRUCTIONS_FOR_NODE * (run.case.expected[1] + 1)
        checks.at_most(run, run.record.retired, limit, "instructions")
