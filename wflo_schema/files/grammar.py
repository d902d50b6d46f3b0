"""PostgreSQL's own grammar, asked whether it takes a text: the library inside of postgast, without the import of it.

Hides that postgast, whose trees nobody wants here, takes half as long to import as a whole run with nothing to do.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import platform
from pathlib import Path
from typing import NamedTuple

_LIBRARY = {"Linux": "libpg_query.so", "Darwin": "libpg_query.dylib", "Windows": "pg_query.dll"}


class Fault(NamedTuple):
    """What the grammar does not take.  ``position`` counts characters from 1, 0 where it is not known."""

    message: str
    position: int


class _Error(ctypes.Structure):
    _fields_ = (
        ("message", ctypes.c_char_p),
        ("funcname", ctypes.c_char_p),
        ("filename", ctypes.c_char_p),
        ("lineno", ctypes.c_int),
        ("cursorpos", ctypes.c_int),
        ("context", ctypes.c_char_p),
    )


class _Split(ctypes.Structure):
    _fields_ = (
        ("statements", ctypes.c_void_p),
        ("count", ctypes.c_int),
        ("stderr", ctypes.c_char_p),
        ("error", ctypes.POINTER(_Error)),
    )


@functools.cache
def _library() -> ctypes.CDLL:
    found = importlib.util.find_spec("postgast")
    folder = Path(next(iter(found.submodule_search_locations or ()))) if found is not None else Path()
    path = folder / _LIBRARY.get(platform.system(), "")
    if path.is_file():
        library = ctypes.CDLL(str(path))
    else:  # postgast knows where else it may be
        from postgast import native

        library = native.lib
    library.pg_query_split_with_parser.restype = _Split
    library.pg_query_split_with_parser.argtypes = [ctypes.c_char_p]
    library.pg_query_free_split_result.restype = None
    library.pg_query_free_split_result.argtypes = [_Split]
    return library


def fault_of(text: bytes) -> Fault | None:
    """What is wrong with these statements in the eyes of the grammar; None where it takes them."""
    library = _library()
    found = library.pg_query_split_with_parser(text)
    try:
        if not found.error:
            return None
        error = found.error.contents
        return Fault((error.message or b"").decode("utf-8", "replace"), error.cursorpos)
    finally:
        library.pg_query_free_split_result(found)
