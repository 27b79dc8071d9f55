"""Routes that a form, a diff, the history and new stages need."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from stagebook.events import RunEnded, RunStarted, Status


async def run(api, **request) -> str:
    started = await api.post("runs", **request)
    ended = await api.until(
        "processes", str(started["pid"]), that=lambda reply: reply["exit_code"] is not None
    )
    return ended["run"]


# -- before a run ---------------------------------------------------------------------------------


async def test_a_plan_is_for_the_selection_and_the_parameters(api, lab: ProjectBuilder) -> None:
    plan = await api.get("plan", pipeline="sums", param="base=5", only="first")
    first, second = plan["stages"]
    assert (first["decision"], second["decision"]) == ("RUN", "SKIP")
    assert first["params"]["base"] == 5
    assert first["outputs"] == {"number": "data/first.txt"}
    assert second["inputs"] == {"number": "data/first.txt"}
    forced = await api.get("plan", pipeline="sums", stage="first", force="1")
    assert [stage["decision"] for stage in forced["stages"]] == ["RUN", "SKIP"]


async def test_a_mistake_is_told_at_its_field(api, lab: ProjectBuilder) -> None:
    status, reply = await api.refused("plan", pipeline="sums", param="base=many")
    assert status == 400
    assert reply["fields"] == {"base": "does not fit: expected int, got 'many' (str)"}
    body = json.dumps({"pipeline": "sums", "texts": {"base": "[1, x]"}, "sweep": True})
    status, reply = await api.refused("runs", method="POST", body=body)
    assert (status, list(reply["fields"])) == (400, ["base"])
    status, reply = await api.refused("runs", method="POST", body='{"pipeline": "sums", "sweep": true}')
    assert (status, reply["kind"]) == (400, "UsageError")
    assert not (lab.root / ".stagebook").exists()


async def test_pipelines_name_their_stages_with_their_places(api, lab: ProjectBuilder) -> None:
    (sums,) = (await api.get("pipelines"))["pipelines"]
    assert sums["stages"][1] == {
        "name": "second", "notebook": "notebooks/second.ipynb", "program": "", "target": "", "line": 10, "column": 3,
    }  # fmt: skip


# -- after runs -----------------------------------------------------------------------------------


@pytest.mark.kernel
async def test_a_sweep_is_run_and_its_points_are_compared(api, lab: ProjectBuilder) -> None:
    run_id = await run(api, pipeline="sums", texts={"base": "[1, 2]"}, sweep=True)
    sweep = await api.get("runs", run_id)
    assert (sweep["run"]["kind"], sweep["run"]["status"]) == ("sweep", "completed")
    one, two = [point["id"] for point in sweep["points"]]
    whole = await api.get("runs", two)
    assert whole["run"]["parent"] == run_id
    assert whole["upstream"] == {"first": [], "second": ["first"]}
    reply = await api.get("compare", run=[one, two])
    assert reply["params"] == [{"name": "base", "values": [1, 2], "differs": True}]
    assert {row["name"] for row in reply["seconds"]} == {"first", "second"}
    status, _ = await api.refused("compare", run=one)
    assert status == 400
    status, _ = await api.refused("compare", run=[one, "gone"])
    assert status == 404


@pytest.mark.kernel
async def test_why_and_what_changed_since_it_ran(api, lab: ProjectBuilder) -> None:
    run_id = await run(api, pipeline="sums")
    same = await api.get("runs", run_id, "changes", stage="second")
    assert {cell["change"] for cell in same["cells"]} == {"same"}
    assert same["notebook"] == "notebooks/second.ipynb"
    assert (lab.root / same["executed"]).is_file()
    lab.notebook("second", "print(open(number).read().upper())", params="number = ''")
    reply = await api.get("why", pipeline="sums", stage="second")
    assert (reply["decision"], reply["last_run"]) == ("RUN", run_id)
    assert reply["diffs"][0]["title"] == "code"
    assert "+print(open(number).read().upper())" in reply["diffs"][0]["lines"]
    changed = await api.get("runs", run_id, "changes", stage="second")
    (cell,) = [cell for cell in changed["cells"] if cell["change"] == "changed"]
    assert cell["lines"] == ["-print(open(number).read())", "+print(open(number).read().upper())"]
    (lab.root / "notebooks/second.ipynb").unlink()
    status, _ = await api.refused("runs", run_id, "changes", stage="second")
    assert status == 404
    lab.notebook("second", "print('other')", params="number = ''")
    accepted = await api.post("accept", pipeline="sums", stages=["second"], because="only words")
    assert accepted["stages"] == ["second"]
    plan = await api.get("plan", pipeline="sums")
    assert [stage["decision"] for stage in plan["stages"]] == ["REUSE", "REUSE"]
    status, reply = await api.refused(
        "accept", method="POST", body=json.dumps({"pipeline": "sums", "stages": ["second"], "because": " "})
    )
    assert status == 400


@pytest.mark.kernel
@pytest.mark.long
async def test_a_failed_stage_is_retried_and_its_kernel_is_taken_over(
    jp_configurable_serverapp, jp_fetch, api, lab: ProjectBuilder
) -> None:
    lab.notebook("second", "answer = 42", "raise ValueError", params="number = ''")
    run_id = await run(api, pipeline="sums", keep_kernel=True)
    body = json.dumps({"stage": "second"})
    status, reply = await api.refused("runs", run_id, "kernel", method="POST", body=body)
    assert (status, "takes no kernels" in reply["message"]) == (400, True)
    ended = await api.post("runs", run_id, "kernel", stage="second", end=True)
    assert ended == {"id": "", "notebook": "notebooks/second.ipynb"}
    status, reply = await api.refused("runs", run_id, "kernel", method="POST", body=body)
    assert status in {400, 404}
    lab.notebook("second", "answer = 42", params="number = ''")
    retried = await api.post("runs", run_id, "resume", failed_only=True)
    assert retried["command"] == f"stagebook retry {run_id}"
    ended = await api.until(
        "processes", str(retried["pid"]), that=lambda reply: reply["exit_code"] is not None
    )
    assert ended["exit_code"] == 0


@pytest.mark.kernel
async def test_notes_stay_with_their_run(api, lab: ProjectBuilder) -> None:
    run_id = await run(api, pipeline="sums", only=["first"])
    note = await api.post("runs", run_id, "notes", text="the one for the paper ✓")
    assert note["kind"] == "note"
    assert note["by"]
    await api.post("runs", run_id, "notes", text="", kind="acknowledged")
    notes = (await api.get("runs", run_id))["notes"]
    assert [(item["kind"], item["text"]) for item in notes] == [
        ("note", "the one for the paper ✓"), ("acknowledged", ""),
    ]  # fmt: skip
    for wrong in ({"text": " "}, {"text": "x" * 5_000}, {"text": "x", "kind": "other"}):
        status, _ = await api.refused("runs", run_id, "notes", method="POST", body=json.dumps(wrong))
        assert status == 400


# -- MLflow and new stages ------------------------------------------------------------------------


async def test_without_tracking_there_are_no_pages_of_mlflow(api, lab: ProjectBuilder) -> None:
    status, reply = await api.refused("mlflow", method="POST", body="{}")
    assert (status, reply["message"]) == (400, "tracking is switched off in the settings")


async def mlflow_page(api, **request) -> dict[str, Any]:
    """Where MLflow shows runs, once it is up."""
    return await api.until_posted("mlflow", that=lambda reply: not reply["starting"], **request)


@pytest.mark.e2e
@pytest.mark.long
async def test_mlflow_is_started_once_and_ended_with_the_server(
    api, lab: ProjectBuilder, jp_serverapp
) -> None:
    (lab.root / "stagebook.toml").unlink()
    run_id = await run(api, pipeline="sums", only=["first"])
    starting = await api.post("mlflow", runs=[run_id])
    assert (starting["url"], starting["starting"]) == ("", True), "nobody waits for it"
    shown = await mlflow_page(api, runs=[run_id])
    assert shown["found"]
    assert re.search(r"/#/experiments/\d+/runs/\w+\?workflowType=machine_learning$", shown["url"])
    again = await mlflow_page(api)
    assert again["url"].split("/#")[0] == shown["url"].split("/#")[0]
    assert again["url"].endswith("/#/experiments?workflowType=machine_learning")
    stage = await mlflow_page(api, runs=[run_id], stage="first")
    assert stage["url"] != shown["url"]
    servers = jp_serverapp.extension_manager.extension_apps["stagebook_lab"].pop().services.mlflow
    (server,) = servers._servers.values()
    process = server._process
    # MLflow ends by itself, or somebody ends it: it is started again, at another place.
    os.kill(process.pid, signal.SIGTERM)
    process.wait(timeout=30)
    assert (await api.post("mlflow"))["starting"]
    (server,) = servers._servers.values()
    process = server._process
    servers.stop()
    assert process.poll() is not None
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


@pytest.mark.e2e
async def test_mlflow_is_stopped_while_it_starts(api, lab: ProjectBuilder, jp_serverapp) -> None:
    """What starts holds up neither another request nor the end of the server."""
    (lab.root / "stagebook.toml").unlink()
    assert (await api.post("mlflow"))["starting"]
    assert (await api.post("mlflow"))["starting"]
    servers = jp_serverapp.extension_manager.extension_apps["stagebook_lab"].pop().services.mlflow
    (server,) = servers._servers.values()
    servers.stop()
    assert server._process.poll() is not None
    assert server.url is None


async def test_a_run_that_mlflow_does_not_have_leads_to_its_experiment(api, lab: ProjectBuilder) -> None:
    lab.file("stagebook.toml", '[tracking]\nuri = "http://127.0.0.1:9/"\n')
    with lab.project as project:
        for name in ("known", "fresh"):
            started = RunStarted(run=name, at=1.0, pipeline="sums", plan={"stages": []})
            project.journal.append([started, RunEnded(run=name, at=2.0, status=Status.COMPLETED)])
        project.journal.outbox.track("known", "7", "abc")
    reply = await api.post("mlflow", runs=["fresh"])
    assert reply == {
        "url": "http://127.0.0.1:9/#/experiments/7?workflowType=machine_learning",
        "found": False,
        "starting": False,
    }


async def test_a_notebook_is_added_as_a_stage(api, lab: ProjectBuilder) -> None:
    lab.notebook("third", "1", params="base = 0\nnumber = ''")
    added = await api.post("stages", pipeline="sums", name="third", notebook="notebooks/third.ipynb")
    text = Path(lab.root / "pipelines/sums.yaml").read_text()
    assert text.splitlines()[added["line"] - 1] == "  third:"
    plan = await api.get("plan", pipeline="sums")
    assert plan["stages"][-1]["inputs"] == {"number": "data/first.txt"}
    made = await api.post("stages", pipeline="sums", name="fourth")
    assert (lab.root / made["notebook"]).is_file()
    for name, notebook in (("third", ""), ("x/y", ""), ("fifth", "../../x.ipynb")):
        body = json.dumps({"pipeline": "sums", "name": name, "notebook": notebook})
        status, _ = await api.refused("stages", method="POST", body=body)
        assert status == 400


async def test_a_contract_is_drafted_and_the_plan_names_its_file(api, lab: ProjectBuilder) -> None:
    lab.notebook("table", "open(rows, 'w').write('a,b\\n1,2\\n')", params="rows = ''")
    lab.pipeline(
        "stages: {make: {notebook: notebooks/table.ipynb, outputs: {rows: data/rows.csv}}}", "tables"
    )
    body = '{"pipeline": "tables", "dataset": "make.rows"}'
    status, early = await api.refused("contracts", method="POST", body=body)
    assert (status, "there is no 'data/rows.csv' yet" in early["message"]) == (400, True)
    (lab.root / "data").mkdir()
    (lab.root / "data/rows.csv").write_text("a,b\n1,2\n")
    reply = await api.post("contracts", pipeline="tables", dataset="make.rows")
    assert reply["path"] == "contracts/tables.make.rows.yaml"
    assert "id: tables.make.rows" in (lab.root / reply["path"]).read_text()
    (stage,) = (await api.get("plan", pipeline="tables"))["stages"]
    assert stage["contracts"] == {"rows": reply["path"]}
    status, again = await api.refused("contracts", method="POST", body=body)
    assert (status, "is there already" in again["message"]) == (400, True)


async def test_a_stage_is_shown_before_it_is_added(api, lab: ProjectBuilder) -> None:
    lab.notebook("third", "1", params="base = 0\nnumber = ''\nresult = ''")
    form = await api.get("stages", pipeline="sums", notebook="notebooks/third.ipynb")
    assert form["offers"] == ["first.number"]
    assert form["notebooks"] == [f"notebooks/{name}.ipynb" for name in ("first", "second", "third")]
    assert form["parameters"] == ["base", "number", "result"]
    assert form["wiring"] == {
        "params": {"base": "${params.base}"},
        "inputs": {"number": "first.number"},
        "outputs": {},
        "reads": [],
        "writes": [],
    }
    asked = {"pipeline": "sums", "name": "third", "notebook": "notebooks/third.ipynb"}
    wiring = {**form["wiring"], "outputs": {"result": "data/third.txt"}}
    before = (lab.root / "pipelines/sums.yaml").read_text()
    shown = await api.post("stages", **asked, wiring=wiring, preview=True)
    assert (lab.root / "pipelines/sums.yaml").read_text() == before
    added = await api.post("stages", **asked, wiring=wiring)
    assert added == shown
    assert (lab.root / "pipelines/sums.yaml").read_text() == before + "\n".join(added["lines"]) + "\n"
    body = json.dumps({**asked, "name": "4", "preview": True})
    status, reply = await api.refused("stages", method="POST", body=body)
    assert (status, list(reply["fields"])) == (400, ["name"])
    body = json.dumps({**asked, "name": "fourth", "wiring": {"inputs": {"nmber": "first.number"}}})
    status, reply = await api.refused("stages", method="POST", body=body)
    assert status == 400
    assert reply["fields"]["inputs.nmber"].endswith("did you mean 'number'?")


async def test_an_output_becomes_an_input_of_another_stage(api, lab: ProjectBuilder) -> None:
    lab.notebook("second", "1", params="number = ''\nother = ''")
    asked = {"pipeline": "sums", "source": "first.number", "stage": "second", "name": "other"}
    shown = await api.post("stages/inputs", **asked, preview=True)
    assert shown["lines"] == ["    inputs: {number: first.number, other: first.number}"]
    assert lab.plan(name="sums").stage("second").inputs.keys() == {"number"}
    assert await api.post("stages/inputs", **asked) == shown
    assert lab.plan(name="sums").stage("second").inputs.keys() == {"number", "other"}
    status, reply = await api.refused("stages/inputs", method="POST", body=json.dumps(asked))
    assert (status, list(reply["fields"])) == (400, ["name"])


async def test_a_text_is_checked_without_being_saved(api, lab: ProjectBuilder) -> None:
    schema = await api.get("schema")
    assert "notebook" in schema["$defs"]["StageFile"]["properties"]["notebook"]["description"]
    path = "pipelines/sums.yaml"
    text = (lab.root / path).read_text()
    found = await api.post("check", path=path, text=text)
    assert found == {
        "problems": [],
        "stages": ["first", "second"],
        "offers": ["first.number"],
        "params": ["base"],
    }
    wrong = text.replace("inputs:", "imputs:").replace("base: ", "bass: ", 1)
    found = await api.post("check", path=path, text=wrong)
    (line,) = (at for at, one in enumerate(wrong.splitlines(), 1) if "imputs" in one)
    assert (line, "did you mean 'inputs'?") in [(one["line"], one["hint"]) for one in found["problems"]]
    # What only the notebook shows is told as well.
    found = await api.post("check", path=path, text=text.replace("inputs: {number", "inputs: {nmber"))
    assert "declares no parameter 'nmber'" in found["problems"][0]["message"]
    found = await api.post("check", path=path, text="stages: [")
    assert (found["stages"], len(found["problems"])) == ([], 1)
    assert (lab.root / path).read_text() == text
