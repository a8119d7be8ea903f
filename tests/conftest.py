"""What holds for all tests."""

from __future__ import annotations

import gc
import signal

import pytest


def pytest_configure() -> None:
    """Tests press Ctrl-C.  A shell without job control starts what it puts in the background deaf
    to that, and every process that such a pytest starts would be deaf as well."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> object:
    """Thousands of tests that all stay: nothing for the garbage collector to look at."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
