"""LLVM functions that read Python's objects: loads at offsets, loops, calls of the C API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from codegen.native.linkage import OWN, SIGNATURES
from codegen.text import Function


class Writer(Function):
    """A function being written, which leaves where something is not as required."""

    def __init__(self, name: str, head: str) -> None:
        super().__init__(name)
        self.head = f"define {head} nounwind {{"

    def at(self, base: str, offset: int | str) -> str:
        """The address so many bytes on."""
        return self(f"getelementptr i8, ptr {base}, i64 {offset}")

    def load(self, type: str, base: str, offset: int | str = 0) -> str:
        place = self.at(base, offset) if offset else base
        return self(f"load {type}, ptr {place}")

    def store(self, value: str, base: str, offset: int | str = 0) -> None:
        """Store a typed value, such as ``i64 3``."""
        place = self.at(base, offset) if offset else base
        self.do(f"store {value}, ptr {place}")

    def word(self, base: str, n: str, type: str = "ptr") -> str:
        """The n-th of the words at ``base``."""
        return self.load(type, self(f"getelementptr i64, ptr {base}, i64 {n}"))

    def room(self, words: str) -> str:
        """Stack memory for so many words, from here to the end of the call."""
        return self(f"alloca i64, i64 {words}, align 16")

    def require(self, condition: str, otherwise: str = "miss") -> None:
        """Go on where the condition holds."""
        (good,) = self.fresh("good")
        self.do(f"br i1 {condition}, label %{good}, label %{otherwise}, !prof !0")
        self.label(good)

    def same(self, type: str, x: str, y: str | int, otherwise: str = "miss") -> None:
        self.require(self(f"icmp eq {type} {x}, {y}"), otherwise)

    def some(self, x: str, otherwise: str) -> None:
        """Go on where the pointer is not null."""
        self.require(self(f"icmp ne ptr {x}, null"), otherwise)

    def call(self, name: str, *args: str) -> str:
        """Call a function of the C API, or one that entries consist of."""
        returns = (SIGNATURES.get(name) or OWN[name]).split()[0]
        text = f"call {returns} @{name}({', '.join(args)})"
        if returns == "void":
            self.do(text)
            return ""
        return self(text)

    def switch(self, x: str, cases: dict[int, str], otherwise: str) -> None:
        places = " ".join(f"i64 {n}, label %{name}" for n, name in cases.items())
        self.do(f"switch i64 {x}, label %{otherwise} [ {places} ]")

    @contextmanager
    def each(self, high: str | int, low: str | int = 0) -> Iterator[str]:
        """Run the body for ``low, ..., high - 1``, of which there may be none."""
        head, body, done = self.fresh("head", "body", "done")
        before = self.block
        self.do(f"br label %{head}")
        self.label(head)
        i = self.new()
        place = len(self.lines)
        self.lines.append("")
        self.do(f"br i1 {self(f'icmp slt i64 {i}, {high}')}, label %{body}, label %{done}")
        self.label(body)
        yield i
        following = self(f"add i64 {i}, 1")
        self.lines[place] = f"  {i} = phi i64 [ {low}, %{before} ], [ {following}, %{self.block} ]"
        self.do(f"br label %{head}")
        self.label(done)

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Run the body where the condition holds."""
        then, done = self.fresh("then", "done")
        self.do(f"br i1 {condition}, label %{then}, label %{done}")
        self.label(then)
        yield
        self.do(f"br label %{done}")
        self.label(done)
