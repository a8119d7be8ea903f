"""The `toyvm` program: argument parsing, one module per command.

Everything heavy is imported inside the functions that need it: `toyvm --help` loads neither a
compiler nor a terminal library.
"""
