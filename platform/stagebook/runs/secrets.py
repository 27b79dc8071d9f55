"""The secrets of a project: where each comes from, who uses it, and whether it is there. Values are never given."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stagebook.connections.declared import Declared
from stagebook.errors import SecretUnavailable, UsageError, did_you_mean
from stagebook.system.secret_sources import SecretSource, names_in, read_secret, source_of
from stagebook.workspace.catalog import Catalog
from stagebook.workspace.settings import Settings

OF_ALERTS = "alerts "  # before the name of a rule that uses a secret


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KnownSecret:
    """A secret by its name. `is_declared`: in the settings; else it comes from the environment. `used_by` are stages, as
    `pipeline.stage`, connections, and rules for alerts."""

    name: str
    source: SecretSource
    is_declared: bool
    used_by: Sequence[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TriedSecret:
    """A secret that was looked for: what is wrong with it, and what to do; both empty if it is there."""

    secret: KnownSecret
    problem: str = ""
    hint: str = ""


def known_secrets(
    catalog: Catalog, connections: Mapping[str, Declared], settings: Settings
) -> list[KnownSecret]:
    """The secrets that the settings declare, and those that pipelines, connections and rules for alerts use."""
    declared = settings.secret_sources
    used: dict[str, list[str]] = {name: [] for name in declared}
    behind = [(name, f"connection {one.name}") for one in connections.values() for name in one.secrets]
    told = [
        (name, f"{OF_ALERTS}{rule}")
        for rule, one in settings.notify.items()
        for address in one.to
        for name in names_in(address)
    ]
    for name, user in (*behind, *told, *_uses(catalog)):
        used.setdefault(name, []).append(user)
    return [
        KnownSecret(
            name=name,
            source=source_of(name, declared),
            is_declared=name in declared,
            used_by=tuple(dict.fromkeys(users)),
        )
        for name, users in sorted(used.items())
    ]


def _uses(catalog: Catalog) -> Iterator[tuple[str, str]]:
    for file in catalog.names():
        pipeline = catalog.load(file).pipeline
        for stage in pipeline.stages.values():
            for text in stage.variables.values():
                yield from ((name, f"{pipeline.name}.{stage.name}") for name in names_in(text))


def try_secrets(known: Sequence[KnownSecret], root: Path, name: str | None = None) -> list[TriedSecret]:
    """Look for secrets: for one, or for all. Raises `UsageError` for a name that nobody uses."""
    names = [secret.name for secret in known]
    if name is not None and name not in names:
        raise UsageError(f"there is no secret '{name}'", hint=did_you_mean(name, names))
    return [_try(secret, root) for secret in known if name in {None, secret.name}]


def _try(secret: KnownSecret, root: Path) -> TriedSecret:
    try:
        read_secret(secret.name, secret.source, os.environ, root)
    except SecretUnavailable as error:
        return TriedSecret(secret=secret, problem=error.message, hint=error.hint)
    return TriedSecret(secret=secret)
