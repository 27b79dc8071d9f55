"""The routes about environments: what they show, and what is done about them."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from building import ProjectBuilder
from stagebook.published.models import note_models

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]


@pytest.fixture
def prod(lab: ProjectBuilder) -> ProjectBuilder:
    """The project with an environment, of which all is committed."""
    lab.file("stagebook.toml", "[tracking]\nenabled = false\n[environments.prod]\nparams = { base = 5 }\n")
    lab.file(".gitignore", ".stagebook\ndata\nenvironments\n")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "all")):
        identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
        subprocess.run(["git", *identity, *words], cwd=lab.root, check=True)
    return lab


async def act(api: Any, **request: Any) -> Any:
    started = await api.post("environments", target="prod", **request)
    pid = str(started["pid"])
    return await api.until("processes", pid, that=lambda reply: reply["exit_code"] is not None)


@pytest.mark.long
async def test_a_promotion_is_looked_at_carried_out_and_taken_back(api: Any, prod: ProjectBuilder) -> None:
    assert (await api.get("environments"))["environments"] == [
        {
            "name": "prod", "parent": "dev", "protected": False, "path": "environments/prod", "version": 0,
            "release": "", "at": None, "waiting": 0,
        }
    ]  # fmt: skip
    preview = await api.post("preview", target="prod")
    assert (preview["changes_nothing"], preview["protected"]) == (False, False)
    assert any(line.startswith("runs") and "sums.first" in line for line in preview["lines"])

    done = await act(api, action="promote", because="the first one")
    assert done["exit_code"] == 0, done
    shown = await api.get("environments", "prod")
    assert [(one["version"], one["kind"], one["because"]) for one in shown["versions"]] == [
        (1, "promotion", "the first one")
    ]
    assert [(one["name"], one["path"]) for one in shown["datasets"]] == [
        ("sums.first.number", "data/first.txt")
    ]
    assert (await api.post("preview", target="prod"))["changes_nothing"]
    assert shown["models"] == {}, "MLflow was not told"
    note_models(prod.root / "environments/prod/versions/000001", "sums", {"adder": 3})
    assert (await api.get("environments", "prod"))["models"] == {"adder": 3}

    prod.edit("first", "base + 1", "base + 2")
    code, refusal = await api.refused("preview", method="POST", body='{"target": "prod"}')
    assert (code, "--allow-dirty" in refusal["hint"]) == (400, True)
    assert (await act(api, action="promote", allow_dirty=True))["exit_code"] == 0
    page = (await api.get("difference", before="prod@1", after="prod"))["html"]
    assert "sums.first.number" not in page
    assert "first.number" in page
    assert (await act(api, action="rollback", because="no good"))["exit_code"] == 0
    assert [one["shows"] for one in (await api.get("environments", "prod"))["versions"]] == [1, 0, 0]


@pytest.mark.long
async def test_a_proposal_waits_for_a_word(api: Any, prod: ProjectBuilder) -> None:
    assert (await act(api, action="propose", because="please"))["exit_code"] == 0
    found = await api.get("environments", "prod")
    (proposal,) = found["proposals"]
    assert (proposal["because"], found["environment"]["waiting"], found["environment"]["version"]) == (
        "please",
        1,
        0,
    )
    assert (await api.post("preview", target="prod", number=proposal["number"]))["release"] == proposal[
        "release"
    ]
    assert (await act(api, action="approve", number=1, because="yes"))["exit_code"] == 0
    (version,) = (await api.get("environments", "prod"))["versions"]
    assert (version["by"], version["because"], bool(version["approved_by"])) == (
        proposal["by"],
        "please; yes",
        True,
    )
    prod.edit("first", "base + 1", "base + 2")
    assert (await act(api, action="propose", because="again", allow_dirty=True))["exit_code"] == 0
    assert (await act(api, action="reject", number=1))["exit_code"] == 0
    assert (await api.get("environments", "prod"))["proposals"] == []


@pytest.mark.long
async def test_a_change_is_checked(api: Any, prod: ProjectBuilder) -> None:
    assert (await api.get("report")) == {"html": "", "at": None}
    assert (await act(api, action="promote"))["exit_code"] == 0
    prod.edit("first", "base + 1", "base + 2")
    assert (await act(api, action="ci"))["exit_code"] == 0
    report = await api.get("report")
    assert "cell 2 changed" in report["html"]
    prod.edit("first", "base + 2", "1 / 0")
    failed = await act(api, action="ci")
    assert failed["exit_code"] == 1


async def test_what_is_wrong_is_told(api: Any, prod: ProjectBuilder) -> None:
    code, refusal = await api.refused("environments", "prd")
    assert (code, refusal["hint"]) == (400, "did you mean 'prod'?")
    assert (await api.refused("difference", before="nothing", after="dev"))[0] == 400
    body = '{"target": "prod", "action": "burn"}'
    assert "'action'" in (await api.refused("environments", method="POST", body=body))[1]["message"]
    assert (await act(api, action="rollback"))["message"].startswith("✗ nothing was published to prod yet")
