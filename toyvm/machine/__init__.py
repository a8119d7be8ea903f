"""The physical computer: RAM, image loader, board of devices and the machine that runs them."""

from toyvm.machine.board import Board, Console
from toyvm.machine.computer import Computer, Stop
from toyvm.machine.loader import LoadError, Program, load_program
from toyvm.machine.machine import Machine
from toyvm.machine.memory import GuestRam, allocate_ram

__all__ = [
    "Board",
    "Computer",
    "Console",
    "GuestRam",
    "LoadError",
    "Machine",
    "Program",
    "Stop",
    "allocate_ram",
    "load_program",
]
