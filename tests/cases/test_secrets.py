"""What is known to be secret is written nowhere (secret-in-traceback), and what Stagebook makes is for its user alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from building import ProjectBuilder
from commands import environment, stagebook
from stagebook.system.logins import HIDDEN, Redaction

SECRETS = {
    "WAREHOUSE_TOKEN": "tok-8d1f77a0c3",
    "MYSQL_PWD": "pass word/+é",
    "FEED": "postgresql://me:hunter2hunter2@db/feed",
}
HIDDEN_TEXTS = ("tok-8d1f77a0c3", "pass word/+é", "hunter2hunter2")


def test_secrets_are_hidden_in_texts_and_data() -> None:
    env = {**SECRETS, "TOKENIZERS_PARALLELISM": "false", "USE_AUTH": "enabled", "GOOGLE_CREDENTIALS": "/home/key.json",
           "DB_PASSWORD": "postgres", "LOCAL": "mysql://root:root@h/db", "SHORT_TOKEN": "1", "PIN_TOKEN": "123456"}  # fmt: skip
    redacted = Redaction(env)
    said = "tok-8d1f77a0c3 pass word/+é pass%20word%2F%2B%C3%A9 hunter2hunter2 postgres"
    assert set(redacted.text(said).split()) == {HIDDEN}
    plain = "false enabled /home/key.json postgresql root 1 0.1234567"
    assert redacted.text(plain) == plain
    data = {"text": ["xtok-8d1f77a0c3"], "n": 1, "more": ({"tok-8d1f77a0c3": None},)}
    assert redacted.data(data) == {"text": [f"x{HIDDEN}"], "n": 1, "more": [{HIDDEN: None}]}
    assert Redaction({"A": "1"}).data(data) is data


@pytest.mark.kernel
@pytest.mark.e2e
@pytest.mark.parametrize("executor", ["kernel", "inprocess"])
@pytest.mark.long
def test_no_secret_of_the_environment_is_written(builder: ProjectBuilder, executor: str) -> None:
    show = "from IPython.display import HTML\nvalues = [os.environ[name] for name in names]\n"
    builder.notebook(
        "a",
        f"import os, sys\n{show}print(values)\nprint(values[0], file=sys.stderr)",
        "import scrapbook as sb\nsb.glue('value', values[0])\ndisplay(HTML(f'<b>{values[1]}</b>'))\nvalues",
        "os.system('echo $WAREHOUSE_TOKEN')",
        "def connect(uri):\n    raise ConnectionError(f'no way to {uri} with {values[0]} {values[1]}')",
        "connect(values[2])",
        params="names: list = []",
    )
    builder.pipeline(f"""
        defaults: {{executor: {executor}}}
        stages:
          a:
            notebook: notebooks/a.ipynb
            env: [WAREHOUSE_TOKEN, MYSQL_PWD]
            params: {{names: [{", ".join(SECRETS)}]}}
    """)
    env = environment(**SECRETS)
    done = stagebook(builder.root, "run", env=env, timeout=240)
    assert done.returncode == 1, done.stderr
    said = {"stdout": done.stdout, "stderr": done.stderr}
    said["logs"] = stagebook(builder.root, "logs", "latest", env=env).stdout
    for path in builder.root.rglob("*"):
        if path.is_file():
            said[str(path)] = path.read_bytes().decode("utf-8", "replace")
    for secret in HIDDEN_TEXTS:
        assert [name for name, text in said.items() if secret in text] == []
    assert f"ConnectionError: no way to postgresql://{HIDDEN}@db/feed with {HIDDEN} {HIDDEN}" in done.stdout


def test_a_login_does_not_come_in_by_an_innocent_name(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEED", SECRETS["FEED"])
    builder.notebook("a", "1", params="feed = ''")
    shown = builder.screen("""
        stages:
          a: {notebook: notebooks/a.ipynb, params: {feed: "${env.FEED}"}}
    """)
    assert "the environment variable 'FEED' holds a login" in shown
    assert "hunter2" not in shown


@pytest.mark.kernel
@pytest.mark.e2e
@pytest.mark.long
def test_what_is_made_is_for_this_user_alone(builder: ProjectBuilder) -> None:
    """Whatever is made first: here a notebook logs an artifact before the delivery to MLflow is ready."""
    builder.notebook("a", "import mlflow", "mlflow.log_text('x', 'x.txt')", "1 / 0")
    builder.pipeline("stages:\n  a: {notebook: notebooks/a.ipynb}")
    before = os.umask(0o022)
    try:
        stagebook(builder.root, "run", timeout=240)
    finally:
        os.umask(before)
    assert (builder.root / "mlflow.db").stat().st_size > 0
    assert [str(path) for path in open_to_others(builder.root)] == []
    (builder.root / "mlflow.db").chmod(0o644)
    assert "mlflow.db can be read by others" in stagebook(builder.root, "doctor").stdout


def open_to_others(root: Path) -> list[Path]:
    """The files that another user of the machine may read, besides those of the person."""
    found: list[Path] = []
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = [
            name
            for name in folders
            if name not in {"notebooks", "pipelines"} and stat.S_IMODE((here / name).stat().st_mode) & 0o011
        ]
        found += [here / name for name in files if (here / name).stat().st_mode & 0o044]
    return found
