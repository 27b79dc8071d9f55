"""Which installed distributions provide the modules that code imports, and their versions.

The map from modules to distributions is made from the records of what is installed, and kept in a file
with the change times of the folders: what is installed or removed changes them, since the name of a
distribution's folder has its version.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from stagebook.system.file_cache import tick
from stagebook.system.files import load_cache, save_cache

VERSION = 1
_KEPT = 8  # environments in a cache file
_MODULE = re.compile(r"(?:[^\W\d]\w*/)*[^\W\d]\w*(?:\.py|(?:\.[\w-]+)?\.(?:so|pyd))")
_KEY = re.compile(r"['\"](\w[\w.]*)['\"]\s*:")
_PATH = re.compile(r"['\"]((?:/|[A-Za-z]:)[^'\"\n]+)['\"]")
_MAPPED = re.compile(r"map_module\(['\"](\w+)|^MAPPING\b[^{]*(\{[^}]*\})", re.MULTILINE)

_Names = dict[str, list[list[str]]]  # of a module: the name and version of each distribution with it
_latest: tuple[list[list[Any]], str, _Names] = ([], "", {})


def versions(packages: Iterable[str], *, prefix: Path | None = None, cache: Path | None) -> dict[str, str]:
    """The distributions that provide these modules, with their versions, in this interpreter or in the
    environment `prefix`.

    Of a dotted name the longest part that is known counts, so that `google.cloud.storage` is one
    distribution and `google` all that have a part of it. What is not installed is left out.
    """
    names = _names(_folders_of(prefix) if prefix else _folders(), cache)
    found: dict[str, str] = {}
    for package in packages:
        known = package
        while known and known not in names:
            known = known.rpartition(".")[0]
        found |= dict(names.get(known, ()))
    return found


def source_folders(prefix: Path | None = None) -> list[str]:
    """The folders outside of this interpreter's environment, or of another one, that are in its import path:
    those of projects that were installed so that they can be edited (`pip install -e`), by `.pth` files, by
    finders as those of setuptools and editables, or by `.egg-link`."""
    found: list[str] = []
    for folder in _folders_of(prefix) if prefix else _folders():
        for entry in _listed(folder):
            text = os.path.join(folder, entry)
            if entry.endswith((".pth", ".egg-link")):
                lines = (line.strip() for line in _text(text).splitlines())
                found += [line for line in lines if os.path.isabs(line) and os.path.isdir(line)]
            elif "editable" in entry and entry.endswith(".py"):
                for path in _PATH.findall(_text(text)):
                    package = path.removesuffix(f"{os.sep}__init__.py")
                    found += [os.path.dirname(package)] if os.path.exists(package) else []
    return [folder for folder in dict.fromkeys(found) if "site-packages" not in folder.split(os.sep)]


def _folders() -> list[str]:
    folders = dict.fromkeys(sys.path)
    return [it for it in folders if os.path.basename(it) in {"site-packages", "dist-packages"}]


def _folders_of(prefix: Path) -> list[str]:
    found = [*prefix.glob("lib/python*/site-packages"), *prefix.glob("lib64/python*/site-packages")]
    found += [*prefix.glob("lib/python*/dist-packages"), *prefix.glob("Lib/site-packages")]
    with contextlib.suppress(OSError, UnicodeDecodeError):
        lines = (prefix / "pyvenv.cfg").read_text().splitlines()
        about = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
        if about.get("include-system-site-packages") == "true" and Path(about["home"]).parent != prefix:
            return _distinct(found) + _folders_of(Path(about["home"]).parent)
    return _distinct(found)


def _distinct(paths: list[Path]) -> list[str]:
    """Without those that are others by a symlink, as `lib64` is."""
    return list({os.path.realpath(path): str(path) for path in sorted(paths, reverse=True)}.values())[::-1]


# -- the cache ------------------------------------------------------------------------------------


def _names(folders: list[str], cache: Path | None) -> _Names:
    global _latest  # noqa: PLW0603 - a run asks for each stage
    key = os.pathsep.join(folders)
    if _latest[1] == key and _marks(path for path, _ in _latest[0]) == _latest[0]:
        return _latest[2]
    entries = _read(cache)
    entry = entries.get(key)
    if entry is None or _marks(path for path, _ in entry[0]) != entry[0]:
        looked = time.time_ns()
        entry = entries[key] = _look(folders)
        if any(mark > looked - tick(mark) for _, mark in entry[0]):
            return entry[1]  # a second change in the same tick of the clock would not be seen
        if cache is not None:
            kept = {name: entries[name] for name in [*[it for it in entries if it != key][1 - _KEPT :], key]}
            save_cache(cache, {"v": VERSION, "maps": kept})
    _latest = (entry[0], key, entry[1])
    return entry[1]


def _read(cache: Path | None) -> dict[str, tuple[list[list[Any]], _Names]]:
    """The entries of the cache file; none where it is damaged."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        data = load_cache(cache) if cache is not None else {}
        if data["v"] == VERSION:
            return {str(key): _checked(*entry) for key, entry in data["maps"].items()}
    return {}


def _checked(marks: Any, names: Any) -> tuple[list[list[Any]], _Names]:
    """An entry of the cache. Raises `ValueError`, `TypeError` or `AttributeError` if it is none."""
    for name, version in itertools.chain.from_iterable(names.values()):
        if not (isinstance(name, str) and isinstance(version, str)):
            raise TypeError
    return [[str(path), int(mark)] for path, mark in marks], names


def _marks(paths: Iterable[str]) -> list[list[Any]]:
    return [[path, _changed_at(path)] for path in paths]


def _changed_at(path: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(path).st_mtime_ns
    return 0


# -- what is installed ----------------------------------------------------------------------------


def _look(folders: list[str]) -> tuple[list[list[Any]], _Names]:
    """The map of these folders, and the folders that it was made from, with their change times."""
    watched = dict(_marks(folders))  # before they are read
    distributions: dict[str, tuple[str, str, set[str]]] = {}
    for folder in reversed(folders):  # what is in an earlier one hides what is in a later one
        for place in _metadata(folder):
            name, version = _name_and_version(place)
            modules, more = _modules(place)
            watched |= dict(_marks(more))
            distributions[re.sub(r"[-_.]+", "-", name).lower()] = (name, version, modules)
    names: dict[str, dict[str, str]] = {}
    for name, version, modules in distributions.values():
        for module in modules or {re.sub(r"[-.]+", "_", name)}:
            parts = module.split(".")
            for at in range(len(parts)):
                names.setdefault(".".join(parts[: at + 1]), {})[name] = version
    marks = [[path, mark] for path, mark in watched.items()]
    return marks, {module: [list(item) for item in sorted(found.items())] for module, found in names.items()}


def _metadata(folder: str) -> Iterator[str]:
    """The `.dist-info` and `.egg-info` in a folder, and those of the projects that it links to."""
    for entry in _listed(folder):
        path = os.path.join(folder, entry)
        if entry.endswith((".dist-info", ".egg-info")) and not entry.startswith("~"):
            yield path
        elif entry.endswith(".egg-link"):
            linked = _text(path).partition("\n")[0].strip()
            yield from (os.path.join(linked, it) for it in _listed(linked) if it.endswith(".egg-info"))


def _text(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
    return ""


def _name_and_version(place: str) -> tuple[str, str]:
    head = _text(os.path.join(place, "METADATA")) or _text(os.path.join(place, "PKG-INFO")) or _text(place)
    head = head.partition("\n\n")[0]
    named = re.search(r"^Name:\s*(\S+)", head, re.MULTILINE)
    dated = re.search(r"^Version:\s*(\S+)", head, re.MULTILINE)
    name, _, version = os.path.basename(place).rpartition(".")[0].partition("-")
    return (named[1] if named else name), (dated[1] if dated else version.partition("-")[0])


def _modules(place: str) -> tuple[set[str], list[str]]:
    """The modules of a distribution, packages without what is in them; the folders outside of the
    environment that have some of them."""
    folder = os.path.dirname(place)
    lines = _text(os.path.join(place, "RECORD")).splitlines()
    record = {line[1:].partition('"')[0] if line[:1] == '"' else line.partition(",")[0] for line in lines}
    modules = _of_record(record)
    outside = [] if lines else [place]  # of an installation that can be edited, the old way
    for file in record:
        if "/" in file or not (file.endswith(".pth") or "editable" in file):
            continue
        text = _text(os.path.join(folder, file))
        if file.endswith(".pth"):
            outside += [line.strip() for line in text.splitlines() if os.path.isdir(line.strip())]
        for found in _MAPPED.finditer(text):
            modules |= {found[1]} if found[1] else set(_KEY.findall(found[2]))
    for path in outside:
        modules |= _of_folder(path)
    return modules or set(_text(os.path.join(place, "top_level.txt")).split()), outside


def _of_record(record: set[str]) -> set[str]:
    """Of the files of a distribution, the modules that are in no package, and the packages that are in
    none: below a namespace such as `google` these are `google.auth` and the like."""
    found: set[str] = set()
    for path in record:
        if _MODULE.fullmatch(path) is None or path.startswith("__pycache__/"):
            continue
        *folders, file = path.split("/")
        for at in range(1, len(folders) + 1):
            if "/".join([*folders[:at], "__init__.py"]) in record:
                found.add(".".join(folders[:at]))
                break
        else:
            found.add(".".join([*folders, file.partition(".")[0]]).removesuffix(".__init__"))
    return found


def _of_folder(folder: str) -> set[str]:
    """The packages and modules in a folder that is in the import path."""
    found: set[str] = set()
    for entry in _listed(folder):
        if entry.isidentifier() and os.path.isfile(os.path.join(folder, entry, "__init__.py")):
            found.add(entry)
        elif _MODULE.fullmatch(entry):
            found.add(entry.partition(".")[0])
    return found


def _listed(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return sorted(os.listdir(folder))
    return []
