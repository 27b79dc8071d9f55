"""The shared store that the settings of a project name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from stagebook.connections.declared import read_connections
from stagebook.errors import PipelineInvalid, Problem, did_you_mean
from stagebook.sharing.distant_place import DistantPlace
from stagebook.sharing.folder_place import FolderPlace
from stagebook.sharing.place import Place
from stagebook.sharing.shared_store import SharedStore
from stagebook.system.logins import holds_login, shown
from stagebook.system.settings_file import read_raw
from stagebook.workspace.paths import home_of
from stagebook.workspace.remotes import split
from stagebook.workspace.settings import StoreSettings

PLACE = "STAGEBOOK_STORE_REMOTE"  # in the environment: in place of `store.remote`; empty for none
MODE = "STAGEBOOK_STORE_REMOTE_MODE"  # and of `store.remote_mode`
_MODES = ("read", "read-write")


def open_shared(root: Path, settings: StoreSettings, env: Mapping[str, str]) -> SharedStore | None:
    """The shared store of the project at `root`; `None` where there is none, or the store is switched off. Nothing is asked
    yet. Raises `PipelineInvalid` for a connection that is none, and a mode that is none."""
    remote = env.get(PLACE, settings.remote).strip()
    mode = env.get(MODE, settings.remote_mode)
    if not remote or not settings.enabled:
        return None
    if mode not in _MODES:
        raise _mistake(f"{MODE} is '{mode}'; it has to be one of {', '.join(_MODES)}", "the environment")
    if holds_login(remote):
        raise _mistake(
            "store.remote holds a secret that is written out",
            read_raw(root)[1],
            "declare a connection for it, and write NAME:PATH",
        )
    place = _place(root, remote, settings.remote_timeout)
    budget = 3 * settings.remote_timeout
    return SharedStore(place, shown(remote), writes=mode == "read-write", budget=budget)


def _place(root: Path, remote: str, patience: float) -> Place:
    if "://" in remote:
        return DistantPlace(root, {"url": remote}, patience=patience)
    named = split(remote)
    if named is None:
        return FolderPlace(home_of(root) / os.path.expanduser(remote))
    name, path = named
    known = read_connections(root).all
    if name not in known:
        what = f"store.remote: there is no connection '{name}'"
        raise _mistake(what, read_raw(root)[1], did_you_mean(name, known))
    if known[name].kind != "files":
        raise _mistake(
            f"store.remote: the connection '{name}' is no store of files, but {known[name].kind}",
            read_raw(root)[1],
        )
    return DistantPlace(root, {"connection": name, "path": path.strip("/")}, patience=patience)


def _mistake(message: str, path: str, hint: str = "") -> PipelineInvalid:
    return PipelineInvalid([Problem(path=path, message=message, hint=hint)])
