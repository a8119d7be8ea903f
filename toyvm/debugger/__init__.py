"""The debugger: looks at machines and guests through one `Target` protocol.

It knows privilege, page tables and symbols. gdb's command names come first.
"""
