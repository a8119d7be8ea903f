"""Expressions: numbers, registers, CSRs, symbols, memory, operators, mistakes."""

from __future__ import annotations

import pytest

from toyvm.debugger.errors import DebugError
from toyvm.debugger.expr import evaluate


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("0x10 | 0b101", 21),
        ("1 << 4 + 1", 32),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("~0 & 0xff", 255),
        ("!5", 0),
        ("3 > 2 && 2 > 3", 0),
        ("3 > 2 || 2 > 3", 1),
        ("5 == 5", 1),
        ("5 != 5", 0),
        ("'A'", 65),
        ("'\\n'", 10),
        ("6 ^ 3", 5),
    ],
)
def test_arithmetic_is_that_of_c(talk, text, value):
    assert evaluate(talk.session, text) == value


def test_registers_by_any_name(talk):
    talk.session.target.set_reg(10, 42)
    assert evaluate(talk.session, "$a0 + 8") == 50
    assert evaluate(talk.session, "$x10") == 42
    assert evaluate(talk.session, "$pc") == 0x8000_0000
    assert evaluate(talk.session, "$misa") == 0x4014_1101


def test_symbols_and_memory(talk):
    words = talk.address("words")
    assert evaluate(talk.session, "words") == words
    assert evaluate(talk.session, "*words") == 0x11223344
    assert evaluate(talk.session, "{short}words") == 0x3344
    assert evaluate(talk.session, "{char}(words+4)") == -0x11
    assert evaluate(talk.session, "{unsigned char}(words + 4)") == 0xEF
    assert evaluate(talk.session, "{int}(words+4)") == 0xDEADBEEF - (1 << 32)
    assert evaluate(talk.session, "*(words + 8) == text") == 1


def test_history(talk):
    talk.say("print 20", "print $1 + 1")
    assert evaluate(talk.session, "$") == 21
    assert evaluate(talk.session, "$1 + $2") == 41


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Argument required"),
        ("1 +", "Expression expected"),
        ("(1", 'Missing ")"'),
        ("1 2", 'Unexpected "2"'),
        ("1 / 0", "Division by zero"),
        ("1 << 99", "expected 0 to 63"),
        ("$ao", 'No register "$ao"; did you mean'),
        ("tripl", 'No symbol "tripl"; did you mean "triple"?'),
        ("a0", 'No symbol "a0"; the register is written $a0'),
        ("*0", "Cannot access memory at address 0x0"),
        ("{float}0", 'No type "float"'),
        ("1 @ 2", 'Invalid expression at "@ 2"'),
        ("$7", "History has not yet reached $7"),
        ("'\\q'", "Unknown escape"),
        ("(" * 500 + "1" + ")" * 500, "nested too deeply"),
    ],
)
def test_mistakes_are_named(talk, text, message):
    with pytest.raises(DebugError) as caught:
        evaluate(talk.session, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
