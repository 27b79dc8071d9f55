"""No route tells a secret: of a run that was started from JupyterLab, with a notebook that puts one out and fails."""

from __future__ import annotations

import base64
import json

import pytest

from building import ProjectBuilder
from stagebook.system.logins import HIDDEN

CANARY = "canary-7f3a91/+&<é>"
_WITH_PATHS = {"events", "notebook", "log"}  # they tell what the notebook and its kernel said


@pytest.mark.kernel
async def test_no_route_tells_a_secret(api, lab: ProjectBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGEBOOK_SECRET_DB", CANARY)
    say = """
    import base64, os
    from IPython.display import HTML, display
    word = os.environ["DB"]
    print(word, base64.b64encode(f"me:{word}".encode()).decode())
    display(HTML(f"<b>{word}</b>"))
    """
    lab.notebook("a", say, "raise ValueError(f'no way in with {word}')")
    lab.file("stagebook.toml", "[tracking]\nenabled = false\n[incidents]\ndev = true\n")
    lab.pipeline('stages:\n  a: {notebook: notebooks/a.ipynb, env: {DB: "${secret.DB}"}}\n', "p")
    started = await api.post("runs", pipeline="p")
    ended = await api.until(
        "processes", str(started["pid"]), that=lambda reply: reply["exit_code"] is not None
    )
    assert ended["exit_code"] == 1, ended
    run = ended["run"]
    replies = {
        "plan": await api.get("plan", pipeline="p"),
        "pipelines": await api.get("pipelines"),
        "runs": await api.get("runs"),
        "run": await api.get("runs", run),
        "events": await api.get("runs", run, "events"),
        "status": await api.get("status"),
        "why": await api.get("why", pipeline="p", stage="a"),
        "processes": ended,
        "grid": await api.get("grid", pipeline="p"),
        "stage": await api.get("grid/stage", run=run, stage="a"),
        "calendar": await api.get("calendar", pipeline="p"),
        "schedules": await api.get("schedules"),
        "incidents": await api.get("incidents"),
        "figures": await api.get("figures", pipeline="p"),
        "backfills": await api.get("backfills", pipeline="p"),
        **{part: await api.get("runs", run, part, stage="a") for part in ("log", "notebook", "changes")},
    }
    encoded = base64.b64encode(b"xyz" + CANARY.encode()).decode()[4:-4]
    for name, reply in replies.items():
        text = json.dumps(reply, ensure_ascii=False)
        assert CANARY not in text, name
        assert encoded not in text, name
        assert name in _WITH_PATHS or str(lab.root) not in text, name
    assert f"ValueError: no way in with {HIDDEN}" in json.dumps(replies["run"])
    assert f"no way in with {HIDDEN}" in replies["incidents"]["incidents"][0]["message"]
    assert f"no way in with {HIDDEN}" in replies["stage"]["stage"]["message"]
    assert replies["log"]["text"].startswith(f"{HIDDEN} ")
