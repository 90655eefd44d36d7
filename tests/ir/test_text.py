"""Programs as text, and text as programs; what is wrong with text that is none."""

from __future__ import annotations

from itertools import product
from textwrap import dedent

import pytest
from tests.ir.same import same_program

from ir import ops
from ir.build import Builder
from ir.loc import Loc
from ir.op import REGISTRY
from ir.parser import ParseError, parse_program, parse_type
from ir.printer import print_program
from ir.types import ArrayType

EXACT_TEXTS = {
    "empty": "program nothing() {\n  return\n}",
    "identity": "program p(%0: f64[3], %1: i32[]) {\n  return %1, %0, %1\n}",
    "special numbers": """\
program p() {
  %0: f64[] = constant[value=nan]
  %1: f64[] = constant[value=inf]
  %2: f64[] = constant[value=-inf]
  %3: f64[] = constant[value=-0.0]
  %4: f64[] = constant[value=5e-324]
  %5: f32[] = constant[value=0.10000000149011612, dtype='f32']
  %6: f64[5] = literal[values=(nan, -inf, inf, -0.0, 1e+300), dtype='f64', shape=(5,)]
  %7: i64[] = constant[value=-9223372036854775808, dtype='i64']
  %8: bool[2,0] = constant[value=True, dtype='bool', shape=(2, 0)]
  return %0, %1, %2, %3, %4, %5, %6, %7, %8
}""",
    "effects": """\
program p(%0: bool[]) {
  guard %0
  guard[expected=False] %0
  check[message='it\\'s "here" [\\n) #', error='ValueError'] %0
  return
}""",
    "bodies": """\
program p(%0: f64[2]) {
  %1: f64[2], %2: f64[] = call %0 {
    program inner(%0: f64[2]) {
      %1: f64[] = reduce_sum[axes=(0,)] %0
      call {
        program deeper() {
          return
        }
      }
      return %0, %1
    }
  }
  return %2
}""",
}


@pytest.mark.parametrize("text", EXACT_TEXTS.values(), ids=EXACT_TEXTS)
def test_text_is_read_and_printed_alike(text: str) -> None:
    p = parse_program(text)
    assert str(p) == text
    same_program(parse_program(str(p)), p)


def test_names_blanks_and_comments_are_free() -> None:
    p = parse_program("""
        program   p ( %x : f64[3] , %y:f64[3] ) {   # the head
          # a line of its own

          %both: f64[3] = add   %x,%y   # model.py:7 <- jvp
          return %both }
        """)
    assert str(p) == (
        "program p(%0: f64[3], %1: f64[3]) {\n  %2: f64[3] = add %0, %1\n  return %2\n}"
    )


def test_two_programs_built_apart_print_alike() -> None:
    def build() -> str:
        b = Builder()
        x = b.param(ArrayType("f64", (2,)))
        return str(b.finish(b(ops.Mul(), x, b(ops.Sin(), x))))

    assert build() == build()


def test_locations_and_marks() -> None:
    b = Builder()
    x = b.param(ArrayType("f64", (2,)))
    with b.at(Loc("/home/me/model.py", 7).through("jvp")):
        y = b(ops.Sin(), x)
    z = b(ops.Cos(), y)
    p = b.finish(z)
    text = print_program(p, locs=True, mark={p.equations[1]: "+"})
    assert text.splitlines() == [
        "program program(%0: f64[2]) {",
        "    %1: f64[2] = sin %0".ljust(64) + "  # model.py:7 <- jvp",
        "+   %2: f64[2] = cos %1",
        "  return %2",
        "}",
    ]
    assert str(parse_program(print_program(p, locs=True))) == str(p)


ERRORS = {
    "no program": ("", """\
        line 1, column 1: expected 'program'

          ^"""),
    "unknown op": ("program p(%0: f64[]) {\n  %1: f64[] = sine %0\n  return %1\n}", """\
        line 2, column 15: no op is called sine
            %1: f64[] = sine %0
                        ^"""),
    "unknown dtype": ("program p(%0: f16[]) {\n  return\n}", """\
        line 1, column 15: no dtype is called f16; there are bool, i32, i64, f32, f64
          program p(%0: f16[]) {
                        ^"""),
    "no shape": ("program p(%0: f64) {\n  return\n}", """\
        line 1, column 18: expected a shape such as [4,3]
          program p(%0: f64) {
                           ^"""),
    "undefined name": ("program p(%0: f64[]) {\n  %1: f64[] = add %0, %2\n  return %1\n}", """\
        line 2, column 23: %2 is used before it is defined
            %1: f64[] = add %0, %2
                                ^"""),
    "defined twice": ("program p(%0: f64[]) {\n  %0: f64[] = sin %0\n  return %0\n}", """\
        line 2, column 3: %0 is defined twice
            %0: f64[] = sin %0
            ^"""),
    "wrong type": ("program p(%0: f64[2]) {\n  %1: f64[3] = sin %0\n  return %1\n}", """\
        line 2, column 3: sin gives f64[2] here
            %1: f64[3] = sin %0
            ^"""),
    "type rule": ("program p(%0: i64[2]) {\n  %1: i64[2] = sin %0\n  return %1\n}", """\
        line 2, column 3: sin: needs a dtype of kind float (operand=i64[2])
            %1: i64[2] = sin %0
            ^"""),
    "too few operands": ("program p(%0: f64[2]) {\n  %1: f64[2] = add %0\n  return %1\n}", """\
        line 2, column 3: add: wrong number of operands (given=1, needed=2)
            %1: f64[2] = add %0
            ^"""),
    "unknown field": ("program p() {\n  %1: f64[] = constant[number=1]\n  return %1\n}", """\
        line 2, column 15: constant has no field number
            %1: f64[] = constant[number=1]
                        ^"""),
    "missing field": ("program p() {\n  %1: f64[] = constant\n  return %1\n}", """\
        line 2, column 15: constant cannot be made so: Constant.__init__() missing 1 required \
positional argument: 'value'
            %1: f64[] = constant
                        ^"""),
    "bracket": ("program p() {\n  %1: f64[] = constant[value=1\n  return %1\n}", """\
        line 2, column 23: this '[' is never closed
            %1: f64[] = constant[value=1
                                ^"""),
    "bad field": ("program p() {\n  %1: f64[] = constant[value=f(1)]\n  return %1\n}", """\
        line 2, column 30: a field holds a number, a string, or a tuple of them
            %1: f64[] = constant[value=f(1)]
                                       ^"""),
    "no return": ("program p(%0: f64[]) {\n  %1: f64[] = sin %0\n", """\
        line 2, column 21: the program has no 'return'
            %1: f64[] = sin %0
                              ^"""),
    "after the end": ("program p() {\n  return\n} and more", """\
        line 3, column 3: text after the program's end
          } and more
            ^"""),
    "not closed": ("program p() {\n  return", """\
        line 2, column 9: expected '}'
            return
                  ^"""),
    "wrong body": ("program p(%0: f64[]) {\n  call %0 {\n    program q() {\n      return\n    }\n"
                   "  }\n  return\n}", """\
        line 2, column 3: call: operands do not fit the body's parameters ()
            call %0 {
            ^"""),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), ERRORS.values(), ids=ERRORS)
def test_broken_text_is_told_where(text: str, message: str) -> None:
    with pytest.raises(ParseError) as error:
        parse_program(text)
    want = dedent(message).splitlines()
    assert [line.rstrip() for line in str(error.value).splitlines()] == want


def nested(depth: int) -> str:
    inner = "program p() {\n  return\n}"
    for _ in range(depth):
        inner = "program p() {\n  call {\n" + inner + "\n  }\n  return\n}"
    return inner


def framed(equation: str, params: str = "") -> str:
    return f"program p({params}) {{\n  {equation}\n  return\n}}"


LONG = 100_000
HOSTILE = {
    "deep bodies": nested(2000),
    "deep tuples": framed(f"%0: f64[] = constant[value={'(' * LONG}1{')' * LONG}]"),
    "deep signs": framed(f"%0: f64[] = constant[value={'-' * LONG}1]"),
    "open brackets": "program p() {\n  %0: f64[] = constant[" + "[" * LONG,
    "a huge integer": framed(f"%0: i64[] = constant[value={'9' * LONG}, dtype='i64']"),
    "beyond i64": framed("%0: i64[] = constant[value=99999999999999999999, dtype='i64']"),
    "a huge shape": f"program p(%0: f64[{'9' * LONG}]) {{\n  return\n}}",
    "a long name": "program " + "p" * LONG,
    "a long line": "program p(" + "%0 " * LONG,
    "a long string": "program p(%0: bool[]) {\n  check[message='" + "x" * LONG,
    "quotes": "program p(%0: bool[]) {\n  check[message=" + "'" * LONG,
    "nul": framed("%0: f64[] = constant[value='\0']"),
    "blanks": " " * LONG + "\n" * LONG + "program",
    "braces": "program p() {" + "{" * LONG,
    "fields": framed("%0: f64[] = constant[value=__import__('os')]"),
    "a star": framed("%0: f64[] = constant[*(1,)]"),
    "two stars": framed("%0: f64[] = constant[**{}]"),
    "one field twice": framed("%0: f64[] = constant[value=1, value=2]"),
    "two calls": framed("%0: f64[] = constant[value=1) + f(2]"),
    "a string for axes": framed("%1: f64[] = reduce_sum[axes='01'] %0", "%0: f64[2]"),
    "a number for axes": framed("%1: f64[] = reduce_sum[axes=0] %0", "%0: f64[2]"),
    "a float axis": framed("%1: f64[] = reduce_sum[axes=(0.0,)] %0", "%0: f64[2]"),
    "a bool axis": framed("%1: f64[2] = reduce_sum[axes=(False,)] %0", "%0: f64[2,2]"),
    "an unknown dtype": framed("%0: f64[] = constant[value=1, dtype='f16']"),
    "a text value": framed("%0: f64[] = constant[value='one']"),
    "a negative shape": framed("%0: f64[] = constant[value=1, shape=(-1,)]"),
    "an unknown error": framed("check[message='x', error='SystemExit'] %0", "%0: bool[]"),
    "a surrogate": "program p\ud800() {\n  return\n}",
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError):
        parse_program(text)


FIELDS = (
    "", "[axes=(0,)]", "[axis=7]", "[axes='x']", "[shape=3, dims=(9, 9)]", "[exponent='a']",
    "[before=(1,), after=(1,)]", "[contract=0]", "[contract=((0,), (9,))]", "[dtype='q']",
    "[dtype=3]", "[starts=(0,), sizes=(9,), strides=(0,)]", "[starts=(0,), strides=('a',)]",
    "[perm=(0.5,)]", "[values=(), dtype='f64', shape=(1,)]", "[axes=(-1,), batch=-1]",
    "[value=1, shape=('a',)]", "[dtype='f64', shape=(2,), axis=5]", "[batch='a', axes=()]",
    "[axis='a']", "[message=3]", "[axes=(0, 0)]", "[perm=(0, 0)]", "[exponent=-1]", "[dtype='i32']",
)  # fmt: skip


@pytest.mark.parametrize("name", REGISTRY)
def test_any_op_with_any_fields_is_a_program_or_a_parse_error(name: str) -> None:
    operands = ("", " %0", " %0, %0", " %0, %0, %0, %0")
    for fields, read, t in product(FIELDS, operands, ("f64[2]", "i64[2]", "bool[]")):
        try:
            p = parse_program(framed(f"{name}{fields}{read}", f"%0: {t}"))
        except ParseError:
            continue
        assert str(parse_program(str(p))) == str(p)


@pytest.mark.parametrize("text", ["f64[]", "f64[4,3]", "bool[0]", "i32[1,2,3]"])
def test_types_are_read_and_printed_alike(text: str) -> None:
    assert str(parse_type(text)) == text


@pytest.mark.parametrize(
    "text", ["", "f64", "f64[", "f64[3", "f64[-1]", "f64[3]x", "g[3]", "f64[3,]"]
)
def test_broken_types(text: str) -> None:
    with pytest.raises(ParseError):
        parse_type(text)
