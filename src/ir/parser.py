"""Text to program: the inverse of ``ir.printer``."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from functools import cache
from types import UnionType
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

import ir.ops  # noqa: F401  (fills the registry)
from ir.errors import TypeRuleError
from ir.op import REGISTRY, Op, result_types
from ir.program import Equation, Program, Value
from ir.types import DTYPES, ArrayType

NAME = re.compile(r"%\w+")
WORD = re.compile(r"[A-Za-z_]\w*")
SHAPE = re.compile(r"\[((?:\d{1,18}(?:,\d{1,18})*)?)\]")
SPACE = re.compile(r"\s*(?:#.*)?")


class ParseError(ValueError):
    """Malformed program text: the message holds line, column, and the line with a caret."""


class Cursor:
    """A place in the text. It reads forward and, when that fails, says where it stands."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.number, self.column = 0, 0

    @property
    def line(self) -> str:
        return self.lines[self.number] if self.number < len(self.lines) else ""

    def error(self, complaint: str, column: int | None = None) -> ParseError:
        at = self.column if column is None else column
        return ParseError(
            f"line {self.number + 1}, column {at + 1}: {complaint}\n  {self.line}\n  {' ' * at}^"
        )

    def fail(self, complaint: str, column: int | None = None) -> NoReturn:
        raise self.error(complaint, column)

    def skip(self) -> None:
        """Past blanks; past the ends of lines too, where only blanks and a comment are left."""
        while self.number < len(self.lines):
            blank = SPACE.match(self.line, self.column)
            self.column = blank.end() if blank else self.column
            if self.column < len(self.line):
                return
            if self.number == len(self.lines) - 1:
                return
            self.number, self.column = self.number + 1, 0

    def line_ends(self) -> bool:
        """Whether only blanks and a comment are left on this line."""
        return SPACE.fullmatch(self.line, self.column) is not None

    def at(self, literal: str) -> bool:
        """Whether the literal comes next; if so, step past it."""
        self.skip()
        if self.line.startswith(literal, self.column):
            self.column += len(literal)
            return True
        return False

    def expect(self, literal: str) -> None:
        if not self.at(literal):
            self.fail(f"expected '{literal}'")

    def match(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        self.skip()
        found = pattern.match(self.line, self.column)
        if found is None:
            self.fail(f"expected {what}")
        self.column = found.end()
        return found

    def peek(self, pattern: re.Pattern[str]) -> bool:
        self.skip()
        return pattern.match(self.line, self.column) is not None

    def bracketed(self) -> tuple[str, int]:
        """The text up to the bracket that closes the one just read, and where it begins."""
        start, depth, quote = self.column, 1, ""
        for column in range(start, len(self.line)):
            c = self.line[column]
            if quote:
                escaped = self.line[column - 1] == "\\" and self.line[column - 2] != "\\"
                quote = "" if c == quote and not escaped else quote
            elif c in "'\"":
                quote = c
            elif c in "[(":
                depth += 1
            elif c in "])":
                depth -= 1
                if not depth:
                    self.column = column + 1
                    return self.line[start:column], start
        raise self.error("this '[' is never closed", start - 1)


def parse_program(text: str) -> Program:
    """The program that the text describes; every type is inferred again and compared.

    Raises ParseError with line, column and a caret.
    """
    cursor = Cursor(text.rstrip())
    program = parse_block(cursor, depth=0)
    cursor.skip()
    if cursor.column < len(cursor.line):
        cursor.fail("text after the program's end")
    return program


def parse_type(text: str) -> ArrayType:
    """``f64[4,3]`` as a type; ParseError otherwise."""
    cursor = Cursor(text)
    found = read_type(cursor)
    if cursor.column < len(cursor.line):
        cursor.fail("text after the type")
    return found


def read_type(cursor: Cursor) -> ArrayType:
    cursor.skip()
    start = cursor.column
    dtype = cursor.match(WORD, "a type such as f64[4,3]")[0]
    if dtype not in DTYPES:
        cursor.fail(f"no dtype is called {dtype}; there are {', '.join(DTYPES)}", start)
    shape = cursor.match(SHAPE, "a shape such as [4,3]")[1]
    return ArrayType(dtype, tuple(int(n) for n in shape.split(",") if n))


def parse_block(cursor: Cursor, depth: int) -> Program:
    if depth > 50:
        cursor.fail("bodies are nested more than 50 deep")
    env: dict[str, Value] = {}
    cursor.expect("program")
    name = cursor.match(WORD, "the program's name")[0]
    cursor.expect("(")
    params = typed_names(cursor, env)
    cursor.expect(")")
    cursor.expect("{")
    equations: list[Equation] = []
    while not cursor.at("return"):
        equations.append(parse_equation(cursor, env, depth))
    results = operands(cursor, env)
    cursor.expect("}")
    return Program(params, tuple(equations), results, name)


def typed_names(cursor: Cursor, env: dict[str, Value]) -> tuple[Value, ...]:
    """``%0: f64[3], %1: i64[]``, each a name that is new."""
    made = []
    while cursor.peek(NAME):
        start = cursor.column
        name = cursor.match(NAME, "a name")[0]
        if name in env:
            cursor.fail(f"{name} is defined twice", start)
        cursor.expect(":")
        env[name] = Value(read_type(cursor))
        made.append(env[name])
        if not cursor.at(","):
            break
    return tuple(made)


def operands(cursor: Cursor, env: dict[str, Value]) -> tuple[Value, ...]:
    """``%0, %1``, each a name that is known."""
    found = []
    while cursor.peek(NAME):
        start = cursor.column
        name = cursor.match(NAME, "a name")[0]
        if name not in env:
            cursor.fail(f"{name} is used before it is defined", start)
        found.append(env[name])
        if not cursor.at(","):
            break
    return tuple(found)


def parse_equation(cursor: Cursor, env: dict[str, Value], depth: int) -> Equation:
    if cursor.number == len(cursor.lines) - 1 and cursor.column >= len(cursor.line):
        cursor.fail("the program has no 'return'")
    made: dict[str, Value] = dict(env)
    results: tuple[Value, ...] = ()
    cursor.skip()
    start = cursor.column
    if cursor.peek(NAME):
        results = typed_names(cursor, made)
        cursor.expect("=")
    op = parse_op(cursor)
    line = cursor.number
    read = () if cursor.line_ends() else operands(cursor, env)
    bodies: list[Program] = []
    if cursor.at("{"):
        while not cursor.at("}"):
            bodies.append(parse_block(cursor, depth + 1))
    stated = tuple(v.type for v in results)
    try:
        inferred = result_types(op, *(v.type for v in read), bodies=tuple(bodies))
    except (TypeRuleError, TypeError, IndexError) as error:
        cursor.number, cursor.column = line, start
        cursor.fail(str(error))
    if inferred != stated:
        cursor.number, cursor.column = line, start
        cursor.fail(f"{op.mnemonic} gives {', '.join(map(str, inferred)) or 'nothing'} here")
    env.update(made)
    return Equation(op, read, results, tuple(bodies))


def parse_op(cursor: Cursor) -> Op:
    """``name[field=value, ...]``"""
    cursor.skip()
    start = cursor.column
    name = cursor.match(WORD, "an op's name")[0]
    if name not in REGISTRY:
        cursor.fail(f"no op is called {name}", start)
    cls = REGISTRY[name]
    attributes: dict[str, Any] = {}
    if cursor.line.startswith("[", cursor.column):
        cursor.column += 1
        text, at = cursor.bracketed()
        attributes = parse_attributes(cursor, text, at)
    hints = field_types(cls)
    for field, value in attributes.items():
        if field not in hints:
            cursor.fail(f"{name} has no field {field}", start)
        if not fits(value, hints[field]):
            cursor.fail(f"{name} has a field {field}, but not with the value {value!r}", start)
    try:
        return cls(**attributes)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        cursor.fail(f"{name} cannot be made so: {error}", start)


@cache
def field_types(cls: type[Op]) -> dict[str, Any]:
    """The type of each field of an op."""
    hints = get_type_hints(cls)
    return {f.name: hints[f.name] for f in fields(cls)}  # type: ignore[arg-type]


def fits(value: Any, hint: Any) -> bool:
    """Whether a literal has the type; a bool is no int, and an int no float."""
    parts = get_args(hint)
    if get_origin(hint) is UnionType:
        return any(fits(value, part) for part in parts)
    if get_origin(hint) is not tuple:
        return type(value) is hint
    if not isinstance(value, tuple):
        return False
    if parts[1:] == (...,):
        return all(fits(v, parts[0]) for v in value)
    return len(value) == len(parts) and all(map(fits, value, parts))


def parse_attributes(cursor: Cursor, text: str, at: int) -> dict[str, Any]:
    """``axes=(0,), value=-0.0`` as Python values; nan and inf are names."""
    try:
        call = ast.parse(f"f({text})", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = at + max((getattr(error, "offset", 1) or 1) - 3, 0)
        cursor.fail(f"bad op fields: {error}", min(column, len(cursor.line)))
    if not isinstance(call, ast.Call) or call.args:
        cursor.fail("op fields are written field=value", at)
    names = [str(k.arg) for k in call.keywords]
    if len(set(names)) < len(names):
        cursor.fail("a field is given twice", at)
    return {
        name: literal(cursor, k.value, at) for name, k in zip(names, call.keywords, strict=True)
    }


def literal(cursor: Cursor, node: ast.expr, at: int) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return value
        case ast.Tuple(elts=elements):
            return tuple(literal(cursor, e, at) for e in elements)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -literal(cursor, operand, at)
        case ast.Name(id="nan" | "inf" as name):
            return float(name)
    complaint = "a field holds a number, a string, or a tuple of them"
    raise cursor.error(complaint, at + node.col_offset - 2)
