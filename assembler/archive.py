"""Archives (.a): members by name, and the members that define a symbol.

The format is GNU ar's (and BSD's long names): ``!<arch>``, then for every member a header of
60 characters.  The index of symbols is used if there is one; otherwise the members say
themselves what they define.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .objects import COMMON_INDEX, UNDEFINED_INDEX, ObjectFile
from .objread import ObjectError, read_object
from .source import decode

MAGIC = b"!<arch>\n"
THIN_MAGIC = b"!<thin>\n"
BSD_NAME = b"\x231/"
"""Begins the header of a member whose name stands before its content; its length follows."""
_HEADER = 60
_MEMBERS_MAX = 100_000


@dataclass(frozen=True)
class Member:
    """One file of an archive; ``offset`` is that of its header."""

    name: str
    offset: int
    data: bytes


@dataclass
class Archive:
    """An archive: ``defining`` maps symbols to the headers' offsets of members that define them."""

    name: str
    members: dict[int, Member] = field(default_factory=dict)
    defining: dict[str, int] = field(default_factory=dict)
    _read: dict[int, ObjectFile] = field(default_factory=dict)

    def object_at(self, offset: int) -> ObjectFile:
        """The object of the member whose header is at ``offset``; ObjectError if it is none."""
        found = self._read.get(offset)
        if found is None:
            member = self.members.get(offset)
            if member is None:
                raise ObjectError(
                    f"the index of the archive names a member at {offset:#x}, where none is",
                    "make the index again: riscv64-unknown-elf-ranlib FILE",
                )
            try:
                found = read_object(member.data, f"{self.name}({member.name})")
            except ObjectError as error:
                raise ObjectError(f"member {member.name}: {error.message}", error.hint) from None
            self._read[offset] = found
        return found


def read_archive(data: bytes, name: str = "archive") -> Archive:
    """The members and the index of an archive; ObjectError if it is broken."""
    if data[:8] == THIN_MAGIC:
        raise ObjectError(
            "this is a thin archive, which holds no members but their paths",
            "make an ordinary one (ar rcs), or name the objects themselves",
        )
    if data[:8] != MAGIC:
        raise ObjectError("this is not an archive: it does not begin with !<arch>")
    archive = Archive(name)
    index = b""
    long_names = b""
    at = len(MAGIC)
    while at < len(data):
        header = data[at : at + _HEADER]
        if len(header) < _HEADER or header[58:60] != b"`\n":
            raise ObjectError(f"the archive is broken: no member header at {at:#x}")
        try:
            size = int(header[48:58].split(b" ")[0] or b"x")
        except ValueError:
            raise ObjectError(f"the member at {at:#x} has no size") from None
        start = at + _HEADER
        if size < 0 or start + size > len(data):
            raise ObjectError(f"the archive is cut off inside its member at {at:#x}")
        if len(archive.members) >= _MEMBERS_MAX:
            raise ObjectError(f"the archive has more than {_MEMBERS_MAX} members")
        body = data[start : start + size]
        raw = header[:16].rstrip(b" ")
        if raw == b"/":
            index = body
        elif raw == b"//":
            long_names = body
        elif raw not in (b"/SYM64/", b"__.SYMDEF", b"__.SYMDEF SORTED"):
            text, body = _name(raw, long_names, body, at)
            if text not in ("__.SYMDEF", "__.SYMDEF SORTED"):
                archive.members[at] = Member(text, at, body)
        at = start + size + (size & 1)
    if index:
        _read_index(archive, index)
    else:
        _scan(archive)
    return archive


def _name(raw: bytes, long_names: bytes, body: bytes, at: int) -> tuple[str, bytes]:
    """A member's name, and its content without a name that stands before it."""
    if raw[:1] == b"/" and raw[1:].isdigit():
        offset = int(raw[1:])
        end = long_names.find(b"\n", offset)
        if offset >= len(long_names):
            raise ObjectError(f"the name of the member at {at:#x} is missing")
        text = long_names[offset : end if end >= 0 else len(long_names)]
        return decode(text.rstrip(b"/")), body
    if raw[:3] == BSD_NAME and raw[3:].isdigit():
        length = int(raw[3:])
        if length > len(body):
            raise ObjectError(f"the name of the member at {at:#x} is cut off")
        return decode(body[:length].rstrip(b"\0")), body[length:]
    return decode(raw.rstrip(b"/")), body


def _read_index(archive: Archive, index: bytes) -> None:
    if len(index) < 4:
        raise ObjectError("the index of the archive is cut off")
    count = int.from_bytes(index[:4], "big")
    if 4 + 4 * count > len(index):
        raise ObjectError("the index of the archive is cut off")
    names = index[4 + 4 * count :].split(b"\0")
    if len(names) < count:
        raise ObjectError("the index of the archive has too few names")
    for i in range(count):
        offset = int.from_bytes(index[4 + 4 * i : 8 + 4 * i], "big")
        archive.defining.setdefault(decode(names[i]), offset)


def _scan(archive: Archive) -> None:
    """An archive without an index: every member that is an object is asked."""
    for offset, member in archive.members.items():
        if member.data[:4] != b"\x7fELF":
            continue
        for symbol in archive.object_at(offset).symbols:
            if symbol.binding == "LOCAL" or symbol.section == UNDEFINED_INDEX:
                continue
            if symbol.section != COMMON_INDEX:
                archive.defining.setdefault(symbol.name, offset)
