"""The native entry: one function that serves every signature, each from its table.

It compares the arguments with the table where they lie, makes the results, and calls the kernel.
Where anything is not as the table says, the next table is tried, and after the last one the
object's ``fallback`` in Python, which traces and compiles what is new.
"""

from __future__ import annotations

from codegen.native import capi
from codegen.native.arguments import DISTANCE, NODE, SLOT, STATE, check, same_key
from codegen.native.linkage import FALLBACK, SIGNATURES, pointer
from codegen.native.results import allocate, make
from codegen.native.table import OFFSET
from codegen.native.writer import Writer

COUNT = (1 << 63) - 1
"""The bits of vectorcall's ``nargsf`` that count the positional arguments."""
ON_STACK = 16 * 1024
"""Bytes of the largest workspace that lies on the stack."""
LOST = "inttoptr (i64 1 to ptr)"
"""What an attempt gives that has ended with an exception."""


def text() -> str:
    """The module: the entry and what it consists of."""
    functions = (entry(), attempt(), check(), same_key(), allocate(), make(), apart())
    declared = [f"declare {signature}" for signature in SIGNATURES.values()]
    return "\n".join([*functions, *declared, '!0 = !{!"branch_weights", i32 1000, i32 1}'])


def entry() -> str:
    """A vectorcall function: table after table, then the fallback."""
    f = Writer("entry", "ptr @entry(ptr %self, ptr %args, i64 %flags, ptr %names)")
    following = f.alloca("ptr")
    f.store(f"ptr {f.load('ptr', '%self', capi.TABLE)}", following)
    f.do("br label %try")
    f.label("try")
    table = f.load("ptr", following)
    f.some(table, "fallback")
    call = ("ptr %args", "i64 %flags", "ptr %names")
    made = f.call("attempt", f"ptr {table}", *call, f"ptr {following}")
    f.some(made, "try")
    f.require(f(f"icmp ne ptr {made}, {LOST}"), "lost")
    f.do(f"ret ptr {made}")
    f.label("fallback")
    fallback = f.call("PyObject_GetAttr", "ptr %self", f"ptr {pointer(FALLBACK)}")
    f.some(fallback, "lost")
    made = f.call("PyObject_Vectorcall", f"ptr {fallback}", *call)
    f.call("Py_DecRef", f"ptr {fallback}")
    f.do(f"ret ptr {made}")
    f.label("lost")
    f.do("ret ptr null")
    return f.text()


class Attempt(Writer):
    """One signature's attempt at a call; what it takes from the table is read by name."""

    def __init__(self) -> None:
        arguments = "ptr %table, ptr %args, i64 %flags, ptr %names, ptr %following"
        super().__init__("attempt", f"internal ptr @attempt({arguments}) noinline")
        self.store(f"ptr {self.field('next', 'ptr')}", "%following")
        self.count = self(f"and i64 %flags, {COUNT}")
        self.same("i64", self.count, self.field("positional"))
        self.parameters, self.results = self.field("parameters"), self.field("results")
        self.slots = self.room(self(f"mul i64 {self.parameters}, 3"))
        self.made = self.room(self(f"mul i64 {self.results}, 3"))
        self.objects, self.arrays = (
            self.at(base, self(f"shl i64 {n}, 3"))
            for base, n in ((self.slots, self.parameters), (self.made, self.results))
        )
        self.state = self.alloca("i64", STATE)
        self.out = self.field("out")
        self.written = self(f"icmp sge i64 {self.out}, 0")
        self.given = self.alloca("ptr")

    def field(self, name: str, type: str = "i64") -> str:
        return self.load(type, "%table", OFFSET[name])

    def point(self, slots: str, count: str) -> None:
        """Let the state note data in these slots, of which there are so many."""
        self.store(f"ptr {slots}", self.state, SLOT)
        self.store(f"i64 {self(f'shl i64 {count}, 3')}", self.state, DISTANCE)

    def arguments(self) -> None:
        self.store(f"ptr {self.field('nodes', 'ptr')}", self.state, NODE)
        self.point(self.slots, self.parameters)
        with self.each(self.count) as i:
            x = self.word("%args", i)
            self.require(self.call("check", f"ptr {self.state}", f"ptr {x}"))
        self.keywords()
        captures = self.field("captures")
        first = self(f"sub i64 {self.parameters}, {captures}")
        captured = self.field("captured", "ptr")
        with self.each(captures) as i:
            n = self(f"add i64 {first}, {i}")
            self.store(f"ptr {self.word(captured, i)}", self.place(self.slots, n))
            self.store("ptr null", self.place(self.objects, n))

    def keywords(self) -> None:
        """Just the expected names, in any order if the table allows that; ``out`` is the last."""
        number = self.alloca("i64")
        self.store("i64 0", number)
        with self.when(self("icmp ne ptr %names, null")):
            self.store(f"i64 {self.load('i64', '%names', capi.SIZE)}", number)
        named = self.field("named")
        self.same("i64", self.load("i64", number), named)
        names, values = self.field("names", "ptr"), self.place("%args", self.count)
        free = self(f"icmp ne i64 {self.field('any_order')}, 0")
        with self.each(named) as i:
            self.store("ptr null", self.given)
            after = self(f"add i64 {i}, 1")
            low, high = (
                self(f"select i1 {free}, i64 {one}, i64 {other}")
                for one, other in (("0", i), (named, after))
            )
            with self.each(high, low) as j:
                name = self.word(self.at("%names", capi.TUPLE_ITEMS), j)
                expected = self.word(names, i)
                with self.when(self.call("same_key", f"ptr {name}", f"ptr {expected}")):
                    self.store(f"ptr {self.word(values, j)}", self.given)
            x = self.load("ptr", self.given)
            self.some(x, "miss")
            with self.when(self(f"icmp eq i64 {i}, {self.out}")):
                self.point(self.made, self.results)
            self.require(self.call("check", f"ptr {self.state}", f"ptr {x}"))

    def place(self, base: str, n: str) -> str:
        return self(f"getelementptr ptr, ptr {base}, i64 {n}")

    def destinations(self) -> None:
        """New arrays, or those that were given, which must lie apart from all others."""
        written, new, done = self.fresh("written", "new", "done")
        self.do(f"br i1 {self.written}, label %{written}, label %{new}")
        self.label(written)
        self.require(self.call("apart", "ptr %table", f"ptr {self.slots}", f"ptr {self.made}"))
        self.do(f"br label %{done}")
        self.label(new)
        distance = self(f"shl i64 {self.results}, 3")
        made = self.call("allocate", "ptr %table", f"ptr {self.made}", f"i64 {distance}")
        self.require(made, "full")
        self.do(f"br label %{done}")
        self.label(done)

    def workspace(self) -> str:
        """On the stack, or kept from call to call if no other call has it."""
        size, cache = self.field("workspace"), self.field("cache", "ptr")
        self.large = self(f"icmp sgt i64 {size}, {ON_STACK}")
        small = self(f"select i1 {self.large}, i64 0, i64 {size}")
        here = self(f"alloca i8, i64 {small}, align 64")
        kept, fresh, ready = self.fresh("kept", "fresh", "ready")
        before = self.block
        self.do(f"br i1 {self.large}, label %{kept}, label %{ready}")
        self.label(kept)
        found = self(f"atomicrmw xchg ptr {cache}, ptr null acq_rel")
        self.do(f"br i1 {self(f'icmp eq ptr {found}, null')}, label %{fresh}, label %{ready}")
        self.label(fresh)
        whole = self(f"and i64 {self(f'add i64 {size}, 63')}, -64")
        made = self.call("aligned_alloc", "i64 64", f"i64 {whole}")
        self.some(made, "full")
        last = self.block
        self.do(f"br label %{ready}")
        self.label(ready)
        incoming = f"[ {here}, %{before} ], [ {found}, %{kept} ], [ {made}, %{last} ]"
        return self(f"phi ptr {incoming}")

    def give_back(self, scratch: str) -> None:
        with self.when(self.large):
            cache = self.field("cache", "ptr")
            swapped = self(f"cmpxchg ptr {cache}, ptr null, ptr {scratch} acq_rel monotonic")
            kept = self(f"extractvalue {{ ptr, i1 }} {swapped}, 1")
            with self.when(self(f"xor i1 {kept}, true")):
                self.call("free", f"ptr {scratch}")

    def for_each(self, name: str, objects: str, count: str) -> None:
        with self.each(count) as i:
            self.call(name, f"ptr {self.word(objects, i)}")

    def run(self) -> str:
        """Call the kernel; others could drop what it reads and writes while it has let go."""
        scratch = self.workspace()
        release = self(f"icmp ne i64 {self.field('release')}, 0")
        held = ((release, self.objects, self.parameters),
                (self.written, self.arrays, self.results))  # fmt: skip
        for condition, objects, count in held:
            with self.when(condition):
                self.for_each("Py_IncRef", objects, count)
        thread = self.alloca("ptr")
        with self.when(release):
            self.store(f"ptr {self.call('PyEval_SaveThread')}", thread)
        main = self.field("main", "ptr")
        given = f"ptr {self.slots}, ptr {self.made}, ptr {scratch}"
        status = self(f"call i32 {main}({given}, ptr {self.field('region', 'ptr')})")
        with self.when(release):
            self.call("PyEval_RestoreThread", f"ptr {self.load('ptr', thread)}")
        for condition, objects, count in held:
            with self.when(condition):
                self.for_each("Py_DecRef", objects, count)
        self.give_back(scratch)
        return status

    def returned(self) -> None:
        self.require(self(f"xor i1 {self.written}, true"), "given")
        self.store(f"ptr {self.field('tree', 'ptr')}", self.state, NODE)
        self.point(self.made, self.results)
        made = self.call("make", f"ptr {self.state}")
        self.some(made, "lost")
        self.do(f"ret ptr {made}")
        self.label("given")
        out = self.load("ptr", self.given)
        self.call("Py_IncRef", f"ptr {out}")
        self.do(f"ret ptr {out}")

    def failures(self, status: str) -> None:
        """The ways out: a guard or check, an exception, no memory, another signature."""
        self.label("failed")
        self.for_each("Py_DecRef", self.arrays, self.results)
        number = self(f"sext i32 {status} to i64")
        misses = self.at(self.field("misses", "ptr"), -8)
        other = self(f"load atomic ptr, ptr {self.place(misses, number)} acquire, align 8")
        self.store(f"ptr {other}", "%following")
        self.do("ret ptr null")
        self.label("lost")
        self.for_each("Py_DecRef", self.arrays, self.results)
        self.do(f"ret ptr {LOST}")
        self.label("full")  # the fallback raises what is to be raised
        self.call("PyErr_Clear")
        with self.when(self(f"xor i1 {self.written}, true")):
            self.for_each("Py_DecRef", self.arrays, self.results)
        self.do("ret ptr null")
        self.label("miss")
        self.do("ret ptr null")


def attempt() -> str:
    """``attempt(table, args, flags, names, following) -> result``; null: go on at ``following``."""
    f = Attempt()
    f.arguments()
    f.destinations()
    status = f.run()
    f.same("i32", status, 0, "failed")
    f.returned()
    f.failures(status)
    return f.text()


def apart() -> str:
    """``apart(table, slots, made) -> i1``: what is written overlaps nothing else of the call."""
    f = Writer("apart", "internal i1 @apart(ptr %table, ptr %slots, ptr %made)")
    parameters, captures, results = (
        f.load("i64", "%table", OFFSET[name]) for name in ("parameters", "captures", "results")
    )
    sizes = f.load("ptr", "%table", OFFSET["sizes"])
    own = f(f"getelementptr i64, ptr {sizes}, i64 {parameters}")
    given = f(f"sub i64 {parameters}, {captures}")
    with f.each(results) as i:
        start, size = f.word("%made", i, "i64"), f.word(own, i, "i64")
        end = f(f"add i64 {start}, {size}")
        for count, base, bytes_ in ((given, "%slots", sizes), (i, "%made", own)):
            with f.each(count) as j:
                low = f.word(base, j, "i64")
                high = f(f"add i64 {low}, {f.word(bytes_, j, 'i64')}")
                before = f(f"icmp ule i64 {high}, {start}")
                after = f(f"icmp ule i64 {end}, {low}")
                f.require(f(f"or i1 {before}, {after}"))
    f.do("ret i1 true")
    f.label("miss")
    f.do("ret i1 false")
    return f.text()
