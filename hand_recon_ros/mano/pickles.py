"""Read MANO's pickles without running what is in them.

A pickle can call any function by name. ``RestrictedUnpickler`` knows a dozen harmless names (facts
A2.1) and refuses all others before anything is called; other kinds of files add their own to them.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class ForbiddenError(pickle.UnpicklingError):
    """The pickle asks for something that no file of its kind needs."""


class InertObject:
    """Stands for a foreign object: keeps its state, computes nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take anything and keep nothing."""
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        """Keep the state, out of reach of the object's own attributes."""
        if not isinstance(state, dict):
            raise ForbiddenError("it holds an object whose state is no dictionary")
        self.state = state


class _Ch(InertObject):
    """``chumpy.ch.Ch``: a plain array."""


class _Select(InertObject):
    """``chumpy.reordering.Select``: chosen elements of an array, reshaped."""


class _Sparse(InertObject):
    """A SciPy matrix, with the state that old and new releases write."""


class HarmlessFunction:
    """A permitted function; unlike a plain one, a pickle cannot set attributes on it."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        """Wrap it."""
        self._call = call

    def __call__(self, *args: Any) -> Any:
        """Call it."""
        return self._call(*args)

    def __setstate__(self, state: Any) -> None:
        """Refuse."""
        raise ForbiddenError("it changes a function")


def _reconstructor(cls: Any, base: Any, state: Any) -> Any:
    """``copyreg._reconstructor``, for the stubs above only."""
    if cls not in (_Ch, _Select, _Sparse) or base is not object:
        raise ForbiddenError("it rebuilds an object that no MANO file holds")
    return cls()


def _reconstruct(cls: Any, shape: Any, kind: Any) -> Any:
    """NumPy's array constructor, for plain arrays only; the state follows."""
    if cls is not np.ndarray or shape not in ((0,), 0):
        raise ForbiddenError("it rebuilds an array of a foreign class")
    return np.ndarray.__new__(np.ndarray, 0, np.int8)


def _encode(text: Any, codec: Any) -> bytes:
    """``_codecs.encode``: how Python 3 writes bytes for Python 2."""
    if not isinstance(text, str) or codec != "latin1":
        raise ForbiddenError("it uses a codec that no MANO file uses")
    return text.encode("latin1")


def _scalar(kind: Any, data: Any = b"") -> Any:
    """NumPy's scalar constructor, but never for objects (those hold a nested pickle)."""
    if not isinstance(kind, np.dtype) or kind.hasobject:
        raise ForbiddenError("it holds a scalar that is not a number")
    raw = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(raw, dtype=kind, count=1)[0]


_ALLOWED: dict[tuple[str, str], Any] = {
    **{
        (f"numpy.{core}.multiarray", name): value
        for core in ("core", "_core")
        for name, value in (
            ("_reconstruct", HarmlessFunction(_reconstruct)),
            ("scalar", HarmlessFunction(_scalar)),
        )
    },
    ("_codecs", "encode"): HarmlessFunction(_encode),
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("chumpy.ch", "Ch"): _Ch,
    ("chumpy", "Ch"): _Ch,
    ("chumpy.reordering", "Select"): _Select,
    **{
        (f"scipy.sparse.{prefix}{kind}", f"{kind}_matrix"): _Sparse
        for prefix in ("", "_")
        for kind in ("csc", "csr", "coo")
    },
    **{(module, "set"): set for module in ("builtins", "__builtin__")},
    **{(module, "object"): object for module in ("builtins", "__builtin__")},
    **{
        (module, "_reconstructor"): HarmlessFunction(_reconstructor)
        for module in ("copyreg", "copy_reg")
    },
}


def harmless(module: str, name: str) -> Any:
    """What stands for a name in a pickle. Raises ``ForbiddenError`` where nothing may."""
    try:
        return _ALLOWED[module, name]
    except KeyError:
        raise ForbiddenError(f"it asks for {module}.{name}") from None


class RestrictedUnpickler(pickle.Unpickler):
    """Builds numbers, text, containers, arrays and the stubs above; nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Give the harmless stand-in, or refuse the name."""
        return harmless(module, name)

    def persistent_load(self, pid: Any) -> Any:
        """MANO files have no outside references."""
        raise ForbiddenError("it refers to objects outside the file")


def read_pickle(path: Path) -> Any:
    """Content of a pickle written by Python 2 or 3. Raises what ``pickle`` raises."""
    with path.open("rb") as file:
        return RestrictedUnpickler(file, encoding="latin1").load()


def dense(value: Any) -> np.ndarray:
    """The numbers behind a stored array, chumpy node or sparse matrix.

    Raises ``ValueError``, ``KeyError``, ``TypeError`` or ``IndexError`` where there are none.
    """
    if isinstance(value, _Select):
        source = dense(value.state["a"]).ravel()
        chosen = source[np.asarray(value.state["idxs"]).ravel().astype(np.int64)]
        return chosen.reshape(tuple(int(n) for n in value.state["preferred_shape"]))
    if isinstance(value, _Ch):
        return dense(value.state["x"])
    if isinstance(value, _Sparse):
        return _dense_matrix(value.state)
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise TypeError("holds Python objects, not numbers")
    return array


def _dense_matrix(state: dict[str, Any]) -> np.ndarray:
    from scipy import sparse  # only a user's file needs it: the embedded model starts faster

    shape = tuple(int(n) for n in (state.get("_shape") or state["shape"]))
    if len(shape) != 2 or max(shape) > 10_000:
        raise ValueError(f"is a sparse matrix of shape {shape}")
    data = dense(state["data"])
    if "indptr" not in state:
        rows = dense(state["row"] if "row" in state else state["coords"][0])
        columns = dense(state["col"] if "col" in state else state["coords"][1])
        return sparse.coo_matrix((data, (rows, columns)), shape=shape).toarray()
    parts = (data, dense(state["indices"]), dense(state["indptr"]))
    # CSC has one pointer more than columns, CSR one more than rows; MANO's is CSC.
    if len(parts[2]) == shape[1] + 1:
        matrix = sparse.csc_matrix(parts, shape=shape)
    else:
        matrix = sparse.csr_matrix(parts, shape=shape)
    matrix.check_format(full_check=True)
    return np.asarray(matrix.toarray())
