"""Pytrees: nested containers of leaves. The only module that speaks optree.

``None`` is a leaf, and dicts keep their insertion order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import optree

from tracer.ending import kept_whole

NAMESPACE = "tracer"
TreeDef = optree.PyTreeSpec

INSERTION_ORDER = optree.dict_insertion_ordered(True, namespace=NAMESPACE)
"""Entered once and never left, so kept: the order of a dict's keys is the user's."""
INSERTION_ORDER.__enter__()


@kept_whole
def flatten(tree: Any) -> tuple[list[Any], TreeDef]:
    """The leaves, and the structure that holds them."""
    return optree.tree_flatten(tree, none_is_leaf=True, namespace=NAMESPACE)


@kept_whole
def unflatten(treedef: TreeDef, leaves: Sequence[Any]) -> Any:
    return optree.tree_unflatten(treedef, leaves)


def leaves(tree: Any) -> list[Any]:
    return flatten(tree)[0]


def structure(tree: Any) -> TreeDef:
    return flatten(tree)[1]


@kept_whole
def tree_map(function: Callable[..., Any], tree: Any) -> Any:
    return optree.tree_map(function, tree, none_is_leaf=True, namespace=NAMESPACE)


@kept_whole
def path(tree: Any, n: int) -> str:
    """Where the nth leaf is, as an index expression: ``['b'][0].x``, nothing for a leaf alone."""
    accessors = optree.tree_accessors(tree, none_is_leaf=True, namespace=NAMESPACE)
    return accessors[n].codify("")


class Leaf:
    """Stands for any leaf where a structure is shown."""

    def __repr__(self) -> str:
        return "*"


def shown(treedef: TreeDef) -> str:
    """The structure as its containers print, with ``*`` for each leaf."""
    return repr(unflatten(treedef, [Leaf()] * treedef.num_leaves))


@kept_whole
def matched(tree: Any, treedef: TreeDef) -> list[Any] | None:
    """The tree's leaves in the order of the structure; None where it has another one.

    The keys of a dict may come in any order.
    """
    found, own = flatten(tree)
    if own == treedef:
        return found
    return treedef.flatten_up_to(tree) if reordered(own, treedef) else None


def reordered(one: TreeDef, other: TreeDef) -> bool:
    """Whether structures differ in the order of dict keys at most."""
    if one.type is not other.type or one.num_children != other.num_children:
        return False
    if one.type is None or not issubclass(one.type, dict):
        alike = one.one_level() == other.one_level()
        pairs = zip(one.children(), other.children(), strict=True)
        return alike and all(reordered(x, y) for x, y in pairs)
    mine = dict(zip(one.entries(), one.children(), strict=True))
    theirs = dict(zip(other.entries(), other.children(), strict=True))
    return mine.keys() == theirs.keys() and all(reordered(x, theirs[k]) for k, x in mine.items())


@kept_whole
def broadcast_prefix(prefix: Any, tree: Any) -> list[Any]:
    """One leaf of ``prefix`` for each leaf of ``tree``, by key in dicts; ValueError where they do
    not match."""
    whole = optree.tree_broadcast_prefix(prefix, tree, none_is_leaf=True, namespace=NAMESPACE)
    return structure(tree).flatten_up_to(whole)


def is_sequence(cls: type | None) -> TypeGuard[type]:
    """Whether it is tuple, list, or a class of named tuples, made by calling it on their items."""
    return cls in (tuple, list) or (isinstance(cls, type) and optree.is_namedtuple_class(cls))
