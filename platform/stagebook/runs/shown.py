"""What an environment shows, wherever its folder is: on this machine, or on one that told it through the shared store."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from stagebook.errors import UsageError
from stagebook.published.manifest import Manifest, PublishedStage
from stagebook.releases.release import Release, Releases
from stagebook.runs.environments import EnvironmentTable
from stagebook.runs.placement import Placement
from stagebook.runs.push import Sharing
from stagebook.sharing.document import holds_secret
from stagebook.sharing.shared_store import SharedStore, blobs_in
from stagebook.sharing.shown import Shown, find_shown, shown_path, tell_shown
from stagebook.system.files import sha256_of
from stagebook.system.store import Store
from stagebook.workspace.environments import Environment
from stagebook.workspace.project_name import project_name
from stagebook.workspace.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownVersion:
    """What an environment shows. `folder` is that of the version, `None` where it is not here; `told` is what the shared store
    tells of it then."""

    manifest: Manifest
    folder: Path | None = None
    told: Shown | None = None

    def notebook(self, stage: PublishedStage, shared: SharedStore | None, store: Store) -> Path | None:
        """The executed notebook of a stage; `None` where it cannot be had."""
        if not stage.notebook:
            return None
        if self.told is None:
            return self.folder / stage.notebook if self.folder is not None else None
        digest = self.told.notebooks.get(stage.notebook, "")
        is_here = store.blobs.has(digest) or (shared is not None and shared.bring(digest, store.blobs))
        return store.blobs.path(digest) if is_here else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownTable:
    """What the environments of a project show. `project` is its name in the store that it `shared` with others."""

    environments: EnvironmentTable
    store: Store
    shared: SharedStore | None
    project: str

    def find(self, environment: Environment, version: int | None = None) -> ShownVersion | None:
        """What an environment shows, or showed in a version; `None` where nothing was published, as far as is known here.
        Raises `UsageError`."""
        versions = self.environments.versions(environment)
        manifest = versions.current() if version is None else versions.find(version)
        if manifest is not None:
            folder = versions.place(manifest.version) if environment.publish == "run" else None
            return ShownVersion(manifest=manifest, folder=folder)
        return self._elsewhere(environment.name)

    def _elsewhere(self, name: str) -> ShownVersion | None:
        if self.shared is None or not self.project:
            return None
        told = find_shown(self.shared, shown_path(self.project, name))
        if told is None:
            return None
        try:
            return ShownVersion(manifest=Manifest.from_text(json.dumps(told.manifest)), told=told)
        except ValueError as error:
            self.shared.access.spoilt(f"what {name} shows cannot be read there: {error}")
            return None

    def release(self, shown: ShownVersion, name: str) -> Release:
        """A release that a version names, with all of its files here. Raises `UsageError`."""
        if shown.told is None or name not in shown.told.releases:
            return self.environments.releases.find(name)
        try:
            release = Release.from_json(shown.told.releases[name])
        except ValueError as error:
            raise UsageError(f"the release {name[:10]} in the shared store is damaged: {error}") from error
        blobs = self.store.blobs
        for path, file in release.files.items():
            if not blobs.has(file.sha256) and not (self.shared and self.shared.bring(file.sha256, blobs)):
                raise UsageError(f"'{path}' of the release {release.short} is not in the shared store")
        return release


def shown_table(placement: Placement, settings: Settings, store: Store) -> ShownTable:
    """What the environments of a project show, as they are seen from its working tree."""
    home = placement.home
    shared = placement.shared(home, settings)
    name = project_name(home, settings.project.name) if shared is not None else ""
    return ShownTable(environments=placement.environments, store=store, shared=shared, project=name)


def tell(sharing: Sharing, environment: Environment, table: EnvironmentTable) -> bool:
    """Tell the machines that use the same store what an environment shows; whether it is told. Only those that the settings
    declare are: others have nobody who asks for them."""
    if not sharing.shared.access.takes or table.is_made(environment.name):
        return False
    versions = table.versions(environment)
    with contextlib.suppress(UsageError, OSError):
        current = versions.current()
        project = sharing.project() if current is not None else ""
        if current is None or not project:
            return False
        params = [pair for one in current.pipelines.values() for pair in one.params.items()]
        if any(holds_secret(name, value) for name, value in params):
            what = f"what {environment.name} shows is not told there: a parameter looks like a secret"
            sharing.shared.access.note(what, "make it a secret: docs/secrets.md")
            return False
        notebooks = _notebooks(versions.place(current.version), current)
        files = {digest: place for place, digest in notebooks.values()}
        return tell_shown(
            sharing.shared,
            shown_path(project, environment.name),
            _shown(current, notebooks, table.releases, sharing.store),
            lambda digest: files.get(digest) or sharing.store.blobs.path(digest),
        )
    return False


def _notebooks(folder: Path, manifest: Manifest) -> dict[str, tuple[Path, str]]:
    """The executed notebooks of the version in a folder by their paths in it: where they are, and their digests."""
    names = {stage.notebook for one in manifest.pipelines.values() for stage in one.stages.values()}
    places = {name: folder / name for name in sorted(names) if name and (folder / name).is_file()}
    return {name: (place, sha256_of(place)) for name, place in places.items()}


def _shown(
    manifest: Manifest, notebooks: Mapping[str, tuple[Path, str]], known: Releases, store: Store
) -> Shown:
    blobs = {digest: place.stat().st_size for place, digest in notebooks.values()}
    releases = {}
    for name in {manifest.release, *(one.release for one in manifest.pipelines.values())} - {""}:
        with contextlib.suppress(UsageError):  # of a working tree, which nobody released
            found = known.find(name)
            releases[name] = found.to_json()
            blobs |= {file.sha256: file.size for file in found.files.values()}
    kept = (
        one.artifact for one in manifest.datasets.values() if one.artifact.kept and not one.artifact.external
    )
    blobs |= {digest: size for digest, size in blobs_in(kept, store).items() if size is not None}
    return Shown(
        manifest=json.loads(manifest.to_text()),
        releases=releases,
        notebooks={name: digest for name, (_, digest) in notebooks.items()},
        blobs=blobs,
    )
