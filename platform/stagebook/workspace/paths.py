"""The one resolver of paths: whatever a file or an argument names stays inside the project."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

STATE_FOLDER = ".stagebook"
MAX_LENGTH = 1_000  # characters of a path
_STAY_INSIDE = "files of a pipeline live inside its project"
MAX_NAME = 200  # bytes of one name in it; file systems take 255, and temporary names are longer


class PathRefused(ValueError):
    """The path leaves the project or is no path. `hint` says what to write instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class _LeadsOut(PathRefused):
    """The path leads out through a symlink."""


def inside(root: Path, text: str, plain_folders: set[str] | None = None) -> str:
    """The path `text`, relative to `root`, with `/`, without `.` and `..`, and with the symlinks
    among its folders followed, so that one file has one path. `plain_folders` remembers the folders
    that are no symlinks and below none, for many paths in few folders.

    Raises:
        PathRefused: it is empty, absolute, climbs out with `..`, leads out through a symlink, or is
            nothing that a file system takes.
    """
    _check_text(text)
    normal = os.path.normpath(text)
    _check_text(normal)  # `./~` names what `~` does
    if normal == ".." or normal.startswith(".." + os.sep):
        raise PathRefused(f"'{text}' leaves the project", _STAY_INSIDE)
    if is_plain(root, normal, set() if plain_folders is None else plain_folders):
        return normal.replace(os.sep, "/")
    real_root = os.path.realpath(root)
    plain = os.path.normpath(os.path.join(real_root, normal))
    real = os.path.realpath(plain)
    if real == plain:  # a loop of links
        return normal.replace(os.sep, "/")
    folder, name = os.path.split(plain)
    folder = os.path.realpath(folder)
    for place in (folder, real):
        if os.path.commonpath([real_root, place]) != real_root:
            msg = f"'{text}' leads out of the project through a symlink, to {place}"
            raise _LeadsOut(msg, _STAY_INSIDE)
    found = PurePosixPath(Path(os.path.relpath(os.path.join(folder, name), real_root))).as_posix()
    _check_text(found)  # a link may lead to a file that is called `~`
    return found


def is_plain(root: Path, path: str, plain_folders: set[str]) -> bool:
    """Whether a normalised path below `root`, as far as it is there, goes through no symlink and is none. `plain_folders` as in
    `inside`."""
    place = os.fspath(root)
    end = 0
    while end < len(path):
        end = path.find(os.sep, end + 1)
        end = len(path) if end < 0 else end
        part = path[:end]
        if part in plain_folders:
            continue
        try:
            mode = os.lstat(os.path.join(place, part)).st_mode
        except FileNotFoundError:
            return True
        except (OSError, ValueError):
            return False  # whoever follows it tells
        if stat.S_ISLNK(mode):
            return False
        if stat.S_ISDIR(mode):
            plain_folders.add(part)
    return True


def folders_around(path: str) -> Iterator[str]:
    """The folders around a path of the project, from the inside."""
    while path := path.rpartition("/")[0]:
        yield path


def _check_text(text: str) -> None:
    if not text.strip():
        raise PathRefused("the path is empty")
    if not text.isprintable():
        raise PathRefused(f"'{text}' holds a character that cannot be seen", "remove it")
    if "://" in text:
        msg = f"'{text}' is a URL, not a path of the project"
        hint = f"an output that the notebook writes there itself is {{path: '{text}', kind: external}}"
        raise PathRefused(msg, hint)
    if text.startswith(("/", "~", "\\")) or (len(text) > 1 and text[1] == ":"):
        msg = f"'{text}' is not relative to the project"
        raise PathRefused(msg, "write it relative to the project root, such as data/name.parquet")
    if len(text) > MAX_LENGTH or any(len(part.encode()) > MAX_NAME for part in text.split("/")):
        raise PathRefused(f"'{text[:40]}…' is longer than a path may be")


# -- data, which may be on another disk ------------------------------------------------------------

# No data is below these. What a link leads to is read, hashed, and written to.
_SYSTEM = (
    "/etc",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/boot",
    "/dev",
    "/proc",
    "/sys",
    "/run",
)
_EXCEPT = ("/run/media/", "/dev/shm/")  # noqa: S108 - disks that were plugged in, and one in memory
_PRIVATE = {".git", STATE_FOLDER}


def inside_for_input(root: Path, text: str, plain_folders: set[str] | None = None) -> str:
    """As `inside`, but a symlink may also lead to data elsewhere (`outside_data`): then the path goes through the
    link. Raises `PathRefused`."""
    try:
        return inside(root, text, plain_folders)
    except _LeadsOut as refused:
        return _through_link(root, text, refused)


def inside_for_output(
    root: Path, text: str, plain_folders: set[str] | None = None, data_folders: set[str] | None = None
) -> str:
    """As `inside_for_input`, for a path that a run writes to. The project's own state is refused as well, and a link
    to elsewhere itself, which would be replaced. `data_folders` remembers the folders that are no environments of Python."""
    try:
        path = inside(root, text, plain_folders)
    except _LeadsOut as refused:
        path = _through_link(root, text, refused)
        if os.path.islink(os.path.join(root, path)):
            what = f"'{text}' is a symlink to {os.path.realpath(os.path.join(root, path))}, which an output would replace"
            hint = "remove the link, or choose another path"
            if os.path.isdir(os.path.join(root, path)):
                hint = f"write to a path in it, such as {path}/name, or remove the link"
            raise PathRefused(what, hint) from None
    if what := _of_the_project(os.fspath(root), path, set() if data_folders is None else data_folders):
        raise PathRefused(f"an output cannot be written to {what}", "choose a path such as data/name.parquet")
    around = next((it for it in folders_around(path) if os.path.lexists(os.path.join(root, it))), None)
    if around is not None and os.path.isfile(os.path.join(root, around)):
        raise PathRefused(
            f"nothing can be written below '{around}', which is a file", "choose another folder"
        )
    return path


# What a project is kept, configured and run by. No run writes to it.
_OWN_FOLDERS = frozenset(
    {STATE_FOLDER, "pipelines", "mlruns", ".venv", ".github", ".gitlab", ".circleci", ".devcontainer", ".vscode", ".idea",
     ".hg", ".svn", ".ssh", ".ipython", ".jupyter", ".config"}
)  # fmt: skip
_OWN_FILES = re.compile(
    r"stagebook\.toml|pyproject\.toml|mlflow\.db(-\w+)?|\.env(\..*)?|\.envrc|\.git.*|\.pre-commit-config\.yaml|\.python-version"
    r"|\.netrc|\.pypirc|\.condarc|\.(bash|zsh|)(rc|_?profile)"
    r"|(gnu)?makefile|justfile|dockerfile|setup\.(py|cfg)|conftest\.py|noxfile\.py|tox\.ini"
)
_ANYWHERE = frozenset({".git", "site-packages", "dist-packages", "__pycache__", "node_modules"})
_ENVIRONMENT = ("pyvenv.cfg", "conda-meta")  # what marks a folder as one


def _of_the_project(root: str, path: str, data_folders: set[str]) -> str:
    """What of the project itself a path is, or is in; empty if it is none of it."""
    if path == ".":
        return "the project root"
    parts = [part.casefold() for part in path.split("/")]
    if parts[0] in _OWN_FOLDERS:
        return f"{path.split('/', maxsplit=1)[0]}/"
    if _OWN_FILES.fullmatch(parts[0]):
        return path.split("/", maxsplit=1)[0]
    if inner := next((part for part in parts if part in _ANYWHERE), ""):
        return f"{inner}/"
    for folder in (path, *folders_around(path)):
        if folder in data_folders:
            continue
        place = os.path.join(root, folder)
        if os.path.isdir(place) and any(os.path.exists(os.path.join(place, mark)) for mark in _ENVIRONMENT):
            return f"{folder}/, an environment of Python"
        if folder != path:  # of many in few folders, these are looked at once
            data_folders.add(folder)
    return ""


def outside_data(root: str, place: str) -> str:
    """Why a symlink in the project may not lead to a place outside of it (a real path); empty if it may.

    A link to a folder is how data lives on another disk, and who can make one in a project can change its notebooks,
    too. Refused is what is no data: folders of the system, hidden ones of a home folder, states, and the folders that
    the project is in.
    """
    parts = place.split(os.sep)
    home = os.path.realpath(os.path.expanduser("~"))
    if os.path.commonpath([root, place]) == place:
        return "the project itself is in it"
    if f"{place}/".startswith(tuple(f"{folder}/" for folder in _SYSTEM)) and not place.startswith(_EXCEPT):
        return "that is a folder of the system"
    if place == home or (place.startswith(f"{home}/.") and home != os.sep):
        return "that is private"
    if not _PRIVATE.isdisjoint(parts):
        return "that is a state"
    return ""


def linked_folders(root: Path) -> dict[str, str]:
    """The symlinks directly in the project that lead to folders of data elsewhere: real path → name."""
    real_root = os.path.realpath(root)
    with contextlib.suppress(OSError), os.scandir(real_root) as entries:
        links = {
            os.path.realpath(it.path): it.name for it in entries if it.is_symlink() and os.path.isdir(it.path)
        }
        return {
            real: name
            for real, name in links.items()
            if os.path.commonpath([real_root, real]) != real_root and not outside_data(real_root, real)
        }
    return {}


def _through_link(root: Path, text: str, refused: PathRefused) -> str:
    """The path of data that a symlink in the project leads to, by the first link that leads out of it."""
    real_root = os.path.realpath(root)
    here, parts = real_root, os.path.normpath(text).split(os.sep)
    while (
        parts and os.path.commonpath([real_root, os.path.realpath(os.path.join(here, parts[0]))]) == real_root
    ):
        here = os.path.realpath(os.path.join(here, parts.pop(0)))
    link = os.path.join(here, parts[0]) if parts else here
    target = os.path.realpath(link)
    found = os.path.join(link, *parts[1:])
    if not os.path.exists(target):
        raise PathRefused(
            f"'{text}' leads to {target}, which is not there", "mount the disk, or mend the link"
        )
    further = [found, os.path.dirname(found)] if parts[1:] else []  # which may hold further links
    for place in dict.fromkeys([target, *map(os.path.realpath, further)]):
        inner = os.path.commonpath([real_root, place]) == real_root
        if reason := "it leads back into the project" if inner else outside_data(real_root, place):
            raise PathRefused(f"{refused}: {reason}", refused.hint)
    path = PurePosixPath(Path(os.path.relpath(found, real_root))).as_posix()
    _check_text(path)
    return path


# -- environments ----------------------------------------------------------------------------------

ENVIRONMENTS = "environments"  # in the state of a project: a folder for each


def home_of(root: Path) -> Path:
    """The project that a root belongs to: itself, or for the tree of an environment the one that has the environment."""
    found = _environment_at(root)
    return root if found is None else found.parent.parent.parent


def environment_of(root: Path) -> str:
    """The name of the environment that a root is a tree of; empty for the project itself."""
    found = _environment_at(root)
    return "" if found is None else found.name


def _environment_at(root: Path) -> Path | None:
    """`HOME/.stagebook/environments/NAME` of a tree, whose state is a link to a folder of that."""
    state = root / STATE_FOLDER
    if not state.is_symlink():
        return None
    place = Path(os.path.realpath(state)).parent
    is_one = place.parent.name == ENVIRONMENTS and place.parent.parent.name == STATE_FOLDER
    return place if is_one else None
