"""``make``: the object that a call returns, put together from its results."""

from __future__ import annotations

import numpy as np

from codegen.native import capi, table
from codegen.native.arguments import DISTANCE, NODE, SLOT
from codegen.native.linkage import pointer
from codegen.native.writer import Writer


def make() -> str:
    """``make(state) -> object``, or null with an exception; the caller owns it.

    The state holds the node, the slot of the next result's data, and the distance from there to
    its array, which is taken.
    """
    f = Writer("make", "internal ptr @make(ptr %state)")
    node = f.load("ptr", "%state", NODE)
    kinds = {
        table.KNOWN: "known", table.NEW_TUPLE: "tuple", table.NEW_LIST: "list",
        table.NEW_DICT: "dict", table.NEW_ORDERED: "ordered", table.NEW_NAMED: "named",
        table.NEW_SCALAR: "scalar",
    }  # fmt: skip
    f.switch(f.load("i64", node), kinds, "array")
    f.label("array")
    array(f, node)
    f.label("scalar")
    scalar(f, node)
    f.label("known")
    known = f.load("ptr", node, 8)
    f.call("Py_IncRef", f"ptr {known}")
    f.store(f"ptr {f.at(node, 16)}", "%state", NODE)
    f.do(f"ret ptr {known}")
    for name in ("tuple", "list"):
        f.label(name)
        f.do(f"ret ptr {sequence(f, node, name)}")
    f.label("named")
    named(f, node)
    f.label("dict")
    made = f.call("PyDict_Copy", f"ptr {f.load('ptr', node, 8)}")
    filled(f, node, made, "PyDict_SetItem")
    f.label("ordered")
    filled(f, node, f.call("PyODict_New"), "PyObject_SetItem")
    f.label("lost")
    f.do("ret ptr null")
    return f.text()


def taken(f: Writer, node: str, words: int) -> str:
    """The slot of the next result; the state moves on, behind the words of this node."""
    slot = f.load("ptr", "%state", SLOT)
    f.store(f"ptr {f.at(slot, 8)}", "%state", SLOT)
    f.store(f"ptr {f.at(node, 8 * words)}", "%state", NODE)
    return slot


def array(f: Writer, node: str) -> None:
    """One that was made before the call."""
    place = f.at(taken(f, node, 1), f.load("i64", "%state", DISTANCE))
    made = f.load("ptr", place)
    f.store("ptr null", place)
    f.do(f"ret ptr {made}")


def scalar(f: Writer, node: str) -> None:
    data, dtype = f.load("ptr", taken(f, node, 2)), f.load("ptr", node, 8)
    f.do(f"ret ptr {f.call('PyArray_Scalar', f'ptr {data}', f'ptr {dtype}', 'ptr null')}")


def sequence(f: Writer, node: str, name: str) -> str:
    """A new tuple or list of the parts."""
    count = f.load("i64", node, 16)
    made = f.call("PyTuple_New" if name == "tuple" else "PyList_New", f"i64 {count}")
    f.some(made, "lost")
    items = f.at(made, capi.TUPLE_ITEMS)
    if name == "list":
        items = f.load("ptr", made, capi.LIST_ITEMS)
    f.store(f"ptr {f.at(node, 24)}", "%state", NODE)
    with f.each(count) as i:
        part = f.call("make", "ptr %state")
        f.some(part, lost := f"lost_{name}{f.blocks}")
        f.store(f"ptr {part}", f(f"getelementptr ptr, ptr {items}, i64 {i}"))
    return end_or_give_up(f, made, lost)


def end_or_give_up(f: Writer, made: str, lost: str) -> str:
    """Behind what is made, the way out that drops it."""
    (done,) = f.fresh("made")
    f.do(f"br label %{done}")
    f.label(lost)
    f.call("Py_DecRef", f"ptr {made}")
    f.do("br label %lost")
    f.label(done)
    return made


def named(f: Writer, node: str) -> None:
    """A named tuple: its class, called on the parts."""
    parts = sequence(f, node, "tuple")
    made = f.call("PyObject_Call", f"ptr {f.load('ptr', node, 8)}", f"ptr {parts}", "ptr null")
    f.call("Py_DecRef", f"ptr {parts}")
    f.do(f"ret ptr {made}")


def filled(f: Writer, node: str, made: str, how: str) -> None:
    """The dict, with its values."""
    f.some(made, "lost")
    count, keys = f.load("i64", node, 16), f.at(node, 24)
    f.store(f"ptr {f(f'getelementptr i64, ptr {keys}, i64 {count}')}", "%state", NODE)
    with f.each(count) as i:
        value = f.call("make", "ptr %state")
        f.some(value, lost := f"lost_dict{f.blocks}")
        key = f.word(keys, i)
        status = f.call(how, f"ptr {made}", f"ptr {key}", f"ptr {value}")
        f.call("Py_DecRef", f"ptr {value}")
        f.same("i32", status, 0, lost)
    f.do(f"ret ptr {end_or_give_up(f, made, lost)}")


def allocate() -> str:
    """``allocate(table, slots, distance) -> i1``: an array for each result, or room for a number.

    Arrays that were made before one could not be are noted, and null for the others.
    """
    f = Writer("allocate", "internal i1 @allocate(ptr %table, ptr %slots, i64 %distance)")
    results = f.load("i64", "%table", table.OFFSET["results"])
    leaves = f.load("ptr", "%table", table.OFFSET["leaves"])
    arrays = f.at("%slots", "%distance")
    numbers = f.at(arrays, "%distance")
    with f.each(results) as i:
        f.store("ptr null", f(f"getelementptr ptr, ptr {arrays}, i64 {i}"))
    with f.each(results) as i:
        leaf = f.at(leaves, f(f"mul i64 {i}, {table.LEAF}"))
        rank, shape, dtype = f.load("i64", leaf), f.load("ptr", leaf, 8), f.load("ptr", leaf, 16)
        slot, place, number = (
            f(f"getelementptr ptr, ptr {base}, i64 {i}") for base in ("%slots", arrays, numbers)
        )
        scalar, array, next_ = f.fresh("scalar", "array", "next")
        f.do(f"br i1 {f(f'icmp slt i64 {rank}, 0')}, label %{scalar}, label %{array}")
        f.label(scalar)
        f.store(f"ptr {number}", slot)
        f.do(f"br label %{next_}")
        f.label(array)
        f.call("Py_IncRef", f"ptr {dtype}")
        made = f.call(
            "PyArray_NewFromDescr", f"ptr {pointer(np.ndarray)}", f"ptr {dtype}",
            f"i32 {f(f'trunc i64 {rank} to i32')}", f"ptr {shape}",
            "ptr null", "ptr null", "i32 0", "ptr null",
        )  # fmt: skip
        f.some(made, "miss")
        f.store(f"ptr {made}", place)
        f.store(f"ptr {f.load('ptr', made, capi.ARRAY_DATA)}", slot)
        f.do(f"br label %{next_}")
        f.label(next_)
    f.do("ret i1 true")
    f.label("miss")
    f.do("ret i1 false")
    return f.text()
