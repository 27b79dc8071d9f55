"""The routes: what they tell of a project, how they run it, and how they refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from building import ProjectBuilder
from stagebook.project import Project
from stagebook.runs.origin import user_name

SLOW = """
    stages:
      one: {notebook: notebooks/slow.ipynb}
      two: {notebook: notebooks/slow.ipynb, after: [one]}
"""


async def run_to_the_end(api, **request) -> str:
    started = await api.post("runs", **request)
    pid = str(started["pid"])
    ended = await api.until("processes", pid, that=lambda reply: reply["exit_code"] is not None)
    assert ended["exit_code"] == 0, ended
    return ended["run"]


# -- looking --------------------------------------------------------------------------------------


async def test_pipelines_are_listed_with_their_mistakes(api, lab: ProjectBuilder) -> None:
    lab.pipeline("stages: {one: {notebook: x.ipynb, nonsense: 1}}\n", "broken")
    reply = await api.get("pipelines")
    assert reply["project"] == {"path": "", "name": "root"}
    broken, sums = reply["pipelines"]
    assert sums["key"] == sums["name"] == "sums"
    assert sums["path"] == "pipelines/sums.yaml"
    (base,) = sums["params"]
    assert base == {
        "name": "base", "type": "int", "default": 1, "required": False, "help": "what to begin with",
        "kind": "int", "choices": [], "optional": False, "text": "1",
    }  # fmt: skip
    assert sums["problems"] == []
    (problem,) = broken["problems"]
    assert (problem["path"], problem["line"], problem["column"]) == ("pipelines/broken.yaml", 1, 35)
    assert "nonsense" in problem["message"]


async def test_a_plan_has_decisions_and_paths_of_the_server(api, lab: ProjectBuilder) -> None:
    plan = await api.get("plan", pipeline="sums")
    assert plan["path"] == "pipelines/sums.yaml"
    assert [(stage["id"], stage["upstream"]) for stage in plan["stages"]] == [
        ("first", []),
        ("second", ["first"]),
    ]
    assert plan["stages"][0]["notebook"] == "notebooks/first.ipynb"
    assert plan["stages"][0]["decision"] == "RUN"


async def test_figures_of_a_stage_over_the_runs(api, lab: ProjectBuilder) -> None:
    assert (await api.get("monitors", pipeline="sums", stage="first"))["series"] == []
    run = await run_to_the_end(api, pipeline="sums")
    reply = await api.get("monitors", pipeline="sums", stage="first")
    duration = next(one for one in reply["series"] if one["name"] == "duration")
    assert [point["run"] for point in duration["points"]] == [run]
    assert (duration["low"], duration["usual"], duration["unusual"]) == (None, "", False)
    assert duration["points"][0]["text"].endswith("s")
    assert (await api.get("monitors", pipeline="sums", stage="nothing"))["series"] == []


@pytest.mark.kernel
async def test_a_plan_tells_how_much_there_is_to_do(api, lab: ProjectBuilder) -> None:
    assert (await api.get("plan", pipeline="sums"))["workload"] is None

    async def ask(**more):
        return (await api.get("plan", pipeline="sums", workload=1, **more))["workload"]

    nothing = {"points": 1, "stages": 0, "waiting": 0, "unknown": 0, "seconds": 0.0, "restores": False}
    assert await ask() == {**nothing, "stages": 2, "unknown": 2, "seconds": None}
    await run_to_the_end(api, pipeline="sums")
    with Project.open(lab.root) as project:
        took = project.journal.events.durations("sums")
    both = pytest.approx(took["first"] + took["second"])
    assert await ask() == nothing
    (lab.root / "data/first.txt").unlink()
    assert await ask() == {**nothing, "restores": True}
    again = await ask(force=1)
    assert (again["stages"], again["unknown"], again["seconds"]) == (2, 0, both), "one after the other"
    # What depends on the swept parameter runs at each point that has no result; that with base=1 has one.
    swept = await ask(param="base=[2, 3, 4, 5, 6, 7]", sweep=1)
    assert (swept["points"], swept["stages"], swept["unknown"]) == (6, 12, 0)
    assert swept["seconds"] == pytest.approx(6 * (took["first"] + took["second"]))
    alone = await ask(param="base=[1, 2]", sweep=1, only="first")
    assert (alone["points"], alone["stages"]) == (2, 1)


async def test_a_plan_of_a_broken_pipeline_tells_every_mistake(api, lab: ProjectBuilder) -> None:
    lab.pipeline("stages: {a: {notebook: x.ipynb}, b: {notebook: y.ipynb}}\n", "broken")
    status, reply = await api.refused("plan", pipeline="broken")
    assert status == 400
    assert reply["kind"] == "PipelineInvalid"
    assert reply["message"] == "2 problems, nothing was started"
    assert [problem["path"] for problem in reply["problems"]] == ["pipelines/broken.yaml"] * 2


async def test_what_is_not_there_is_404_with_the_hint_of_the_command_line(api, lab: ProjectBuilder) -> None:
    status, reply = await api.refused("plan", pipeline="smus")
    assert (status, reply["message"]) == (404, "there is no pipeline 'smus'")
    assert reply["hint"] == "did you mean 'sums'?"
    status, reply = await api.refused("runs", "nothing")
    assert (status, reply["kind"]) == (404, "RunNotFound")
    status, reply = await api.refused("processes", "1")
    assert status == 404


@pytest.mark.parametrize("number", ["-1", "x", "1e3", "9" * 40, "٣"])
async def test_a_number_that_is_none_is_refused(api, lab: ProjectBuilder, number: str) -> None:
    status, reply = await api.refused("runs", limit=number)
    assert status == 400
    assert "has to be a number" in reply["message"]


async def test_before_the_first_run_there_is_nothing_and_nothing_is_made(api, lab: ProjectBuilder) -> None:
    assert (await api.get("runs"))["runs"] == []
    status = await api.get("status")
    assert (status["seq"], status["runs"], status["stages"]) == (0, [], [])
    assert not (lab.root / ".stagebook").exists()


# -- projects and paths ---------------------------------------------------------------------------


async def test_projects_are_found_below_the_root(api, jp_root_dir: Path) -> None:
    for folder in ("a/pipelines", "group/b/pipelines", "group/b/deep/pipelines", ".hidden/pipelines"):
        (jp_root_dir / folder).mkdir(parents=True)
    reply = await api.get("projects")
    assert [project["path"] for project in reply["projects"]] == ["a", "group/b"]
    assert (await api.get("pipelines", project="group/b"))["project"] == {"path": "group/b", "name": "b"}
    status, reply = await api.refused("pipelines")
    assert (status, reply["kind"]) == (404, "ProjectNotFound")


async def test_paths_of_a_project_in_a_folder_begin_with_it(api, jp_root_dir: Path) -> None:
    builder = ProjectBuilder(jp_root_dir / "below")
    builder.notebook("n", "1")
    builder.pipeline("stages: {n: {notebook: notebooks/n.ipynb}}\n")
    plan = await api.get("plan", project="below", pipeline="p")
    assert plan["path"] == "below/pipelines/p.yaml"
    assert plan["stages"][0]["notebook"] == "below/notebooks/n.ipynb"


@pytest.mark.parametrize(
    "path",
    ["..", "../outside", "/", "/etc", "~", "a/../../outside", "link", "link/deep", "x\0y", "file:///etc"],
)
async def test_nothing_outside_of_the_root_is_a_project(
    api, jp_root_dir: Path, tmp_path: Path, path: str
) -> None:
    (tmp_path / "outside/pipelines").mkdir(parents=True)
    (tmp_path / "outside/deep").mkdir()
    (jp_root_dir / "a").mkdir()
    os.symlink(tmp_path / "outside", jp_root_dir / "link")
    status, reply = await api.refused("pipelines", project=path)
    assert (status, reply["kind"]) == (404, "ProjectNotFound")


async def test_a_project_above_the_root_is_out_of_reach(api, jp_root_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "pipelines").mkdir()
    status, reply = await api.refused("pipelines")
    assert status == 404
    assert reply["hint"] == f"start JupyterLab in {tmp_path}"


# -- running --------------------------------------------------------------------------------------


@pytest.mark.kernel
async def test_a_run_from_its_start_to_its_notebook(api, lab: ProjectBuilder) -> None:
    run = await run_to_the_end(api, pipeline="sums", params={"base": 41})
    (info,) = (await api.get("runs"))["runs"]
    assert (info["id"], info["status"], info["params"]) == (run, "completed", {"base": 41})
    assert info["command"] == "stagebook run --param=base=41 sums"
    whole = await api.get("runs", run)
    assert [(stage["id"], stage["status"]) for stage in whole["stages"]] == [
        ("first", "completed"),
        ("second", "completed"),
    ]
    assert (lab.root / "data/first.txt").read_text() == "42"

    events = (await api.get("runs", run, "events"))["events"]
    assert events[0]["event"]["type"] == "RunStarted"
    later = (await api.get("runs", run, "events", after=events[4]["seq"]))["events"]
    assert later == events[5:]

    log = await api.get("runs", run, "log", stage="first")
    assert (log["text"], log["more"]) == ("wrote 42\n", False)
    assert (await api.get("runs", run, "log", stage="first", after=log["next"]))["text"] == ""
    assert (await api.get("runs", run, "log", stage="first", after=6))["text"] == "42\n"
    status, reply = await api.refused("runs", run, "log", stage="thrid")
    assert status == 404

    notebook = await api.get("runs", run, "notebook", stage="second")
    assert notebook["attempt"] == 1
    assert all(cell["metadata"]["trusted"] is False for cell in notebook["content"]["cells"])
    status, reply = await api.refused("runs", run, "notebook", stage="second", attempt=9)
    assert (status, reply["kind"]) == (404, "RunNotFound")

    current = await api.get("status")
    assert current["seq"] == whole["seq"] == events[-1]["seq"]
    assert {stage["id"]: stage["run"] for stage in current["stages"]} == {"first": run, "second": run}


@pytest.mark.kernel
async def test_one_stage_alone_leaves_the_others_as_they_were(api, lab: ProjectBuilder) -> None:
    first = await run_to_the_end(api, pipeline="sums")
    second = await run_to_the_end(api, pipeline="sums", only=["second"])
    current = await api.get("status")
    assert {stage["id"]: stage["run"] for stage in current["stages"]} == {"first": first, "second": second}


async def test_a_mistake_is_told_before_anything_starts(api, lab: ProjectBuilder) -> None:
    body = json.dumps({"pipeline": "sums", "params": {"base": "many", "bass": 1}})
    status, reply = await api.refused("runs", method="POST", body=body)
    assert status == 400
    assert sorted(problem["message"].split(" ")[0] for problem in reply["problems"]) == ["'base'", "unknown"]
    assert [problem["path"] for problem in reply["problems"]] == ["-p", "-p"]
    for request in ({"only": ["thrid"]}, {"jobs": 0}, {"stages": ["--help"]}):
        status, reply = await api.refused(
            "runs", method="POST", body=json.dumps({"pipeline": "sums", **request})
        )
        assert (status, reply["kind"]) == (400, "UsageError")
    assert not (lab.root / ".stagebook").exists()


@pytest.mark.parametrize(
    "body",
    [
        "", "[]", "nonsense", "{}", '{"pipeline": 1}', '{"pipeline": null}', '{"pipeline": "sums", "jobs": "2"}',
        '{"pipeline": "sums", "jobs": true}', '{"pipeline": "sums", "only": "first"}',
        '{"pipeline": "sums", "only": [1]}', '{"pipeline": "sums", "params": []}',
        '{"pipeline": "sums", "unknown": 1}', "[" * 100_000, '{"pipeline": "' + "x" * 2_000_000 + '"}',
    ],
)  # fmt: skip
async def test_a_request_that_is_none_is_refused(api, lab: ProjectBuilder, body: str) -> None:
    status, reply = await api.refused("runs", method="POST", body=body)
    assert (status, reply["kind"]) == (400, "UsageError")


@pytest.mark.kernel
async def test_a_failed_run_is_resumed_once_it_can(api, lab: ProjectBuilder) -> None:
    lab.notebook("second", "raise ValueError('not yet')", params="number = ''")
    started = await api.post("runs", pipeline="sums")
    failed = await api.until(
        "processes", str(started["pid"]), that=lambda reply: reply["exit_code"] is not None
    )
    assert failed["exit_code"] == 1
    status = await api.get("status")
    second = next(stage for stage in status["stages"] if stage["id"] == "second")
    assert (second["status"], second["cause"], second["cell"]) == ("failed", "exception", 3)
    lab.notebook("second", "print(open(number).read())", params="number = ''")
    resumed = await api.post("runs", failed["run"], "resume")
    assert resumed["command"] == f"stagebook resume {failed['run']}"
    ended = await api.until(
        "processes", str(resumed["pid"]), that=lambda reply: reply["exit_code"] is not None
    )
    assert (ended["exit_code"], ended["message"]) == (0, "")
    whole = await api.get("runs", ended["run"])
    assert whole["run"]["status"] == "completed"
    status, reply = await api.refused("runs", ended["run"], "resume", method="POST", body="{}")
    assert (status, reply["kind"]) == (400, "UsageError")


@pytest.mark.kernel
async def test_a_run_is_cancelled_and_a_second_one_is_refused_meanwhile(api, lab: ProjectBuilder) -> None:
    lab.notebook("slow", "import time", "time.sleep(60)")
    lab.pipeline(SLOW, "slow")
    started = await api.post("runs", pipeline="slow")
    process = await api.until("processes", str(started["pid"]), that=lambda reply: reply["run"] is not None)
    run = process["run"]
    await api.until("runs", run, that=lambda reply: reply["stages"][0]["cell"] == 2)
    status, reply = await api.refused("runs", method="POST", body='{"pipeline": "slow"}')
    assert (status, reply["kind"]) == (409, "PipelineBusy")
    assert await api.post("runs", run, "cancel") == {"run": run, "pid": started["pid"]}
    ended = await api.until("runs", run, that=lambda reply: reply["run"]["ended"] is not None)
    assert ended["run"]["status"] == "cancelled"
    assert [stage["status"] for stage in ended["stages"]] == ["cancelled", "cancelled"]
    assert {stage["reason"] for stage in ended["stages"]} == {f"cancelled by {user_name()}"}
    status, reply = await api.refused("runs", run, "cancel", method="POST", body="{}")
    assert (status, reply["message"]) == (400, f"the run {run} is over: cancelled")
