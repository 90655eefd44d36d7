"""What entries refer to: objects by address, functions of Python, NumPy and C by declaration."""

from __future__ import annotations

import sys
from typing import Any

FALLBACK = sys.intern("fallback")
"""The attribute that holds what is called when no entry fits."""


def pointer(x: Any) -> str:
    """The address of a live object, as LLVM writes it."""
    return f"inttoptr (i64 {id(x)} to ptr)"


SIGNATURES = {
    "PyArray_NewFromDescr": "ptr @PyArray_NewFromDescr(ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)",
    "PyArray_Scalar": "ptr @PyArray_Scalar(ptr, ptr, ptr)",
    "PyDict_Copy": "ptr @PyDict_Copy(ptr)",
    "PyDict_GetItemWithError": "ptr @PyDict_GetItemWithError(ptr, ptr)",
    "PyDict_Next": "i32 @PyDict_Next(ptr, ptr, ptr, ptr)",
    "PyDict_SetItem": "i32 @PyDict_SetItem(ptr, ptr, ptr)",
    "PyDict_Size": "i64 @PyDict_Size(ptr)",
    "PyErr_Clear": "void @PyErr_Clear()",
    "PyErr_Occurred": "ptr @PyErr_Occurred()",
    "PyEval_RestoreThread": "void @PyEval_RestoreThread(ptr)",
    "PyEval_SaveThread": "ptr @PyEval_SaveThread()",
    "PyIter_Next": "ptr @PyIter_Next(ptr)",
    "PyList_New": "ptr @PyList_New(i64)",
    "PyLong_AsLongLong": "i64 @PyLong_AsLongLong(ptr)",
    "PyODict_New": "ptr @PyODict_New()",
    "PyObject_Call": "ptr @PyObject_Call(ptr, ptr, ptr)",
    "PyObject_GetAttr": "ptr @PyObject_GetAttr(ptr, ptr)",
    "PyObject_GetIter": "ptr @PyObject_GetIter(ptr)",
    "PyObject_SetItem": "i32 @PyObject_SetItem(ptr, ptr, ptr)",
    "PyObject_Vectorcall": "ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)",
    "PyTuple_New": "ptr @PyTuple_New(i64)",
    "PyUnicode_Compare": "i32 @PyUnicode_Compare(ptr, ptr)",
    "Py_DecRef": "void @Py_DecRef(ptr)",
    "Py_IncRef": "void @Py_IncRef(ptr)",
    "aligned_alloc": "ptr @aligned_alloc(i64, i64)",
    "free": "void @free(ptr)",
}

OWN = {
    "allocate": "i1 @allocate(ptr, ptr, i64)",
    "apart": "i1 @apart(ptr, ptr, ptr)",
    "attempt": "ptr @attempt(ptr, ptr, i64, ptr, ptr)",
    "check": "i1 @check(ptr, ptr)",
    "make": "ptr @make(ptr)",
    "same_key": "i1 @same_key(ptr, ptr)",
}
"""The functions that entries consist of."""
