"""Lines to statements: comments, strings, labels and operands, with their columns.

Most lines fit one regular expression, ``SIMPLE``; the rest (several statements, strings,
character constants, comments in the middle) goes through ``split_statements``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .diagnostics import Problem

_LABEL = r"(?:[^\W\d]|[.$])[\w.$]*|[0-9]+"
_QUOTED = r'"(?:[^"\\]|\\.)+"'

SIMPLE = re.compile(
    rf"""[ \t]*+
    (?:({_LABEL})[ \t]*+:(?!:)[ \t]*+)?             # a label
    (?:([^\W\d][\w.$]*+|\.[\w.$]++)               # a mnemonic, directive or macro
       (?:[ \t]++([^"'\#;/\\\r\f\v\0=:][^"'\#;/\\\r\f\v\0]*+)?)?)?   # operands
    \r?(?:\#.*)?$""",
    re.VERBOSE,
)
"""A line of at most a label and one statement without quotes: label, mnemonic, operands."""

_HEAD_LABEL = re.compile(rf"[ \t\f\v\r]*({_LABEL}|{_QUOTED})[ \t]*:(?!:)")
_HEAD = re.compile(r"[ \t\f\v\r]*((?:[^\W\d]|[.$])[\w.$\\@()]*)(?=[\s=]|$)")
_ASSIGN = re.compile(rf"[ \t\f\v\r]*((?:[^\W\d]|[.$])[\w.$]*|{_QUOTED})[ \t]*(==?)(?!=)")
_GROUPING = re.compile(r"""["'()]""")
_PIECE = re.compile(r"""["';#/]""")
_STRING_END = re.compile(r'(?:[^"\\]|\\.)*(")?', re.DOTALL)
_CHAR = re.compile(r"'(?:\\[0-7]{1,3}|\\.|[^\\])?'?", re.DOTALL)


class Span(NamedTuple):
    """Text and the column (from 0) where it begins in its line."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """The column behind the text."""
        return self.start + len(self.text)


class Statement(NamedTuple):
    """Labels, then a mnemonic, directive, macro call or assignment with its operands.

    An assignment ``name = value`` has ``op`` "=" (or "==") and the name as ``target``.
    """

    labels: tuple[Span, ...]
    op: Span | None
    operands: Span
    target: Span | None = None


def skip_quoted(text: str, at: int) -> int:
    """The index behind the string or character constant that begins at ``at``."""
    if text[at] == '"':
        found = _STRING_END.match(text, at + 1)
        assert found is not None
        return found.end()
    found = _CHAR.match(text, at)
    assert found is not None
    return found.end()


def split_line(line: str) -> list[Span]:
    """The statements of a line: cut at ``;`` outside quotes, comments left away."""
    pieces: list[Span] = []
    start = at = 0
    end = len(line)
    while True:
        found = _PIECE.search(line, at)
        if found is None:
            break
        at = found.start()
        char = line[at]
        if char in "\"'":
            at = skip_quoted(line, at)
        elif char == ";":
            pieces.append(Span(line[start:at], start))
            at += 1
            start = at
        elif char == "#" or line.startswith("//", at):
            end = at
            break
        else:
            at += 1
    pieces.append(Span(line[start:end], start))
    return pieces


def parse_statement(span: Span) -> Statement:
    """Take one statement (from ``split_line``) apart."""
    text = span.text
    labels: list[Span] = []
    at = 0
    while True:
        found = _HEAD_LABEL.match(text, at)
        if found is None:
            break
        labels.append(Span(found[1], span.start + found.start(1)))
        at = found.end()
    nothing = Span("", span.start + len(text))
    if not text[at:].strip():
        return Statement(tuple(labels), None, nothing)
    assign = _ASSIGN.match(text, at)
    if assign is not None:
        return Statement(
            tuple(labels),
            Span(assign[2], span.start + assign.start(2)),
            stripped(text[assign.end() :], span.start + assign.end()),
            Span(assign[1], span.start + assign.start(1)),
        )
    head = _HEAD.match(text, at)
    if head is None:
        word = stripped(text[at:], span.start + at)
        first = re.match(r"\S+", word.text)
        assert first is not None
        return Statement(tuple(labels), Span(first[0], word.start), nothing)
    return Statement(
        tuple(labels),
        Span(head[1], span.start + head.start(1)),
        stripped(text[head.end() :], span.start + head.end()),
    )


def stripped(text: str, start: int) -> Span:
    """The text without blanks around it."""
    lead = len(text) - len(text.lstrip())
    return Span(text.strip(), start + lead)


def split_operands(text: str, start: int = 0) -> list[Span]:
    """Operands: cut at commas outside quotes and parentheses, blanks kept.

    No text gives no operands.
    """
    if not text.strip():
        return []
    out: list[Span] = []
    if _GROUPING.search(text) is None:
        for piece in text.split(","):
            out.append(Span(piece, start))
            start += len(piece) + 1
        return out
    depth = 0
    begin = at = 0
    while at < len(text):
        char = text[at]
        if char in "\"'":
            at = skip_quoted(text, at)
            continue
        if char == "(":
            depth += 1
        elif char == ")":
            depth = max(0, depth - 1)
        elif char == "," and depth == 0:
            out.append(Span(text[begin:at], start + begin))
            begin = at + 1
        at += 1
    out.append(Span(text[begin:], start + begin))
    return out


def blank_comments(text: str) -> tuple[str, int]:
    """Replace ``/* */`` comments by blanks, keeping lines and columns.

    Returns the text and the index of a comment that never ends, or -1.
    """
    if "/*" not in text:
        return text, -1
    out: list[str] = []
    start = at = 0
    search = re.compile(r"""["'#\n]|/[/*]""").search
    while True:
        found = search(text, at)
        if found is None:
            break
        at = found.start()
        token = found[0]
        if token == "/*":
            end = text.find("*/", at + 2)
            if end < 0:
                return "".join([*out, text[start:at]]), at
            out.append(text[start:at])
            out.append(re.sub(r"[^\n\t]", " ", text[at : end + 2]))
            start = at = end + 2
        elif token in ("#", "//"):
            at = text.find("\n", at)
            if at < 0:
                break
        elif token == "\n":
            at += 1
        else:
            end = text.find("\n", at)
            line_end = len(text) if end < 0 else end
            at = min(skip_quoted(text, at), line_end + (token == '"'))
            at = max(at, found.end())
    out.append(text[start:])
    return "".join(out), -1


_STRING_ESCAPES = {
    "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34, "'": 39,
}  # fmt: skip


def unescape(text: str, encode) -> bytes:
    """The bytes of a string between its quotes: escapes as in GNU as.

    ``\\ooo`` takes up to three octal digits, ``\\xhh...`` any number of hexadecimal ones
    (the low byte counts).  Problem for an unknown escape.
    """
    if "\\" not in text:
        return encode(text)
    out = bytearray()
    at = 0
    while at < len(text):
        slash = text.find("\\", at)
        if slash < 0:
            out += encode(text[at:])
            break
        out += encode(text[at:slash])
        found = _ESCAPE.match(text, slash + 1)
        if found is None:
            wrong = text[slash : slash + 2]
            raise Problem(
                f"`{wrong}` is not an escape sequence",
                span=(slash + 1, slash + 1 + len(wrong)),
                expected=r"one of \n \t \r \b \f \\ \" \ooo \xhh",
            )
        if found["octal"]:
            out.append(int(found["octal"], 8) & 0xFF)
        elif found["hex"]:
            out.append(int(found["hex"][-2:], 16))
        else:
            out.append(_STRING_ESCAPES[found["char"]])
        at = found.end()
    return bytes(out)


_ESCAPE = re.compile(r"""(?P<octal>[0-7]{1,3})|[xX](?P<hex>[0-9a-fA-F]+)|(?P<char>[bfnrtv\\"'])""")


def parse_string(text: str, encode) -> bytes:
    """The bytes of a quoted string operand; several strings side by side are joined."""
    text = text.strip()
    if not text.startswith('"'):
        raise Problem("this is not a string", expected='text in double quotes, as in "hello"')
    out = b""
    at = 0
    while at < len(text):
        if text[at] in " \t":
            at += 1
            continue
        if text[at] != '"':
            raise Problem("unexpected text after the string", span=(at, len(text)))
        found = _STRING_END.match(text, at + 1)
        assert found is not None
        end = found.end()
        if found[1] is None:
            raise Problem("this string is never closed", span=(at, end), hint='add a `"`')
        out += unescape(text[at + 1 : end - 1], encode)
        at = end
    return out
