"""Libraries that open files in C or C++, which no audit event tells of. A few entry points of the best known
ones are wrapped: each reports the path that it is given, and calls on. SQL is searched as text."""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from typing import Any

from .reporter import Reporter, is_elsewhere

MAX_TEXT = 100_000  # characters of a cell that are looked through for SQL

_SQL_SOURCE = re.compile(
    r"\b(?:from|join|describe|summarize)\s+'([^'{}\n]+)'"
    r"|\b(?:read_\w+|\w+_scan|glob)\(\s*\[?\s*'([^'{}\n]+)'",
    re.IGNORECASE,
)
_SQL_TARGET = re.compile(r"\bto\s+'([^'{}\n]+)'|\battach\s+(?:database\s+)?'([^'{}\n]+)'", re.IGNORECASE)

_Entry = tuple[str, str, int, str]  # dotted name, kind, position and name of the argument with the path
_DUCKDB = (("read_parquet", "from_parquet"), ("read_csv", "from_csv_auto"), ("read_json",))
_POLARS = ("parquet", "csv", "ipc", "ndjson", "json", "avro", "delta")
# What is wrapped of which module. Functions that look at the frame of their caller must not be here,
# such as `duckdb.sql`, which finds variables in it.
WRAPPED: dict[str, tuple[_Entry, ...]] = {
    "pyarrow": (
        ("memory_map", "source", 0, "path"),
        ("create_memory_map", "write", 0, "path"),
        ("input_stream", "source", 0, "source"),
        ("output_stream", "write", 0, "source"),
    ),
    "pyarrow.parquet.core": (
        ("ParquetFile.__init__", "source", 1, "source"),
        ("ParquetDataset.__init__", "source", 1, "path_or_paths"),
        ("ParquetWriter.__init__", "write", 1, "where"),
    ),
    "pyarrow.dataset": (
        ("dataset", "source", 0, "source"),
        ("parquet_dataset", "source", 0, "metadata_path"),
        ("write_dataset", "write", 1, "base_dir"),
    ),
    "pyarrow.csv": (
        ("read_csv", "source", 0, "input_file"),
        ("open_csv", "source", 0, "input_file"),
        ("write_csv", "write", 1, "output_file"),
    ),
    "pyarrow.json": (
        ("read_json", "source", 0, "input_file"),
        ("open_json", "source", 0, "input_file"),
    ),
    "pyarrow.feather": (
        ("read_table", "source", 0, "source"),
        ("write_feather", "write", 1, "dest"),
    ),
    "pyarrow.ipc": (
        ("open_file", "source", 0, "source"),
        ("open_stream", "source", 0, "source"),
        ("new_file", "write", 0, "sink"),
        ("new_stream", "write", 0, "sink"),
    ),
    "pyarrow.orc": (
        ("ORCFile.__init__", "source", 1, "source"),
        ("ORCWriter.__init__", "write", 1, "where"),
        ("read_table", "source", 0, "source"),
    ),
    "polars": (
        *((f"{how}_{form}", "source", 0, "source") for how in ("read", "scan") for form in _POLARS),
        *((f"DataFrame.write_{form}", "write", 1, "file") for form in _POLARS),
        *((f"LazyFrame.sink_{form}", "write", 1, "path") for form in _POLARS),
    ),
    "duckdb": (
        ("connect", "database", 0, "database"),
        *((name, "source", 0, "path_or_buffer") for names in _DUCKDB for name in names),
        *(
            (f"DuckDBPyConnection.{name}", "source", 1, "path_or_buffer")
            for names in _DUCKDB
            for name in names
        ),
    ),
}


class Watcher:
    """A finder of `sys.meta_path` that finds nothing itself: when one of the known libraries is
    imported, it has its entry points wrapped afterwards."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def wrap_what_is_there(self) -> None:
        """Wrap the entry points of what is imported already."""
        for name in WRAPPED:
            if name in sys.modules:
                wrap(self._reporter, name, sys.modules[name])

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """What the next finder that knows the module returns."""
        if name not in WRAPPED:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self._prepare(name, spec)
                return spec
        return None

    def _prepare(self, name: str, spec: ModuleSpec) -> None:
        loader: Any = spec.loader
        if type(loader) is not SourceFileLoader:
            return  # another kind may be shared by modules

        def exec_module(module: Any) -> None:
            vars(loader).pop("exec_module", None)
            loader.exec_module(module)
            wrap(self._reporter, name, module)

        vars(loader)["exec_module"] = exec_module


def wrap(reporter: Reporter, name: str, module: Any) -> None:
    """Wrap the entry points of a module; those that this version of it lacks are left out."""
    for dotted, kind, at, argument in WRAPPED[name]:
        with contextlib.suppress(Exception):  # modules raise anything; what cannot be wrapped is not reported
            *outer, attribute = dotted.split(".")
            owner = functools.reduce(getattr, outer, module)
            original = getattr(owner, attribute)
            if getattr(original, "__stagebook__", False):
                continue
            wrapper = _wrapper(reporter, original, kind, at, argument)
            # pickle finds a function by these names, and so has to find this one.
            wrapper.__module__, wrapper.__qualname__ = name, dotted
            setattr(owner, attribute, wrapper)


def _wrapper(reporter: Reporter, original: Any, kind: str, at: int, argument: str) -> Any:
    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # IPython leaves this frame out
        try:
            reporter.note_value(kind, args[at] if len(args) > at else kwargs.get(argument))
        except Exception as error:  # as in `events.audit_hook`
            if is_elsewhere(error):
                raise
        return original(*args, **kwargs)

    wrapper.__stagebook__ = True  # type: ignore[attr-defined]
    return wrapper


def note_sql(reporter: Reporter, text: str) -> None:
    """The files that SQL in the text of a cell names, for DuckDB, which reads them itself."""
    if "duckdb" not in sys.modules and "duckdb" not in text:
        return
    for kind, pattern in (("source", _SQL_SOURCE), ("target", _SQL_TARGET)):
        for found in pattern.finditer(text[:MAX_TEXT]):
            reporter.note_value(kind, next(filter(None, found.groups())))
