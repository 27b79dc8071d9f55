"""Deployments: a release takes the place of what an environment shows, with its code and its data, all at once.

What a deployment would do is prepared first, and looked at. Carried out, it runs what is missing beside what readers see; only
when all of it has completed does the pointer of the environment move. Whatever fails leaves everything as it was.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import filelock

from stagebook.errors import DeploymentFailed, JournalUnreadable, UsageError
from stagebook.events import Status
from stagebook.planning.plan import Decision
from stagebook.project import Project
from stagebook.published.manifest import Manifest
from stagebook.published.proposals import Proposal
from stagebook.published.versions import Versions, filler
from stagebook.releases.bundle import versions_of
from stagebook.releases.release import Release, ReleaseChanges, compare
from stagebook.runs.data_restore import restore
from stagebook.runs.datasets import Datasets, plans_of
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.launcher import record_version, share
from stagebook.runs.origin import person_name
from stagebook.runs.prepare import PreparedRun
from stagebook.runs.recorder import Listener
from stagebook.runs.releasing import release_of
from stagebook.runs.request import RunRequest
from stagebook.runs.run import RunReport
from stagebook.runs.secrets import OF_ALERTS, known_secrets, try_secrets
from stagebook.workspace.environments import DEV, Environment

Kind = Literal["deployment", "promotion"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a deployment would do.

    Attributes:
        project: the environment with the release, in which it would run.
        before: what readers see now; `None` where nothing was published yet.
        changes: what differs from the release that runs there now; `None` where none was deployed.
        prepared: the pipelines of the release, planned.
        doubts: what is not as it was when the release was made, and does not stop it.
    """

    environment: Environment
    release: Release
    kind: Kind
    project: Project
    before: Manifest | None
    changes: ReleaseChanges | None
    prepared: Sequence[PreparedRun]
    doubts: Sequence[str]

    def stages(self, *decisions: Decision) -> list[str]:
        """The stages of which this is decided, as `pipeline.stage`."""
        return [
            f"{one.plan.pipeline}.{stage.id}"
            for one in self.prepared
            for stage in one.plan.stages
            if stage.decision in decisions
        ]

    @property
    def changed_datasets(self) -> dict[str, str]:
        """The datasets that readers will see changed, by name: `new`, `changed`, `gone`, or `may change` where only the run
        shows it."""
        shown = {name: one.artifact for name, one in self.before.datasets.items()} if self.before else {}
        found: dict[str, str] = {}
        released: set[str] = set()
        for one in self.prepared:
            for stage in one.plan.stages:
                result = stage.judgement.result if stage.judgement is not None else None
                for output in stage.outputs:
                    name = f"{one.plan.pipeline}.{stage.dataset(output)}"
                    released.add(name)
                    if stage.decision is Decision.SKIP:
                        continue
                    if name not in shown:
                        found[name] = "new"
                    elif stage.runs or result is None:
                        found[name] = "may change"
                    elif result.outputs[output].content != shown[name].content:
                        found[name] = "changed"
        own = {one.plan.pipeline for one in self.prepared}
        parted = {name.partition("[")[0] for name in released if "[" in name}  # whose other partitions stay
        gone = (
            name
            for name in shown
            if name.partition(".")[0] in own and name not in released and name.partition("[")[0] not in parted
        )
        return found | dict.fromkeys(gone, "gone")

    @property
    def changed_params(self) -> dict[str, tuple[object, object]]:
        """The parameters that are not as they were: `pipeline.name` → before, after."""
        found: dict[str, tuple[object, object]] = {}
        for one in self.prepared:
            earlier = self.before.pipelines.get(one.plan.pipeline) if self.before is not None else None
            if earlier is not None:
                for name in {**earlier.params, **one.plan.params}:
                    pair = (earlier.params.get(name), one.plan.params.get(name))
                    if pair[0] != pair[1]:
                        found[f"{one.plan.pipeline}.{name}"] = pair
        return found

    @property
    def changes_nothing(self) -> bool:
        """Whether readers see the same, of the same release, as they do already."""
        same = self.before is not None and self.before.release == self.release.id
        return (
            same
            and not self.stages(Decision.RUN, Decision.AUDIT, Decision.WAIT)
            and not self.changed_datasets
        )


def release_now(home: Project, *, allow_dirty: bool = False, note: str = "") -> Release:
    """Release the working tree, and keep the release.

    Raises:
        PipelineInvalid: a pipeline has mistakes.
        UsageError: a file of it is not committed, unless that is allowed.
    """
    made = release_of(home.preparer, time.time(), note=note, strict=True)
    if not made.pipelines:
        raise UsageError("there is no pipeline to release", hint="make one: stagebook init NAME")
    if made.changed and not allow_dirty:
        first = ", ".join(made.changed[:3]) + (
            f" and {len(made.changed) - 3} more" if len(made.changed) > 3 else ""
        )
        what = "is" if len(made.changed) == 1 else "are"
        hint = "commit them, or release them as they are: --allow-dirty; it is noted then"
        raise UsageError(f"{first} {what} not as committed", hint=hint)
    return home.environments.releases.keep(made)


def source_of(home: Project, name: str, *, allow_dirty: bool = False) -> Release:
    """The release that stands in an environment; of `dev`, the working tree, which is released. Raises as
    `release_now`, and `UsageError` where nothing was deployed."""
    if name == DEV:
        return release_now(home, allow_dirty=allow_dirty)
    environment = home.environments.find(name)
    found = home.environments.deployed(environment)
    if found is not None:
        return found
    made = release_now(home, allow_dirty=allow_dirty)
    current = home.environments.versions(environment).current()
    ran = {one.release for one in current.pipelines.values()} if current is not None else set()
    if ran != {made.id}:
        msg = f"what stands in {name} was not made by the code as it is now"
        raise UsageError(msg, hint=f"run it: stagebook run --env {name}")
    return made


def prepare(home: Project, name: str, release: Release, kind: Kind = "deployment") -> Deployment:
    """What a deployment of a release would do.

    Raises:
        PipelineInvalid: its pipelines cannot be planned in the environment.
        UsageError: a library that it needs is not installed, or a secret is missing.
    """
    environment = home.environments.find(name)
    before = home.environments.versions(environment).current()
    project = home.in_environment(name, release)
    prepared = [project.preparer.prepare(RunRequest(pipeline=one)) for one in project.catalog.names()]
    doubts = _check_versions(release, versions_of((one.plan for one in prepared), project.dependencies))
    _check_secrets(project)
    own = home.environments.releases.find(before.release) if before is not None and before.release else None
    return Deployment(
        environment=environment,
        release=release,
        kind=kind,
        project=project,
        before=before,
        changes=compare(own, release) if own is not None else None,
        prepared=prepared,
        doubts=doubts,
    )


def propose(deployment: Deployment, because: str) -> Proposal:
    """Leave a deployment to somebody else's word: it is carried out once it is approved. Raises `UsageError`."""
    found = Proposal(
        number=0,
        release=deployment.release.id,
        kind=deployment.kind,
        by=person_name(),
        because=because,
        at=time.time(),
    )
    return deployment.project.environments.proposals(deployment.environment).add(found)


def proposed(home: Project, name: str, number: int | None = None) -> tuple[Proposal, Deployment]:
    """A proposal for an environment, and what it would do now. Raises as `prepare`, and `UsageError` where there is none."""
    found = home.environments.proposals(home.environments.find(name)).find(number)
    kind: Kind = "promotion" if found.kind == "promotion" else "deployment"
    return found, prepare(home, name, home.environments.releases.find(found.release), kind)


def approve(
    deployment: Deployment, proposal: Proposal, because: str, listeners: Sequence[Listener] = ()
) -> Manifest:
    """Carry a proposal out. Raises as `carry_out`; then it still waits."""
    why = "; ".join(filter(None, (proposal.because, because)))
    made = carry_out(deployment, by=proposal.by, because=why, approved_by=person_name(), listeners=listeners)
    deployment.project.environments.proposals(deployment.environment).drop(proposal)
    return made


def carry_out(
    deployment: Deployment,
    *,
    by: str = "",
    because: str = "",
    approved_by: str = "",
    listeners: Sequence[Listener] = (),
) -> Manifest:
    """Run what is missing, and show it; the manifest of the new version, or of the present one where nothing changes. `by`,
    `because` and `approved_by` are as in `Manifest`.

    Raises:
        DeploymentFailed: a stage failed, or the run was cancelled; nothing changed for readers.
        PipelineBusy: a run of the environment goes on.
        UsageError: another deployment to it goes on, or it cannot be published.
    """
    project, environment = deployment.project, deployment.environment
    publisher = project.launcher.publisher
    assert publisher is not None
    with _alone(project, environment):
        now = publisher.versions.current()
        if (now.version if now else 0) != (deployment.before.version if deployment.before else 0):
            msg = f"{environment.name} shows version {now.version if now else 0} by now, which is not what was looked at"
            raise UsageError(msg, hint="look at what the deployment would do once more")
        reports: list[RunReport] = []
        last = len(deployment.prepared) - 1
        for number, prepared in enumerate(deployment.prepared):
            hooks = LaunchHooks(listeners=listeners, publishes=False, keep_server=number < last)
            report = project.launcher.run(prepared, RunRequest(pipeline=prepared.plan.pipeline), hooks)
            if report.status is not Status.COMPLETED:
                shown = f"version {now.version}" if now is not None else "nothing"
                raise DeploymentFailed(
                    f"the run {report.run} of {prepared.plan.pipeline} did not complete: {report.status}",
                    hint=f"readers of {environment.name} see {shown}, as before; see: stagebook status --env {environment.name}",
                )
            reports.append(report)
        made = publisher.publish(
            reports, kind=deployment.kind, by=by or person_name(), because=because, approved_by=approved_by
        )
        record_version(project.launcher)
    if project.launcher.sharing is not None:
        share(project.launcher, project.launcher.sharing)
    found = made or now
    if found is None:
        raise UsageError("the release has no pipeline that makes anything")
    return found


def roll_back(
    home: Project, name: str, to: int | None = None, *, because: str = "", tables: bool = False
) -> Manifest:
    """Show an earlier version again: its data, and its code. It becomes a new version, which has the files of the earlier
    one. Without `to`, the one before the present one. `tables`: also what later runs add to, and bookmarks, go back.

    Raises:
        UsageError: there is no such version, or it is the present one.
    """
    environment = home.environments.find(name)
    if environment.publish == "stage":
        msg = f"each stage of {name} publishes by itself, so that there are no versions to go back to"
        raise UsageError(msg, hint=f"deploy the earlier release: stagebook deploy RELEASE --to {name}")
    versions = home.environments.versions(environment)
    with versions.held():
        now = versions.current()
        if now is None:
            raise UsageError(f"nothing was published to {name} yet")
        number = to if to is not None else _earlier(versions, now)
        target = versions.find(number)
        if target.same_as(now) and target.release == now.release:
            raise UsageError(f"{name} shows what version {number} has already")
        folder = versions.place(number)

        executed = {
            stage.notebook: folder / stage.notebook
            for one in target.pipelines.values()
            for stage in one.stages.values()
            if stage.notebook and (folder / stage.notebook).is_file()
        }
        made = dataclasses.replace(
            target,
            at=time.time(),
            kind="rollback",
            by=person_name(),
            because=because,
            approved_by="",
            shows=target.shows or target.version,
        )
        fill = filler(home.store, lambda item: folder / item.path)
        made = versions.add(made, fill, executed, like=number)
        versions.point_to(made.version)
    # Readers see it from here on; a release that is damaged, or a journal, only keep it from being told now.
    later = () if tables else (UsageError, JournalUnreadable)
    with contextlib.suppress(*later), home.in_environment(name) as project:
        record_version(project.launcher)
        if tables:
            _restore_tables(project, target)
        if project.launcher.sharing is not None:
            share(project.launcher, project.launcher.sharing)
    return made


def _restore_tables(project: Project, target: Manifest) -> None:
    """Put tables that runs add to back to what a version had, with the bookmarks of their stages: else the next run would
    go on from what they are now."""
    plans, _ = plans_of(project.preparer, target.pipelines)
    datasets = Datasets(plans, project.preparer)
    for dataset in datasets.all:
        shown = target.datasets.get(dataset.name)
        if shown is None or dataset.delta is None or not dataset.delta.accumulates:
            continue
        known = datasets.versions(dataset)
        wanted = next(
            (one for one in known if one.artifact and one.artifact.content == shown.artifact.content), None
        )
        if wanted is None:
            raise UsageError(
                f"what {dataset.name} held in version {target.version} cannot be had any more",
                hint="readers see it; the next run goes on from what the table holds now",
            )
        if not wanted.is_present:
            values = target.pipelines[dataset.pipeline].params
            restore(
                dataset,
                wanted,
                RunRequest(pipeline=dataset.pipeline, values=values),
                project.preparer,
                project.launcher,
            )


def _earlier(versions: Versions, now: Manifest) -> int:
    shown = now.shows or now.version
    for manifest in versions.all():
        if manifest.version < shown and not manifest.shows and not manifest.same_as(now):
            return manifest.version
    raise UsageError("there is no earlier version to go back to")


@contextlib.contextmanager
def _alone(project: Project, environment: Environment) -> Iterator[None]:
    state = project.environments.state(environment.name)
    try:
        with filelock.FileLock(state / "deploy.lock", timeout=0, mode=0o600):
            yield
    except filelock.Timeout as error:
        msg = f"another deployment to {environment.name} goes on"
        raise UsageError(msg, hint="try again once it has ended") from error


def _check_versions(release: Release, here: Mapping[str, str]) -> list[str]:
    """What is installed `here` in another version than the release was made with. Raises `UsageError` for what is not."""
    if missing := sorted(release.versions.keys() - here.keys()):
        is_are = "is" if len(missing) == 1 else "are"
        msg = f"the release {release.short} needs {', '.join(missing[:5])}, which {is_are} not installed"
        wanted = " ".join(f"{name}=={release.versions[name]}" for name in missing[:5])
        raise UsageError(msg, hint=f"pip install {wanted}")
    return [
        f"{name} {version} when it was released, {here[name]} here"
        for name, version in release.versions.items()
        if here[name] != version
    ]


def _check_secrets(project: Project) -> None:
    connections = project.dependencies.workspace.remotes.declared
    known = known_secrets(project.catalog, connections, project.settings)
    # Alerts wait until theirs is there.
    needed = [one for one in known if any(not user.startswith(OF_ALERTS) for user in one.used_by)]
    for one in try_secrets(needed, project.root):
        if one.problem:
            used = ", ".join(one.secret.used_by[:3])
            raise UsageError(f"{one.problem}; it is needed by {used}", hint=one.hint)
