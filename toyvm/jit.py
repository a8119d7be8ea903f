"""The one door to Numba.

`kernel` and `entry_kernel` are the only compiler decorators of the project.  Kernels are compiled
when they are first called and cached on disk, in a folder named after a hash of every kernel
source and of Numba's version: Numba itself only looks at a function's own file, so an edited
constant in an imported module would otherwise return stale results.

With NUMBA_DISABLE_JIT=1 the same kernels run as plain Python; with NUMBA_BOUNDSCHECK=1 every
array access is checked.  The raw loads and stores below are then ordinary indexing as well.
"""

from __future__ import annotations

import hashlib
import os
import platform as _host
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import platformdirs

#: Folders and files whose text decides what compiled code does.
_SOURCES = (
    "jit.py",
    "pipeline.py",
    "platform.py",
    *(f"isa/{name}.py" for name in ("op", "insn", "table", "csr", "sv32", "causes")),
    *(f"isa/{name}.py" for name in ("rv32i", "rv32m", "rv32a", "zicsr", "priv")),
    "hart",
    *(f"hypervisor/{name}.py" for name in ("vcpu", "emulate", "shadow", "reflect", "mmio")),
)
#: Caches of other versions that are kept: the bounds-check and plain-Python legs have their own.
_OLD_CACHES = 12


def source_hash() -> str:
    """First 16 hex digits of a SHA-256 over all sources that kernels are made of."""
    root = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for name in _SOURCES:
        path = root / name
        # Not what lies in folders below: tier 2 makes its code anew in each process.
        files = sorted(path.glob("*.py")) if path.is_dir() else [path]
        for file in filter(Path.is_file, files):
            digest.update(file.name.encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def cache_root() -> Path:
    """The user's cache folder of toyvm; TOYVM_CACHE_DIR overrides it."""
    override = os.environ.get("TOYVM_CACHE_DIR")
    return Path(override) if override else Path(platformdirs.user_cache_dir("toyvm", "toyvm"))


def _cache_dir(numba_version: str) -> Path:
    flags = "".join(
        letter
        for letter, name in (("b", "NUMBA_BOUNDSCHECK"), ("d", "NUMBA_DISABLE_JIT"))
        if os.environ.get(name, "0") not in ("", "0")
    )
    python = f"py{sys.version_info[0]}{sys.version_info[1]}"
    name = f"{source_hash()}-numba{numba_version}-{python}-{_host.machine()}{flags and '-' + flags}"
    return cache_root() / "kernels" / name


def _prune(directory: Path) -> None:
    """Remove the caches of old versions: all but this one and the few used last."""
    try:
        others = sorted(
            (path for path in directory.parent.iterdir() if path != directory and path.is_dir()),
            key=lambda path: path.stat().st_mtime,
        )
        for path in others[:-_OLD_CACHES]:
            shutil.rmtree(path, ignore_errors=True)
    except OSError:
        # Somebody else cleans up at the same time.
        return


def _import_numba() -> tuple[Any, Path]:
    import numba

    # Kernels are scalar code: the vectorisers would only make the first start longer.
    config: Any = numba.config
    config.LOOP_VECTORIZE = 0
    config.SLP_VECTORIZE = 0
    directory = _cache_dir(numba.__version__)
    try:
        if not directory.exists():
            directory.mkdir(parents=True, exist_ok=True)
            _prune(directory)
        probe = directory / f".write-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError:
        # A read-only home folder: kernels are then compiled anew in each process.
        return numba, Path()
    config.CACHE_DIR = str(directory)
    return numba, directory


numba, CACHE_DIR = _import_numba()
#: False under NUMBA_DISABLE_JIT=1: kernels are then plain Python.
COMPILED: bool = not numba.config.DISABLE_JIT
BOUNDSCHECK: bool = bool(numba.config.BOUNDSCHECK)
_CACHED = Path() != CACHE_DIR

_Locator: Any = getattr(numba.core.caching, "UserProvidedCacheLocator", None)
#: The cache is the same for every copy of these sources (an older Numba cannot do that).
_SHARED = _Locator is not None and hasattr(numba.config, "CACHE_LOCATOR_CLASSES")

if _SHARED:

    class KernelLocator(_Locator):
        """Finds the machine code of a kernel by its module's place inside the package.

        The cache folder is named after the sources, so it does not matter where a file lies or
        when it was changed.  Numba asks for both by default, and a second checkout or a new
        virtual environment would compile everything again.
        """

        ROOT = Path(__file__).resolve().parent

        @classmethod
        def get_suitable_cache_subpath(cls, py_file: str) -> str:
            path = Path(py_file).resolve()
            if cls.ROOT in path.parents:
                return "_".join(("toyvm", *path.relative_to(cls.ROOT).parent.parts))
            return str(super().get_suitable_cache_subpath(py_file))

        def get_source_stamp(self) -> Any:
            path = Path(self._py_file).resolve()
            if self.ROOT / "proofs" in path.parents:
                # Not part of the machine: a change there compiles nothing but the proofs again.
                texts = (file.read_bytes() for file in sorted(path.parent.glob("*.py")))
                return hashlib.sha256(b"".join(texts)).hexdigest()
            if self.ROOT in path.parents:
                return "as the name of the folder says"
            return super().get_source_stamp()

    numba.config.CACHE_LOCATOR_CLASSES = f"{__name__}.{KernelLocator.__name__}"


#: Every kernel of the project, in the order in which the modules define them.
KERNELS: list[Any] = []
_COMPILER: dict[str, Any] = {}
if COMPILED:
    from toyvm import pipeline

    _COMPILER["pipeline_class"] = pipeline.KernelCompiler


def _compile(function: Callable[..., Any], from_python: bool, inline: bool = False) -> Any:
    compiled = numba.njit(
        nogil=True,
        error_model="numpy",
        _nrt=False,
        no_cpython_wrapper=not from_python,
        no_cfunc_wrapper=True,
        forceinline=inline,
        **_COMPILER,
    )(function)
    if COMPILED and _CACHED and from_python:
        compiled._cache = pipeline.KernelCache(function)
    KERNELS.append(compiled)
    return compiled


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` with Numba when it is first called (cached, without the GIL).

    Kernels never raise, never allocate and never call back into Python; they return status
    codes.  Division by zero is the kernel's own business (error_model "numpy").  Reference
    counting is off: kernels only borrow the arrays that their Python callers own, and counting
    them made an exit of the hypervisor ten times slower.

    Only other kernels can call a kernel: an `entry_kernel` can also be called from Python.
    """
    return _compile(function, from_python=False)


def inline_kernel(function: Callable[..., Any]) -> Any:
    """A kernel whose machine code is put into its callers.

    Arrays are passed as seven words each, so a call that passes a whole Core or two costs as much
    as the work of a short kernel (see also `address_of`).
    """
    return _compile(function, from_python=False, inline=True)


def entry_kernel(function: Callable[..., Any]) -> Any:
    """A kernel that Python calls: it costs a wrapper, an eighth of a second to compile."""
    return _compile(function, from_python=True)


if COMPILED and not BOUNDSCHECK:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    def _raw(bits: int, store: bool) -> Any:
        """An unaligned little-endian access of `bits` bits at byte offset `offset` of `ram`.

        Plain indexing needs four byte accesses and their shifts.  The offset is not checked
        here: callers take it from a TLB entry or from a bounds-checked frame map.
        """

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            array = context.make_array(sig.args[0])(context, builder, args[0])
            base = builder.bitcast(array.data, ir.IntType(8).as_pointer())
            address = builder.gep(base, [args[1]])
            pointer = builder.bitcast(address, ir.IntType(bits).as_pointer())
            if store:
                value = args[2] if bits == 64 else builder.trunc(args[2], ir.IntType(bits))
                builder.store(value, pointer, align=1)
                return context.get_dummy_value()
            value = builder.load(pointer, align=1)
            return value if bits == 64 else builder.zext(value, ir.IntType(64))

        def type_store(typingctx: Any, ram: Any, offset: Any, value: Any) -> Any:
            return types.void(ram, types.int64, types.int64), generate

        def type_load(typingctx: Any, ram: Any, offset: Any) -> Any:
            return types.int64(ram, types.int64), generate

        return intrinsic(type_store if store else type_load)

    @intrinsic
    def call_region(typingctx, address, x, ram, tlb, first, dec, cache, state, home):
        """Call the machine code of tier 2 at `address` (hart/translate/emit.py); its new state.

        It gets pointers to the registers, RAM, the entry `first` of the TLB and the entry `cache`
        of the decoded words, the state and the address of its home page.
        """
        signature = types.int64(
            types.int64, x, ram, tlb, types.int64, dec, types.int64, types.int64, types.int64
        )

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            def pointer(i: int, offset: Any = None) -> Any:
                data = context.make_array(sig.args[i])(context, builder, args[i]).data
                if offset is not None:
                    data = builder.gep(data, [offset])
                return builder.bitcast(data, byte_pointer)

            byte_pointer = ir.IntType(8).as_pointer()
            wide, narrow = ir.IntType(64), ir.IntType(32)
            kind = ir.FunctionType(wide, [*[byte_pointer] * 4, wide, narrow])
            function = builder.inttoptr(args[0], kind.as_pointer())
            pointers = [pointer(1), pointer(2), pointer(3, args[4]), pointer(5, args[6])]
            return builder.call(function, [*pointers, args[7], builder.trunc(args[8], narrow)])

        return signature, generate

    load8, load16, load32 = _raw(8, False), _raw(16, False), _raw(32, False)
    store8, store16, store32 = _raw(8, True), _raw(16, True), _raw(32, True)
else:
    import numpy as np

    @kernel
    def call_region(address, x, ram, tlb, first, dec, cache, state, home):
        """Tier 2 is off here: nothing is ever called, and nothing is done."""
        return state

    @kernel
    def load8(ram, offset):
        """The byte at `offset` of `ram` (uint8 array), as int64."""
        return np.int64(ram[offset])

    @kernel
    def load16(ram, offset):
        """The little-endian half-word at byte `offset` of `ram`, as int64."""
        return np.int64(ram[offset]) | np.int64(ram[offset + 1]) << 8

    @kernel
    def load32(ram, offset):
        """The little-endian word at byte `offset` of `ram`, as int64."""
        return (
            np.int64(ram[offset])
            | np.int64(ram[offset + 1]) << 8
            | np.int64(ram[offset + 2]) << 16
            | np.int64(ram[offset + 3]) << 24
        )

    @kernel
    def store8(ram, offset, value):
        """Write the low byte of `value` at `offset` of `ram`."""
        ram[offset] = np.uint8(value & 255)

    @kernel
    def store16(ram, offset, value):
        """Write the low half-word of `value` at byte `offset` of `ram`."""
        ram[offset] = np.uint8(value & 255)
        ram[offset + 1] = np.uint8((value >> 8) & 255)

    @kernel
    def store32(ram, offset, value):
        """Write the low word of `value` at byte `offset` of `ram`."""
        ram[offset] = np.uint8(value & 255)
        ram[offset + 1] = np.uint8((value >> 8) & 255)
        ram[offset + 2] = np.uint8((value >> 16) & 255)
        ram[offset + 3] = np.uint8((value >> 24) & 255)


if COMPILED:
    from llvmlite import ir as _ir
    from numba.core import types as _types
    from numba.extending import intrinsic as _intrinsic
    from numba.np.arrayobj import populate_array as _populate_array

    def table_of(arrays: Sequence[Any], kinds: Sequence[str]) -> Any:
        """Where arrays are: (address, length) of each as int64.  TypeError if one is of another
        kind or does not lie in one piece.

        It is good as long as the arrays live: keep it where they are kept.
        """
        import numpy

        for array, kind in zip(arrays, kinds, strict=True):
            if array.ndim != 1 or array.dtype != kind or not array.flags.carray:
                raise TypeError(f"an array of {array.dtype}: expected {kind}, in one piece")
        places = [number for a in arrays for number in (a.ctypes.data, len(a))]
        return numpy.array(places, dtype=numpy.int64)

    def address_in_python(table: Any) -> Any:
        """What `address_of` gives a kernel."""
        return int(table.ctypes.data)

    def _address_of(typingctx: Any, table: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            array = context.make_array(sig.args[0])(context, builder, args[0])
            return builder.ptrtoint(array.data, _ir.IntType(64))

        return _types.int64(table), generate

    #: In a kernel: the address of a table, which fits into one register, for `opener`.
    address_of: Any = _intrinsic(_address_of)

    def opener(kind: Any, kinds: Sequence[str]) -> Any:
        """A function for kernels: the namedtuple `kind` whose table is at an address.

        Its fields are the arrays of the table, then the table itself.
        """
        arrays = [getattr(_types, name)[::1] for name in (*kinds, "int64")]
        result = _types.NamedTuple(arrays, kind)

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            wide = _ir.IntType(64)
            base = builder.inttoptr(args[0], wide.as_pointer())

            def word(i: int) -> Any:
                return builder.load(builder.gep(base, [wide(i)]))

            fields = []
            for i, of in enumerate(arrays):
                array = context.make_array(of)(context, builder)
                size = wide(of.dtype.bitwidth // 8)
                last = i == len(kinds)
                data = args[0] if last else word(2 * i)
                _populate_array(
                    array,
                    data=builder.inttoptr(data, array.data.type),
                    shape=[wide(2 * i) if last else word(2 * i + 1)],
                    strides=[size],
                    itemsize=size,
                    meminfo=None,
                )
                fields.append(array._getvalue())
            return context.make_tuple(builder, result, fields)

        def type_open(typingctx: Any, address: Any) -> Any:
            return result(_types.int64), generate

        return _intrinsic(type_open)

else:

    def table_of(arrays: Sequence[Any], kinds: Sequence[str]) -> Any:
        """Plain Python needs no addresses: the table is the arrays."""
        return tuple(arrays)

    def address_in_python(table: Any) -> Any:
        """What `address_of` gives a kernel."""
        return table

    def address_of(table):
        """A table stands for itself."""
        return table

    def opener(kind: Any, kinds: Sequence[str]) -> Any:
        """A function that gives back the namedtuple `kind` with the arrays of a table."""
        return lambda table: kind(*table, table)


def _never_in_python(value: Any) -> bool:
    return False


never: Any = _never_in_python
"""In a kernel: `never(x)` is False, which LLVM finds out late, after it has made switches.

A chain of comparisons becomes one jump table only if its first block is entered from few places
(SimplifyCFG in LLVM: their number times that of the cases is at most 128).  Behind
`if never(x): break` it is entered from one; of the test nothing remains.
"""
if COMPILED:

    def _never(typingctx: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            kind = _ir.FunctionType(_ir.IntType(1), [_ir.IntType(64)])
            known = builder.module.declare_intrinsic("llvm.is.constant.i64", fnty=kind)
            return builder.call(known, args)

        return _types.boolean(_types.int64), generate

    never = _intrinsic(_never)


#: Whether `clock` counts: elsewhere its instruction may be forbidden to programs.
HAS_CLOCK = not COMPILED or _host.machine().lower() in ("x86_64", "amd64")

clock: Any = time.perf_counter_ns
"""Ticks of the host processor's counter, for samples of time inside kernels; 0 without one."""
if COMPILED:

    def _read_counter(typingctx: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            if not HAS_CLOCK:
                return _ir.Constant(_ir.IntType(64), 0)
            counter = builder.module.declare_intrinsic(
                "llvm.readcyclecounter", fnty=_ir.FunctionType(_ir.IntType(64), [])
            )
            return builder.call(counter, [])

        return _types.int64(), generate

    clock = _intrinsic(_read_counter)


class CompileWatch:
    """Counts kernels as Numba finishes them, to feed a progress display."""

    def __init__(self, report: Callable[[str, int, int], None], total: int) -> None:
        self.report = report
        self.total = total
        self.done = 0
        self.started = time.monotonic()

    def on_start(self, event: Any) -> None:
        self.report(event.data["dispatcher"].py_func.__name__, self.done, self.total)

    def on_end(self, event: Any) -> None:
        self.done += 1
        self.report(event.data["dispatcher"].py_func.__name__, self.done, self.total)


def _warm_marker() -> Path:
    """A file that says: all kernels of these sources are in the cache.

    Where the cache cannot be shared it also matters where a file lies and when it was changed.
    """
    if _SHARED:
        return CACHE_DIR / "shared.warm"
    root = Path(__file__).resolve().parent
    digest = hashlib.sha256(str(root).encode())
    for file in sorted((*root.glob("hart/*.py"), *root.glob("hypervisor/*.py"))):
        digest.update(str(file.stat().st_mtime_ns).encode())
    return CACHE_DIR / f"{digest.hexdigest()[:16]}.warm"


def is_warm() -> bool:
    """True if all kernels were compiled and cached by an earlier process."""
    return not COMPILED or (_CACHED and _warm_marker().exists())


def mark_warm() -> None:
    """Record that all kernels are in the cache."""
    if COMPILED and _CACHED:
        _warm_marker().touch()


def compile_with_progress(
    start: Callable[[], None], report: Callable[[str, int, int], None], total: int
) -> float:
    """Call `start`, which makes Numba compile, and report each kernel; seconds taken.

    `report(kernel name, kernels done, kernels in all)` is called from this thread.
    """
    began = time.monotonic()
    if not COMPILED:
        start()
        return time.monotonic() - began
    from numba.core import event

    watch = CompileWatch(report, total)

    class Listener(event.Listener):
        def on_start(self, event: Any) -> None:
            watch.on_start(event)

        def on_end(self, event: Any) -> None:
            watch.on_end(event)

    with event.install_listener("numba:compile", Listener()):
        start()
    return time.monotonic() - began
