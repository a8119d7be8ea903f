"""What people see: theme, tables, progress, live views, raw terminals.

This is the lowest layer that may import rich and prompt_toolkit, and it does so inside functions,
so that a plain run never pays for them.
"""
