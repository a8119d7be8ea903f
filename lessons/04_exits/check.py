"""Checks of lesson 4: the exit ledger, the console and the result word of virtual machines."""

from lessons import checks, exits
from lessons.runner import Bench, Block, Case, Inputs

MOST_ROUNDS = 256
MASK = 0xFFFFFFFF
PREDICTED = ("csr", "mmio", "sbi")
"""The causes in the order of the words at ``predict``: for each, in a round and once."""


def rounds(inputs: Inputs) -> Case:
    """A run of 20 to 256 rounds over random bytes."""
    n = inputs.randint(20, MOST_ROUNDS)
    return kernel(inputs, n)


def most(inputs: Inputs) -> Case:
    """A run of the most rounds, one more than fits in a byte."""
    return kernel(inputs, MOST_ROUNDS)


def few(inputs: Inputs) -> Case:
    """A run of 1 to 6 rounds."""
    return kernel(inputs, inputs.randint(1, 6))


def none(inputs: Inputs) -> Case:
    """A run of no rounds."""
    return kernel(inputs, 0)


def kernel(inputs: Inputs, n: int) -> Case:
    """A run of ``n`` rounds."""
    samples = inputs.randbytes(n)
    address = inputs.place(n, 1)
    letters = bytes(ord("a") + (byte & 15) for byte in samples)
    return Case(
        note=f"n = {n}",
        blocks=[Block("samples", address, samples)],
        words={"result": inputs.word(), "rounds": n, "samples": address},
        expected=(n, letters + b"\n", sum(samples) & MASK),
    )


LABELS = ("_start", "rounds", "samples", "result")
ALL = (rounds, most, few, none)


def test_ends(vm: Bench) -> None:
    checks.labels(vm, *LABELS)
    checks.starts_at(vm, "_start")
    for make in ALL:
        checks.ended_by_guest(vm, vm.guest_attempts(make))


def test_predict_csr(vm: Bench) -> None:
    predicted(vm, "csr")


def test_predict_mmio(vm: Bench) -> None:
    predicted(vm, "mmio")


def test_predict_sbi(vm: Bench) -> None:
    predicted(vm, "sbi")


def predicted(vm: Bench, cause: str) -> None:
    """The two words for ``cause`` give the exits of the given kernel for every n."""
    checks.labels(vm, "predict")
    at = vm.program.symbols["predict"] + 8 * PREDICTED.index(cause)
    words = vm.program.image_bytes(at, 8)
    if words is None:
        raise checks.Fail(
            f"no words for {exits.title(cause)} at the label 'predict'",
            "six words: in a round and once, for each of the three causes",
            where=vm.source,
        )
    each = int.from_bytes(words[:4], "little", signed=True)
    once = int.from_bytes(words[4:], "little", signed=True)
    for make in ALL:
        for run in vm.guests(make, given=True):
            n = run.case.expected[0]
            checks.prediction(vm, run, cause, each, once, n)


def test_console(vm: Bench) -> None:
    for make in ALL:
        for run in vm.guests(make):
            checks.console(vm, run, run.case.expected[1])


def test_result(vm: Bench) -> None:
    for make in ALL:
        for run in vm.guests(make):
            checks.guest_word(vm, run, "result", run.case.expected[2], "the total of the bytes")


def test_half(vm: Bench) -> None:
    checks.after(vm, test_console, test_result)
    for make in (rounds, most, few):
        for run, given in zip(vm.guests(make), vm.guests(make, given=True), strict=True):
            checks.fewer_exits(vm, run, given, 2)


def facts(vm: Bench) -> list[str]:
    """The ledgers, once all six numbers are predicted."""
    at = vm.program.symbols.get("predict")
    words = None if at is None else vm.program.image_bytes(at, 8 * len(PREDICTED))
    if words is None or any(words[i + 3] & 0x80 for i in range(0, len(words), 4)):
        return []
    lines = ["exits      n" + "".join(f"{exits.title(c):>18}" for c in PREDICTED) + "     all"]
    for make in ALL:
        for name, given in (("given", True), ("here", False)):
            run = vm.guest_attempts(make, given)[0]
            counts = "".join(f"{run.exits[c]:>18}" for c in PREDICTED)
            lines.append(f"{name:5} {run.case.expected[0]:>6}{counts}{run.total:>8}")
    return lines
