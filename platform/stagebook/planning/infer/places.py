"""The paths that a notebook used, as a pipeline file names them: many of one folder as that folder, or as a pattern."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

_MANY = 4  # files of one folder that are named one by one


def is_in(path: str, around: str) -> bool:
    """Whether a path is another one, or in it."""
    return path == around or path.startswith(f"{around}/")


def meet(one: str, other: str) -> bool:
    """Whether one of two paths is in the other."""
    return is_in(one, other) or is_in(other, one)


def gathered(paths: Sequence[str]) -> Iterator[tuple[str, int]]:
    """The paths, and in place of many in one folder that folder, with their number."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    for folder, inside in folders.items():
        if folder and len(inside) > _MANY:
            yield folder, len(inside)
        else:
            yield from ((path, 1) for path in inside if not (path in folders and len(folders[path]) > _MANY))


def as_read(paths: Sequence[str], files_in: Callable[[str], Collection[str]]) -> Iterator[str]:
    """Files and folders that were read, as inputs: of a folder that was listed, or of which many files were read, the pattern
    that all files which were read fit, where it fits no others; else the folder where it was listed. `files_in`: the files
    below a folder."""
    left = list(paths)
    folders = [path for path in paths if any(is_in(other, path) for other in paths if other != path)]
    folders += [path for path, count in gathered(paths) if count > 1]
    for folder in sorted(dict.fromkeys(folders)):
        inside = [path for path in left if is_in(path, folder) and path != folder]
        if inside:
            yield _pattern(folder, inside, files_in(folder)) or folder
            left = [path for path in left if not is_in(path, folder)]
    yield from left


def _pattern(folder: str, inside: Sequence[str], there: Collection[str]) -> str:
    """The pattern that stands for just these files directly in a folder; empty where there is none."""
    endings = {path.rpartition(".")[2] for path in inside if "." in path.rpartition("/")[2]}
    if len(endings) != 1 or any("/" in path.removeprefix(f"{folder}/") for path in inside):
        return ""
    ending = endings.pop()
    fitting = {path for path in there if path.rpartition("/")[0] == folder and path.endswith(f".{ending}")}
    return f"{folder}/*.{ending}" if fitting <= {*inside} else ""
