"""Environments: what they show, what a deployment would do, what differs."""

from __future__ import annotations

from stagebook.comparing.compare import Comparer
from stagebook.comparing.sides import Sides
from stagebook.deploying import prepare, proposed, source_of
from stagebook.errors import UsageError
from stagebook.project import Project
from stagebook.published.manifest import Manifest
from stagebook.published.models import models_of
from stagebook.views import deployment_tables, difference_html
from stagebook.workspace.environments import Environment
from stagebook.workspace.paths import STATE_FOLDER
from stagebook_lab import wire
from stagebook_lab.present import wire_value

REPORT = f"{STATE_FOLDER}/ci/report"  # of the check that was asked for last, with .html and .md
_MOST = 100  # versions that are listed


def environments_reply(project: Project) -> wire.EnvironmentsReply:
    """The environments of a project."""
    found = project.environments.all().values()
    return wire.EnvironmentsReply(
        environments=tuple(_info(project, one, _current(project, one)) for one in found)
    )


def environment_reply(project: Project, name: str) -> wire.EnvironmentReply:
    """One environment. Raises `UsageError` where there is none."""
    environment = project.environments.find(name)
    manifest = _current(project, environment)
    versions = [
        one for _, one in zip(range(_MOST), project.environments.versions(environment).all(), strict=False)
    ]
    datasets = manifest.datasets if manifest is not None else {}
    place = project.environments.versions(environment).place(manifest.version if manifest is not None else 0)
    return wire.EnvironmentReply(
        environment=_info(project, environment, manifest),
        params=dict(environment.params),
        versions=tuple(wire_value(wire.VersionInfo, one) for one in versions),
        datasets=tuple(
            wire_value(
                wire.PublishedDatasetInfo, one, name=full, path=one.artifact.path, size=one.artifact.size
            )
            for full, one in datasets.items()
        ),
        models={name: version for one in models_of(place).values() for name, version in one.items()},
        proposals=tuple(
            wire_value(wire.ProposalInfo, one) for one in project.environments.proposals(environment).all()
        ),
    )


def preview_reply(project: Project, request: wire.PreviewRequest) -> wire.PreviewReply:
    """What a deployment would do. Raises as `deploying.prepare`."""
    if request.number:
        _, found = proposed(project, request.target, request.number)
    else:
        release = source_of(project, request.source, allow_dirty=request.allow_dirty)
        found = prepare(project, request.target, release, "promotion")
    return wire.PreviewReply(
        target=request.target,
        release=found.release.id,
        protected=found.environment.protected,
        changes_nothing=found.changes_nothing,
        lines=tuple(deployment_tables.deployment(found).plain.splitlines()),
    )


def difference_page(project: Project, before: str, after: str) -> wire.PageReply:
    """What differs between two sides, as a page. Raises `UsageError` where one names nothing."""
    sides = Sides(project)
    two = sides.find(before), sides.find(after)
    comparer = Comparer(project.root, project.store)
    found = comparer.compare(*two)
    return wire.PageReply(html=difference_html.page(found, comparer.images(found, *two)))


def report_page(project: Project) -> wire.PageReply:
    """The page of the check that was asked for last."""
    path = project.root / f"{REPORT}.html"
    try:
        return wire.PageReply(html=path.read_text(encoding="utf-8"), at=path.stat().st_mtime)
    except OSError:
        return wire.PageReply(html="")


def words_of(project: Project, request: wire.EnvironmentRequest) -> list[str]:
    """The words of the command that does what is asked for. Raises `UsageError`."""
    project.environments.find(request.target)
    said = ["--because", request.because] if request.because else []
    number = [str(request.number)] if request.number else []
    match request.action:
        case "promote" | "propose":
            how = "--yes" if request.action == "promote" else "--propose"
            dirty = ["--allow-dirty"] if request.allow_dirty else []
            return ["promote", request.source, request.target, how, *said, *dirty]
        case "approve":
            return ["approve", request.target, *number, "--yes", *said]
        case "reject":
            return ["approve", request.target, *number, "--reject"]
        case "rollback":
            to = ["--to", *number] if number else []
            return [
                "rollback",
                "--env",
                request.target,
                *to,
                *said,
                *(["--tables"] if request.tables else []),
            ]
        case "ci":
            folder = (project.root / REPORT).parent
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for kind in ("html", "md"):
                (project.root / f"{REPORT}.{kind}").unlink(missing_ok=True)
            return [
                "ci",
                "--against",
                request.target,
                "--html",
                f"{REPORT}.html",
                "--markdown",
                f"{REPORT}.md",
            ]


def _current(project: Project, environment: Environment) -> Manifest | None:
    try:
        return project.environments.versions(environment).current()
    except UsageError:  # its pointer is damaged, which commands tell
        return None


def _info(project: Project, environment: Environment, manifest: Manifest | None) -> wire.EnvironmentInfo:
    return wire_value(
        wire.EnvironmentInfo,
        environment,
        version=manifest.version if manifest is not None else 0,
        release=manifest.release if manifest is not None else "",
        at=manifest.at if manifest is not None else None,
        waiting=len(project.environments.proposals(environment).all()),
    )
