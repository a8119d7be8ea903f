"""Measurements for docs/performance.md: `make bench`."""
