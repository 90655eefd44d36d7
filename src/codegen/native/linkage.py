"""What entries refer to: objects by address, functions of Python, NumPy and C by declaration."""

from __future__ import annotations

import sys
from typing import Any

FALLBACK = sys.intern("fallback")
"""The attribute that holds what is called when no entry fits."""


def pointer(x: Any) -> str:
    """The address of a live object, as LLVM writes it."""
    return f"inttoptr (i64 {id(x)} to ptr)"


MISS = """
define ptr @miss(ptr %self, ptr %args, i64 %flags, ptr %names) nounwind {
  %fallback = call ptr @PyObject_GetAttr(ptr %self, ptr {name})
  %none = icmp eq ptr %fallback, null
  br i1 %none, label %lost, label %found
lost:
  ret ptr null
found:
  %made = call ptr @PyObject_Vectorcall(ptr %fallback, ptr %args, i64 %flags, ptr %names)
  call void @Py_DecRef(ptr %fallback)
  ret ptr %made
}
!0 = !{!"branch_weights", i32 1000, i32 1}
""".replace("{name}", pointer(FALLBACK))
"""What the last entry hands over to: the object's fallback, in Python."""

SIGNATURES = {
    "PyArray_New": "ptr @PyArray_New(ptr, i32, ptr, i32, ptr, ptr, i32, i32, ptr)",
    "PyArray_Scalar": "ptr @PyArray_Scalar(ptr, ptr, ptr)",
    "PyDict_New": "ptr @PyDict_New()",
    "PyDict_Next": "i32 @PyDict_Next(ptr, ptr, ptr, ptr)",
    "PyDict_SetItem": "i32 @PyDict_SetItem(ptr, ptr, ptr)",
    "PyErr_Clear": "void @PyErr_Clear()",
    "PyEval_RestoreThread": "void @PyEval_RestoreThread(ptr)",
    "PyEval_SaveThread": "ptr @PyEval_SaveThread()",
    "PyList_New": "ptr @PyList_New(i64)",
    "PyLong_AsLongLong": "i64 @PyLong_AsLongLong(ptr)",
    "PyObject_GetAttr": "ptr @PyObject_GetAttr(ptr, ptr)",
    "PyObject_Vectorcall": "ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)",
    "PyTuple_New": "ptr @PyTuple_New(i64)",
    "Py_DecRef": "void @Py_DecRef(ptr)",
    "Py_IncRef": "void @Py_IncRef(ptr)",
    "aligned_alloc": "ptr @aligned_alloc(i64, i64)",
    "free": "void @free(ptr)",
}
