"""Objects that hold their parameters, as functions of them: torch.func's conventions.

A module is any object whose attributes hold arrays, or hold lists, tuples, dicts and further
objects that do. A parameter is a float array, called by the dotted path that leads to it, as
``layers.0.weight``; other arrays are buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import RLock
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from tracer import tree
from tracer.array import Tracer
from tracer.errors import ModuleError, message
from tracer.fresh import Fresh

OPAQUE = (str, bytes, type, FunctionType, MethodType, ModuleType, np.dtype)
"""What is never a module, whatever attributes it has."""

SWAPPING = RLock()
"""Held while a module has other arrays than its own: calls in other threads wait."""


def is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray | np.generic | Tracer | Fresh)


def children(x: Any) -> Iterator[tuple[Any, Any]]:
    """The parts of a module, by attribute, index or key."""
    if isinstance(x, dict):
        yield from x.items()
    elif isinstance(x, list | tuple):
        yield from enumerate(x)
    elif not isinstance(x, OPAQUE):
        yield from getattr(x, "__dict__", {}).items()
        for cls in type(x).__mro__:
            slots = cls.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if name not in ("__dict__", "__weakref__") and hasattr(x, name):
                    yield name, getattr(x, name)


def places(x: Any, path: tuple[Any, ...] = (), seen: set[int] | None = None) -> Iterator[Any]:
    """Every place in a module that holds an array, with the keys that lead to it; what holds them
    is visited once."""
    seen = set() if seen is None else seen
    if is_array(x):
        yield path, x
    elif id(x) not in seen:
        seen.add(id(x))
        for key, child in list(children(x)):
            yield from places(child, (*path, key), seen)


def name_of(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path))


def module_state(module: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of a module, by name; the arrays are the module's own.

    An array that the module holds in several places is listed once.

    >>> import numpy as np
    >>> from tracer import module_state
    >>> class Linear:
    ...     def __init__(self):
    ...         self.weight, self.steps = np.ones((2, 2)), np.array(3)
    >>> module_state(Linear())
    ({'weight': array([[1., 1.],
           [1., 1.]])}, {'steps': array(3)})
    """
    params: dict[str, Any] = {}
    buffers: dict[str, Any] = {}
    seen: set[int] = set()
    for path, array in places(module):
        if id(array) not in seen:
            seen.add(id(array))
            (params if array.dtype.kind == "f" else buffers)[name_of(path)] = array
    return params, buffers


def functional_call(
    module: Any,
    params: dict[str, Any] | Sequence[dict[str, Any]],
    args: Any = (),
    kwargs: dict[str, Any] | None = None,
    *,
    strict: bool = False,
) -> Any:
    """``module(*args, **kwargs)`` with other arrays in the place of the module's own.

    ``params`` are arrays by name (see ``module_state``), in one dict or several. The module has
    its own arrays back afterwards, whatever happens; calls in other threads wait. An array that
    the module holds in several places is replaced in all of them. A method may be given for the
    module, and a single argument without a tuple around it.

    Raises ModuleError (a RuntimeError, AttributeError and ValueError) where a name is not the
    module's, or, with ``strict``, where one is missing.

    >>> import numpy as np
    >>> from tracer import functional_call, grad, module_state
    >>> class Linear:
    ...     def __init__(self):
    ...         self.weight, self.bias = np.ones(2), np.zeros(2)
    ...     def __call__(self, x):
    ...         return np.sum(self.weight * x + self.bias)
    >>> layer = Linear()
    >>> params, _ = module_state(layer)
    >>> grad(lambda p: functional_call(layer, p, np.array([3.0, 4.0])))(params)
    {'weight': array([3., 4.]), 'bias': array([1., 1.])}
    """
    given = merged(params)
    positional = args if isinstance(args, tuple) else (args,)
    root = module.__self__ if isinstance(module, MethodType) else module
    with SWAPPING:
        found = [(path, array, name_of(path)) for path, array in places(root)]
        check_names(root, given, [name for *_, name in found], strict)
        new = {id(array): given[name] for _, array, name in found if name in given}
        undo: list[Callable[[], None]] = []
        try:
            for path, array, _ in found:
                if id(array) in new:
                    undo.append(put(root, path, new[id(array)]))
            return module(*positional, **(kwargs or {}))
        finally:
            for restore in reversed(undo):
                restore()


def merged(params: Any) -> dict[str, Any]:
    """One dict of several, which must not have a name in common."""
    listed = [params] if isinstance(params, dict) else params
    if not (isinstance(listed, list | tuple) and all(isinstance(p, dict) for p in listed)):
        raise refused(f"params should be a dict or a list of dicts, got {type(params).__name__}")
    names = [name for p in listed for name in p]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise refused(f"{shown(twice)} appeared in multiple dictionaries", "Name each once.")
    return {name: x for p in listed for name, x in p.items()}


def check_names(module: Any, given: dict[str, Any], names: Sequence[str], strict: bool) -> None:
    unexpected = [name for name in given if name not in names]
    missing = [name for name in names if name not in given] if strict else []
    gists = [f"Unexpected key(s): {shown(unexpected)}"] if unexpected else []
    gists += [f"Missing key(s): {shown(missing)}"] if missing else []
    if gists:
        raise refused(
            f"error(s) in reparametrizing for {type(module).__name__}. {'. '.join(gists)}",
            f"Its arrays are {shown(names) or 'none'}.",
        )


def shown(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def refused(
    gist: str, way_out: str = "See module_state.", function: str = "functional_call"
) -> ModuleError:
    return ModuleError(message(f"{function}: {gist}.", way_out))


def put(root: Any, path: tuple[Any, ...], new: Any) -> Callable[[], None]:
    """Put the array where the path leads; the function returned puts the old one back.

    Tuples cannot be changed, so one on the way is replaced by another.
    """
    owners = [root]
    for key in path[:-1]:
        owners.append(part(owners[-1], key))
    for owner, key in zip(reversed(owners), reversed(path), strict=True):
        if not isinstance(owner, tuple):
            old = part(owner, key)
            assign(owner, key, new)
            return lambda: assign(owner, key, old)
        items = [*owner[:key], new, *owner[key + 1 :]]
        named = hasattr(owner, "_fields")
        new = type(owner)(*items) if named else type(owner)(items)
    raise refused("the module is a tuple, whose items cannot be replaced", "Pass a list.")


def part(owner: Any, key: Any) -> Any:
    return owner[key] if isinstance(owner, dict | list | tuple) else getattr(owner, key)


def assign(owner: Any, key: Any, new: Any) -> None:
    """Set the item or attribute, that of a frozen dataclass too."""
    if isinstance(owner, dict | list):
        owner[key] = new
    else:
        object.__setattr__(owner, key, new)


def tree_stack(trees: Sequence[Any]) -> Any:
    """Like trees as one, each leaf the leaves of all along a new first axis.

    Raises ModuleError where there are none, or their structures or shapes differ.

    >>> import numpy as np
    >>> from tracer import tree_stack, vmap
    >>> models = [{"w": np.array([1.0, 2.0])}, {"w": np.array([3.0, 4.0])}]
    >>> tree_stack(models)
    {'w': array([[1., 2.],
           [3., 4.]])}
    >>> vmap(lambda model, x: model["w"] @ x, (0, None))(tree_stack(models), np.ones(2))
    array([3., 7.])
    """
    return stacked(list(trees), "tree_stack")


def stacked(trees: Sequence[Any], function: str) -> Any:
    if not trees:
        raise refused("there is nothing to stack", "Pass one tree at least.", function)
    first, treedef = tree.flatten(trees[0])
    columns = [[x] for x in first]
    for other in trees[1:]:
        leaves = tree.matched(other, treedef)
        if leaves is None:
            both = tree.shown(treedef), tree.shown(tree.structure(other))
            raise refused(
                f"trees of structures {both[0]} and {both[1]} cannot be stacked",
                "All must have the same containers and keys.",
                function,
            )
        for column, x in zip(columns, leaves, strict=True):
            column.append(x)
    for column in columns:
        shapes = {np.shape(x) for x in column}
        if len(shapes) > 1:
            raise refused(
                f"leaves of shapes {sorted(shapes)} cannot be stacked",
                "All must have the same shape.",
                function,
            )
    return tree.unflatten(treedef, [np.stack(column) for column in columns])


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of several like modules, each stacked by name.

    With ``vmap`` over the first axis, ``functional_call`` runs all of them at once.

    Raises ModuleError where there are none, or they differ in class, names or shapes.

    >>> import numpy as np
    >>> from tracer import functional_call, stack_module_state, vmap
    >>> class Scale:
    ...     def __init__(self, factor):
    ...         self.factor = np.array(factor)
    ...     def __call__(self, x):
    ...         return self.factor * x
    >>> models = [Scale(1.0), Scale(10.0)]
    >>> params, buffers = stack_module_state(models)
    >>> vmap(lambda p, x: functional_call(models[0], p, x), (0, None))(params, np.array([1.0, 2.0]))
    array([[ 1.,  2.],
           [10., 20.]])
    """
    if len({type(model) for model in models}) > 1:
        raise refused("all models should be of one class", "Stack those.", "stack_module_state")
    states = [module_state(model) for model in models]
    made: tuple[dict[str, Any], dict[str, Any]] = stacked(states, "stack_module_state")
    return made
