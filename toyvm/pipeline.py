"""How Numba compiles a kernel: fewer passes, and machine code only where Python calls.

Numba makes every function ready to be called by itself: it puts everything that the function calls
into its module, optimises the whole and makes machine code of it.  A kernel deep down would be
optimised once for each of its callers' callers.  Here a kernel that only other kernels call stays
what the front end made of it, and the kernels that Python calls take in all they reach and are
optimised once.

Everything here is about Numba's own classes: only `toyvm.jit` imports it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from llvmlite.binding import Linkage, newpassmanagers
from numba import _dynfunc  # type: ignore[attr-defined]
from numba.core import codegen, compiler, typed_passes, types, untyped_passes
from numba.core.caching import FunctionCache
from numba.core.compiler_machinery import PassManager, register_pass


class KernelFlags(compiler.Flags):
    """Compiler flags that are cheap to compare: Numba does it for each operation it types."""

    def __hash__(self) -> int:
        return hash(frozenset(self._values))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KernelFlags) and self._values == other._values


class InnerLibrary(codegen.JITCodeLibrary):
    """A kernel for other kernels: its own unoptimised code and the libraries that it calls."""

    def add_llvm_module(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout
        self._final_module.link_in(ll_module)

    def finalize(self) -> None:
        self._final_module.verify()
        self._finalized = True


class EntryLibrary(codegen.JITCodeLibrary):
    """A kernel that Python calls, with a private copy of everything that it reaches."""

    def finalize(self) -> None:
        module = self._final_module
        for library in self._callees(self):
            module.link_in(library._get_module_for_linking(), preserve=True)
        # What other kernels that call this one take in: as it is before optimisation.
        shared = module.clone()
        for function in shared.functions:
            if not function.is_declaration and function.linkage == Linkage.external:
                function.linkage = Linkage.linkonce_odr
        self._shared_module = shared
        passes, builder = self._codegen._module_pass_manager()
        passes.run(module, builder)
        for function in module.functions:
            # Not before: LLVM puts a private function with one caller into it, whatever its size.
            if not function.is_declaration and function.linkage == Linkage.linkonce_odr:
                function.linkage = Linkage.internal
        # An array is seven words, of which its address is wanted: the others are not passed.
        last = newpassmanagers.create_new_module_pass_manager()
        last.add_dead_arg_elimination_pass()
        last.add_global_dead_code_eliminate_pass()
        last.run(module, builder)
        module.verify()
        self._finalize_final_module()

    @staticmethod
    def _callees(library: Any) -> list[Any]:
        """Libraries of all kernels that this one reaches, each once."""
        found: list[Any] = []
        ahead = list(library._linking_libraries)
        while ahead:
            callee = ahead.pop()
            if callee not in found:
                found.append(callee)
                if isinstance(callee, InnerLibrary):
                    ahead += callee._linking_libraries
        return found


class _Operations:
    """A typing context that types each operation on scalars of the same types once.

    Numba tries all it knows about an operation, NumPy's universal functions included, wherever it
    stands: that was a sixth of a first start.
    """

    _known: ClassVar[dict[Any, Any]] = {}

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def resolve_function_type(self, func: Any, args: Any, kws: Any) -> Any:
        """Signature of `func` on `args`, as Numba's context has it."""
        scalar = types.Integer, types.Boolean
        if (
            kws
            or not isinstance(func, types.Function | types.NumberClass)
            or not all(isinstance(one, scalar) for one in args)
        ):
            return self._context.resolve_function_type(func, args, kws)
        key = func, tuple(args)
        if key not in self._known:
            self._known[key] = self._context.resolve_function_type(func, args, kws)
        return self._known[key]


class _Typing(typed_passes.NopythonTypeInference):
    """Type inference with a memory for operations."""

    def run_pass(self, state: Any) -> bool:
        context = state.typingctx
        state.typingctx = _Operations(context)
        try:
            return bool(super().run_pass(state))
        finally:
            state.typingctx = context


class _Lowering(typed_passes.NativeLowering):
    """To LLVM, into the kind of library that the kernel needs."""

    def run_pass(self, state: Any) -> bool:
        inner = state.flags.no_cpython_wrapper
        kind = InnerLibrary if inner else EntryLibrary
        state.library = kind(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        if not inner:
            return bool(super().run_pass(state))
        flags = state.flags
        state.flags = KernelFlags(flags)
        state.flags.no_compile = True
        super().run_pass(state)
        state.flags = flags
        state.library.finalize()
        lowered = state["cr"]
        # Numba wants a C function, of which it makes the key that callers find the kernel by.
        key = _dynfunc.make_function(
            lowered.fndesc.lookup_module(), lowered.fndesc.qualname, "", 0, lowered.env, ()
        )
        state.targetctx.insert_user_function(key, lowered.fndesc, [state.library])
        state["cr"] = lowered._replace(cfunc=key)
        return True


_PASSES = (
    (untyped_passes.TranslateByteCode, "analyse bytecode"),
    (untyped_passes.FixupArgs, "fix up arguments"),
    (untyped_passes.IRProcessing, "process the intermediate form"),
    (untyped_passes.ReconstructSSA, "single assignment"),
    (register_pass(mutates_CFG=True, analysis_only=False)(_Typing), "infer types"),
    (typed_passes.PreLowerStripPhis, "remove phi nodes"),
    (typed_passes.NoPythonSupportedFeatureValidation, "check features"),
    (typed_passes.AnnotateTypes, "annotate types"),
    (register_pass(mutates_CFG=True, analysis_only=False)(_Lowering), "lower to LLVM"),
    (typed_passes.NoPythonBackend, "machine code"),
)


class KernelCompiler(compiler.CompilerBase):
    """A Numba compiler with only those passes that kernels need.

    Kernels have no closures, no `with`, no literals to unroll and nothing to inline, so a third
    of Numba's work on them is looking for what is not there.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.state.flags = KernelFlags(self.state.flags)

    def define_pipelines(self) -> list[Any]:
        manager = PassManager("kernel")
        for one, what in _PASSES:
            manager.add_pass(one, what)
        manager.finalize()
        return [manager]


class KernelCache(FunctionCache):
    """Loads machine code without first loading all that Numba knows about types and functions."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)
