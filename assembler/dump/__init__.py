"""Showing what object files and executables hold, close to how GNU objdump shows it."""
