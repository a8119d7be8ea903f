"""LLVM IR text to machine code, through llvmlite.

One engine for each region, so that it can be unloaded alone.  All of it may run in any thread:
llvmlite serialises its calls, and they release the GIL.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from toyvm import jit

OPT_LEVEL: Final = 2
"""Of the code generator.  The passes over the IR are chosen below."""

_target: Any = None


def unavailable() -> str:
    """Why tier 2 cannot be used here, in a few words; "" if it can."""
    if not jit.COMPILED:
        return "the compiler is off (NUMBA_DISABLE_JIT)"
    if jit.BOUNDSCHECK:
        return "array accesses are checked (NUMBA_BOUNDSCHECK)"
    if sys.byteorder != "little":
        return "the host is big-endian"
    return ""


def host_processor() -> tuple[str, str]:
    """LLVM's name for this computer's processor, and what it can do."""
    import llvmlite.binding as llvm

    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def _machine() -> Any:
    """A target machine for this computer.  Engines take theirs over, so each needs its own."""
    import llvmlite.binding as llvm

    global _target
    if _target is None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        _target = llvm.Target.from_default_triple()
    cpu, features = host_processor()
    return _target.create_target_machine(
        cpu=cpu, features=features, opt=OPT_LEVEL, jit=True, codemodel="jitdefault"
    )


class Code:
    """Machine code of one function; `address` is where it begins, `size` bytes it takes."""

    def __init__(self, text: str, name: str) -> None:
        import llvmlite.binding as llvm

        machine = _machine()
        module = llvm.parse_assembly(text)
        # LLVM ends the process when it meets a mistake later.
        module.verify()
        module.triple = machine.triple
        module.data_layout = str(machine.target_data)
        tuning = llvm.create_pipeline_tuning_options(speed_level=1)
        builder = llvm.create_pass_builder(machine, tuning)
        passes = llvm.create_new_function_pass_manager()
        passes.add_sroa_pass()
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
        passes.run(module.get_function(name), builder)
        self.size = 0
        self._engine: Any = llvm.create_mcjit_compiler(module, machine)
        self._engine.set_object_cache(self._note_size, None)
        self._engine.finalize_object()
        self.address = int(self._engine.get_function_address(name))
        if not self.address:
            raise RuntimeError("the code generator returned no address")

    def _note_size(self, module: Any, data: bytes) -> None:
        self.size = len(data)

    def close(self) -> None:
        """Free the machine code; nobody may be able to call it any more."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
            self.address = 0
