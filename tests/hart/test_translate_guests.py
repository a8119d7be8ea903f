"""Every shipped guest and every probe, in both tiers: the same at each stop and at the end."""

from __future__ import annotations

import os
import random

import pytest

import guestos
from guestos import manifest
from tests.support.tiers import Tiers
from toyvm.hart.translate.backend import unavailable
from toyvm.hypervisor import Vm
from toyvm.machine import Machine

pytestmark = pytest.mark.skipif(unavailable() != "", reason=f"no tier 2: {unavailable()}")

STEPS = 2_000_000 if os.environ.get("TOYVM_FULL") else 25_000
GUESTS = sorted(name for name, guest in manifest().items() if guest.kind != "firmware")


@pytest.mark.parametrize("name", GUESTS)
def test_guest(name: str) -> None:
    guest = manifest()[name]
    kind = (Machine, Vm)[len(name) & 1]
    image = guestos.build(name)
    pair = Tiers(image, kind, ram=guest.ram, bios=guest.bios, disks=guest.drives)
    rng = random.Random(name)
    left = STEPS
    sizes = []
    while left > 0:
        sizes.append(rng.choice((60, 700, 701, 3000, 9000)))
        left -= sizes[-1]
    pair.finish(sizes)
