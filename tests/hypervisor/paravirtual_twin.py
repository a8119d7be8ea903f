"""Bare, virtualised and model for a guest that calls the hypervisor.

The calls of the bare machine and of the model are those of toyvm/proofs/reference.py, which look
at the interrupt flag where the VM does.  Everything is compared, the flag's words too.
"""

from __future__ import annotations

from typing import Any

from tests.hypervisor.naive_computer import NaiveComputer
from tests.hypervisor.twin import Difference, Twin, check_quick
from toyvm.hypervisor import shadow
from toyvm.hypervisor.paravirtual import EXT_PV
from toyvm.machine import Stop
from toyvm.proofs.reference import Calls, Follower, follow, run

SIE = 1 << 1


class ModelPort:
    """What the calls need of a model."""

    def __init__(self, model: NaiveComputer) -> None:
        self.hart = model.hart
        self.read_memory = model.read_memory
        self.write_memory = model.write_memory

    def forget_translations(self) -> None:
        """The model walks the page tables at every access."""

    def get_sie(self) -> int:
        return self.hart.mstatus >> 1 & 1

    def set_sie(self, value: int) -> None:
        self.hart.mstatus = self.hart.mstatus & ~SIE | value << 1

    def held_back(self) -> bool:
        return bool(self.hart.mip() & self.hart.mie & self.hart.mideleg)

    def finish(self) -> None:
        self.hart.step(late=-1)


class ParavirtualTwin(Twin):
    """A Twin whose VM is on a rung of hypercalls; the others follow it."""

    def __init__(self, image: Any, technique: str, **options: Any) -> None:
        super().__init__(image, bios="sbi", technique=technique, **options)
        assert self.vm.paravirtual
        self.vm.control[shadow.TRACE] = 1
        self.follower = Follower(self.bare, self.vm)
        assert self.follower.calls
        self.calls = self.follower.calls
        if self.model:
            self.judge = Calls(ModelPort(self.model), self.vm.paravirtual.features)
            self.model.sbi.extend(EXT_PV, self.judge.call)

    def run(self, steps: int) -> Stop:
        """As Twin.run."""
        stop = run(self.vm, steps)
        log = list(self.follower.log)
        other = self.follower.catch_up()
        if stop.reason != "budget" and stop != other:
            raise Difference(f"bare stops with {other}, virtualised with {stop}")
        check_quick(self.bare, self.vm)
        if not self.follower.agrees():
            raise Difference(f"SIE is in memory: bare, virtualised {self.follower.flags()}")
        if self.model:
            follow(self.judge, log, self._model_to)
            self._model_to(self.vm.steps)
            self._check_model_often()
        return stop

    def _model_to(self, step: int) -> None:
        assert self.model
        self.model.run(max(0, step - self.model.hart.steps))
