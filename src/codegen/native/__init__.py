"""Calls at the speed of a C extension: native code that reads Python's objects itself.

It relies on where CPython and NumPy keep the fields of their objects; ``capi.usable`` checks each
of these facts when it is first asked, and where one fails, calls go the longer way through Python.
"""
