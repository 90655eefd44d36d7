"""``check``: whether an argument is as the signature says, and where its data lies.

``state`` holds the node to compare with, the slot that the next data pointer goes to, and the
distance from there to where the object is noted, behind which a number may be put.
"""

from __future__ import annotations

import numpy as np

from codegen.native import capi, table
from codegen.native.linkage import pointer
from codegen.native.writer import Writer

STATE = 3
"""Words of a state."""
NODE, SLOT, DISTANCE = 0, 8, 16


def check() -> str:
    """``check(state, x) -> i1``, which moves the state on."""
    f = Writer("check", "internal i1 @check(ptr %state, ptr %x)")
    node = f.load("ptr", "%state", NODE)
    kind = f.load("i64", node)
    f.switch(kind, {table.BOOL: "bool", table.SAME: "same"}, "typed")
    f.label("typed")
    f.same("ptr", f.load("ptr", "%x", capi.TYPE), f.load("ptr", node, 8))
    count = f.load("i64", node, 16)
    kinds = {
        table.SCALAR: "scalar", table.INT: "int", table.TUPLE: "tuple", table.LIST: "list",
        table.DICT: "dict", table.ORDERED: "ordered",
    }  # fmt: skip
    f.switch(kind, kinds, "array")
    f.label("array")
    array(f, node, count)
    f.label("scalar")
    leaf(f, f.at("%x", capi.VALUE), f.at(node, 16))
    f.label("int")
    integer(f, node)
    f.label("bool")
    boolean(f, node)
    f.label("same")
    f.same("ptr", "%x", f.load("ptr", node, 8))
    f.store(f"ptr {f.at(node, 16)}", "%state", NODE)
    f.do("ret i1 true")
    f.label("tuple")
    sequence(f, node, count, f.at("%x", capi.TUPLE_ITEMS))
    f.label("list")
    sequence(f, node, count, f.load("ptr", "%x", capi.LIST_ITEMS))
    f.label("dict")
    plain_dict(f, node, count)
    f.label("ordered")
    ordered_dict(f, node, count)
    f.label("miss")
    f.do("ret i1 false")
    return f.text()


def leaf(f: Writer, data: str, after: str) -> None:
    """Note where the data lies and in which object, and go on to the node after."""
    slot = f.load("ptr", "%state", SLOT)
    f.store(f"ptr {data}", slot)
    f.store("ptr %x", slot, f.load("i64", "%state", DISTANCE))
    f.store(f"ptr {f.at(slot, 8)}", "%state", SLOT)
    f.store(f"ptr {after}", "%state", NODE)
    f.do("ret i1 true")


def array(f: Writer, node: str, rank: str) -> None:
    wide = f(f"sext i32 {f.load('i32', '%x', capi.ARRAY_RANK)} to i64")
    f.same("i64", wide, rank)
    wanted = f.load("i32", node, 40)
    f.same("i32", f(f"and i32 {f.load('i32', '%x', capi.ARRAY_FLAGS)}, {wanted}"), wanted)
    dtype = f.load("ptr", "%x", capi.ARRAY_DTYPE)
    number = f.load("i32", dtype, capi.DTYPE_NUMBER)
    known = [f(f"icmp eq i32 {number}, {f.load('i32', node, place)}") for place in (24, 32)]
    f.require(f(f"or i1 {known[0]}, {known[1]}"))
    order = f.load("i8", dtype, capi.DTYPE_ORDER)
    f.require(f(f"icmp ne i8 {order}, {ord('>')}"))
    shape, sizes = f.load("ptr", "%x", capi.ARRAY_SHAPE), f.at(node, 48)
    with f.each(rank) as d:
        f.same("i64", f.word(shape, d, "i64"), f.word(sizes, d, "i64"))
    leaf(f, f.load("ptr", "%x", capi.ARRAY_DATA), f(f"getelementptr i64, ptr {sizes}, i64 {rank}"))


def number_place(f: Writer) -> str:
    """Where a number that is read from its object goes."""
    distance = f.load("i64", "%state", DISTANCE)
    return f.at(f.load("ptr", "%state", SLOT), f(f"shl i64 {distance}, 1"))


def integer(f: Writer, node: str) -> None:
    """An int of 64 bits; one that does not fit looks like -1, and has left an exception."""
    value = f.call("PyLong_AsLongLong", "ptr %x")
    with f.when(f(f"icmp eq i64 {value}, -1")):
        f.same("ptr", f.call("PyErr_Occurred"), "null", "unfit")
    place = number_place(f)
    f.store(f"i64 {value}", place)
    leaf(f, place, f.at(node, 16))
    f.label("unfit")
    f.call("PyErr_Clear")
    f.do("br label %miss")


def boolean(f: Writer, node: str) -> None:
    """True or False, Python's or NumPy's."""
    true, false = (
        f(f"or i1 {f(f'icmp eq ptr %x, {pointer(b)}')}, {f(f'icmp eq ptr %x, {pointer(n)}')}")
        for b, n in ((True, np.True_), (False, np.False_))
    )
    f.require(f(f"or i1 {true}, {false}"))
    place = number_place(f)
    f.store(f"i8 {f(f'zext i1 {true} to i8')}", place)
    leaf(f, place, f.at(node, 8))


def sequence(f: Writer, node: str, count: str, items: str) -> None:
    f.same("i64", f.load("i64", "%x", capi.SIZE), count)
    f.store(f"ptr {f.at(node, 24)}", "%state", NODE)
    with f.each(count) as i:
        f.require(f.call("check", "ptr %state", f"ptr {f.word(items, i)}"))
    f.do("ret i1 true")


def skip_keys(f: Writer, node: str, count: str) -> str:
    """The keys of a dict's node; the state moves on to the nodes of its values."""
    keys = f.at(node, 24)
    after = f(f"getelementptr i64, ptr {keys}, i64 {count}")
    f.store(f"ptr {after}", "%state", NODE)
    return keys


def plain_dict(f: Writer, node: str, count: str) -> None:
    """The keys in the order in which the traced call had them."""
    f.same("i64", f.call("PyDict_Size", "ptr %x"), count)
    keys = skip_keys(f, node, count)
    place, key, value = (f.alloca(t) for t in ("i64", "ptr", "ptr"))
    f.store("i64 0", place)
    with f.each(count) as i:
        step = f.call("PyDict_Next", "ptr %x", *[f"ptr {p}" for p in (place, key, value)])
        f.require(f(f"icmp ne i32 {step}, 0"))
        f.require(f.call("same_key", f"ptr {f.load('ptr', key)}", f"ptr {f.word(keys, i)}"))
        f.require(f.call("check", "ptr %state", f"ptr {f.load('ptr', value)}"))
    f.do("ret i1 true")


def ordered_dict(f: Writer, node: str, count: str) -> None:
    """An OrderedDict, whose order only its iterator tells; its keys are strings."""
    f.same("i64", f.call("PyDict_Size", "ptr %x"), count)
    keys = skip_keys(f, node, count)
    iterator = f.call("PyObject_GetIter", "ptr %x")
    f.some(iterator, "unfit")
    with f.each(count) as i:
        key = f.call("PyIter_Next", f"ptr {iterator}")
        f.some(key, "other")
        equal = f.call("same_key", f"ptr {key}", f"ptr {f.word(keys, i)}")
        f.call("Py_DecRef", f"ptr {key}")
        f.require(equal, "other")
    f.call("Py_DecRef", f"ptr {iterator}")
    with f.each(count) as i:
        value = f.call("PyDict_GetItemWithError", "ptr %x", f"ptr {f.word(keys, i)}")
        f.some(value, "unfit")
        f.require(f.call("check", "ptr %state", f"ptr {value}"))
    f.do("ret i1 true")
    f.label("other")
    f.call("Py_DecRef", f"ptr {iterator}")
    f.do("br label %unfit")


def same_key() -> str:
    """``same_key(x, y) -> i1``: the same object, or equal strings; no code of theirs is run."""
    f = Writer("same_key", "internal i1 @same_key(ptr %x, ptr %y)")
    f.require(f("icmp ne ptr %x, %y"), "same")
    for key in ("%x", "%y"):
        f.same("ptr", f.load("ptr", key, capi.TYPE), pointer(str))
    found = f.call("PyUnicode_Compare", "ptr %x", "ptr %y")
    f.do(f"ret i1 {f(f'icmp eq i32 {found}, 0')}")
    f.label("same")
    f.do("ret i1 true")
    f.label("miss")
    f.do("ret i1 false")
    return f.text()
