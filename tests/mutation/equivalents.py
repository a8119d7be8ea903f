"""Mutants that no test can kill, because they do the same: name and why.

A mutant is named as `Mutant.name` does.  It is judged like all others; one that is killed has no
place here, and a test says so of names that no longer exist.
"""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {}
