"""Canaries: secrets that notebooks put out in every way, and that are found nowhere but in the process that needs them."""

from __future__ import annotations

import base64
import gzip
import html
import json
import secrets
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from building import ProjectBuilder
from commands import environment, stagebook
from stagebook.events import AttemptEnded
from stagebook.system.logins import HIDDEN

pytestmark = [pytest.mark.e2e, pytest.mark.kernel]

# From the environment, a declared variable, a file and a command. Each test has its own: others run at the same time.
CANARIES = {
    "FREE": "canary-free-7f3a91",
    "NAMED": "canary named/+&<é>'\"x",
    "FILED": "-----BEGIN PRIVATE KEY-----\nMIIcanaryBADANBgkqhkiG9w0\nBAQEFcanaryASCBKcwggSj/+\n-----END PRIVATE KEY-----",
    "ASKED": "canary?asked%2Fword",
}
SHOW = """
import base64, html, json, os, subprocess, sys, time
from urllib.parse import quote
from IPython.display import HTML, JSON, Markdown, display
words = [os.environ[name] for name in ("FREE", "NAMED", "FILED", "ASKED")]
url = os.environ["URL"]
"""
ENCODE = """
for word in words:
    data = word.encode()
    print(word, [word], {word: 1}, f"<<{word}>>")
    for before in range(4):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            print(encode(b"x" * before + data + b"yz").decode())
    print(data.hex(), data.hex().upper(), quote(word), quote(word, safe=""))
    print(json.dumps(word), json.dumps({"a": json.dumps(word)}), html.escape(word), ascii(word), data)
print(url)
"""
SPLIT = """
for word in words:
    for cut in (1, 5, len(word) // 2):
        print("two writes:", word[:cut], end="", flush=True)
        time.sleep(0.3)  # so that they are two messages
        print(word[cut:], flush=True)
    sys.stderr.write(word[:6])
    sys.stderr.flush()
    time.sleep(0.3)
    sys.stderr.write(word[6:] + "\\n")
"""
RICH = """
import logging, warnings
for word in words:
    display(HTML(f"<b title='{html.escape(word)}'>{word}</b>"), JSON({"deep": [{word: word}]}), Markdown(f"*{word}*"))
    display({"application/vnd.x+json": {"spec": [word, {"k": word}]}, "text/plain": word}, raw=True)
    shown = display(HTML("soon"), display_id=True)
    shown.update(HTML(word))
    warnings.warn(word)
    logging.error(word)
import scrapbook as sb
sb.glue("told", {"words": words, "b64": base64.b64encode(words[0].encode()).decode()})
words
"""
CHILDREN = """
os.system('echo "$FREE" "$URL"')
subprocess.run([sys.executable, "-c", "import os, sys; print(os.environ['NAMED']); sys.exit(os.environ['FREE'])"])
try:
    open(f"missing-{words[0]}")
except OSError as error:
    print(error)
with open(out, "w") as file:
    file.write("nothing of it")
"""
# Which processes show a canary to those who look: in their arguments, or in their environment.
LOOK = """
import glob
seen = {"cmdline": [], "environ": []}
for kind, found in seen.items():
    for path in glob.glob("/proc/[0-9]*/" + kind):
        try:
            text = open(path, "rb").read()
            command = open(path.rpartition("/")[0] + "/cmdline", "rb").read().replace(b"\\0", b" ").decode()
        except OSError:
            continue
        if any(word.encode() in text for word in words):
            found.append("self" if path.split("/")[2] == str(os.getpid()) else command)
print("SEEN", json.dumps(seen))
"""
FAIL = """
class Connection:
    def __init__(self, word):
        self.word = word
def connect(word, other):
    held = [word, other, {"url": url}]
    connection = Connection(word)
    raise ConnectionError(f"no way to {url} with {held} {base64.b64encode(word.encode()).decode()}")
"""


class Project:
    """A project whose stages get the canaries from four sources, and what is said of it."""

    def __init__(self, builder: ProjectBuilder, beside: Path, executor: str, *, fork: bool = True) -> None:
        self.root = builder.root
        mark = f"canary{secrets.token_hex(2)}"
        self.canaries = {name: word.replace("canary", mark) for name, word in CANARIES.items()}
        beside.mkdir()
        for name in ("FILED", "ASKED"):
            (beside / name).write_text(f"{self.canaries[name]}\n", encoding="utf-8")
            (beside / name).chmod(0o600)
        (beside / "ask.py").write_text(
            "import pathlib\nprint(pathlib.Path(__file__).with_name('ASKED').read_text(encoding='utf-8'))"
        )
        builder.file(
            "stagebook.toml",
            f"""
            [run]
            fork = {json.dumps(fork)}
            [secrets]
            NAMED = {{env = "AN_INNOCENT_NAME"}}
            FILED = {{file = "{beside}/FILED"}}
            ASKED = {{command = ["{sys.executable}", "{beside}/ask.py"]}}
            """,
        )
        builder.notebook("show", SHOW, ENCODE, SPLIT, RICH, CHILDREN, LOOK, params="out = 'out.txt'")
        builder.notebook("fail", SHOW, FAIL, "connect(words[0], words[1])")
        builder.pipeline(f"""
            defaults:
              executor: {executor}
              env: {{FREE: "${{secret.FREE}}", NAMED: "${{secret.NAMED}}", FILED: "${{secret.FILED}}"}}
            stages:
              show:
                notebook: notebooks/show.ipynb
                env: {{ASKED: "${{secret.ASKED}}", URL: "postgresql://me:${{secret.NAMED}}@host/db"}}
                outputs: {{out: data/out.txt}}
              fail:
                notebook: notebooks/fail.ipynb
                env: {{ASKED: "${{secret.ASKED}}", URL: "postgresql://me:${{secret.NAMED}}@host/db"}}
                after: show
        """)
        self.said: dict[str, str] = {}
        self.env = environment(
            STAGEBOOK_SECRET_FREE=self.canaries["FREE"], AN_INNOCENT_NAME=self.canaries["NAMED"]
        )

    def command(self, *words: str, code: int = 0) -> str:
        done = stagebook(self.root, *words, env=self.env, timeout=280)
        assert done.returncode == code, done.stdout + done.stderr
        self.said[" ".join(words)] = done.stdout + done.stderr
        return done.stdout

    def everything(self) -> Iterator[tuple[str, str]]:
        """All that was said, and all that is in files, also within what is compressed."""
        yield from self.said.items()
        for path in self.root.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                yield str(path), data.decode("utf-8", "replace")
                if data[:2] == b"\x1f\x8b":
                    yield f"{path}, unpacked", gzip.decompress(data).decode("utf-8", "replace")
        for path in self.root.rglob("*.db"):
            with sqlite3.connect(path) as database:
                yield f"{path}, as SQL", "\n".join(database.iterdump())
            database.close()

    def log(self, stage: str) -> str:
        return next(self.root.glob(f".stagebook/runs/*/{stage}/1/log.txt")).read_text()


def traces(canaries: Iterable[str]) -> list[str]:
    """The canaries, as a test that knows nothing of how they are hidden looks for them."""
    found = []
    for word in canaries:
        data = word.encode()
        lines = [line for line in word.splitlines() if not line.startswith("-----")]
        for text in (word, *lines):
            found += [
                text,
                quote(text),
                quote(text, safe=""),
                json.dumps(text)[1:-1],
                html.escape(text),
                ascii(text)[1:-1],
            ]
            found += [
                json.dumps(json.dumps(text)[1:-1])[1:-1],
                text.encode().hex(),
                text.encode().hex().upper(),
            ]
        for before in range(3):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                # Four characters for three bytes: what is around it touches the first and the last four.
                found.append(encode(b"x" * before + data + b"yz").decode()[4:-8])
    return sorted({text for text in found if len(text) >= 6})


@pytest.mark.parametrize("executor", ["kernel", "inprocess"])
@pytest.mark.parametrize("fork", [True, False], ids=["forked", "started"])
@pytest.mark.long
def test_no_canary_is_found(
    builder: ProjectBuilder, tmp_path_factory: pytest.TempPathFactory, executor: str, fork: bool
) -> None:
    project = Project(builder, tmp_path_factory.mktemp("beside") / "keys", executor, fork=fork)
    project.command("plan", "--json")
    project.command("run", "--json", "--debug-on-failure", code=1)
    project.command("logs", "latest")
    project.command("logs", "latest", "--json")
    project.command("logs", "latest", "show")
    project.command("logs", "latest", "fail")
    project.command("status", "--json")
    project.command("why")
    project.command("runs", "--json")
    project.command("check", "--json")
    project.command("doctor")
    project.command("secrets", "list", "--json")
    assert project.command("secrets", "test").count("✓") == 4
    log = project.log("show")
    assert log.count(HIDDEN) > 60
    assert "two writes: ***\n" in log
    dump = next(project.root.glob(".stagebook/runs/*/fail/1/failure.dump"))
    assert b"Connection" in gzip.decompress(dump.read_bytes())
    assert next(project.root.glob("mlruns/**/notebook.html"), None) is not None
    everything = list(project.everything())
    for trace in traces(project.canaries.values()):
        assert [name for name, text in everything if trace in text] == [], trace
    seen = json.loads(log.partition("SEEN ")[2].partition("\n")[0])
    assert seen["cmdline"] == []
    # The run was started with two of them; where nothing is forked the worker has to look them up, and the cells have
    # them from the start.
    known = (
        ("self", "-m stagebook run")
        if fork
        else ("self", "-m stagebook run", "-m stagebook.execution.worker")
    )
    assert [who for who in seen["environ"] if not any(it in who for it in known)] == []
    assert "self" in seen["environ"] or fork


@pytest.mark.long
def test_a_secret_that_is_not_there_fails_the_stage_before_its_first_cell(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.notebook("a", "print('began')")
    builder.pipeline('stages:\n  a: {notebook: notebooks/a.ipynb, env: {TOKEN: "${secret.DB}"}}')
    done = stagebook(builder.root, "run")
    assert done.returncode == 1
    assert "the secret 'DB': the environment variable STAGEBOOK_SECRET_DB is not set" in done.stdout
    assert not list(builder.root.glob(".stagebook/runs/*/a/1/log.txt"))
    short = stagebook(builder.root, "run", env=environment(STAGEBOOK_SECRET_DB="1234"))
    assert "the secret 'DB' is shorter than 6 characters" in short.stdout


def test_a_worker_that_is_killed_leaves_none_in_its_files(builder: ProjectBuilder) -> None:
    builder.file("stagebook.toml", "[tracking]\nenabled = false\n[run]\nfork = false\n")
    code = """
    import os, signal, time
    word = os.environ["TOKEN"]
    print("the word is", word)
    open(f"data-{word}", "w").close()
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
    """
    builder.notebook("a", code)
    builder.pipeline('stages:\n  a: {notebook: notebooks/a.ipynb, env: {TOKEN: "${secret.DB}"}}')
    done = stagebook(builder.root, "run", env=environment(STAGEBOOK_SECRET_DB="canary-7f3a91"))
    assert "the process of the stage was killed by SIGKILL" in done.stdout
    (builder.root / "data-canary-7f3a91").unlink()
    folder = next(builder.root.glob(".stagebook/runs/*/a/1"))
    assert b"data-*************" in (folder / "observed.jsonl").read_bytes()
    files = [path for path in builder.root.rglob("*") if path.is_file()]
    assert [path for path in files if b"canary-7f3a91" in path.read_bytes()] == []


@pytest.mark.long
def test_only_a_stage_that_asks_gets_a_secret(builder: ProjectBuilder) -> None:
    builder.file("stagebook.toml", '[tracking]\nenabled = false\n[secrets]\nDB = {env = "A_VARIABLE"}\n')
    look = "import os\nprint(sorted(name for name in os.environ if name in names or name.startswith('STAGEBOOK_SECRET')))"
    builder.notebook("a", look, params="names = ['A_VARIABLE', 'ASKED']")
    builder.pipeline("""
        stages:
          none: {notebook: notebooks/a.ipynb}
          asks: {notebook: notebooks/a.ipynb, env: {ASKED: "${secret.DB}"}}
          names: {notebook: notebooks/a.ipynb, env: A_VARIABLE}
    """)
    env = environment(A_VARIABLE="canary-7f3a", STAGEBOOK_SECRET_MORE="canary-91")
    assert stagebook(builder.root, "run", env=env).returncode == 0
    said = {
        path.parts[-3]: path.read_text().strip()
        for path in builder.root.glob(".stagebook/runs/*/*/1/log.txt")
    }
    assert said == {"none": "[]", "asks": "['ASKED']", "names": "['A_VARIABLE']"}


def test_the_fingerprint_has_the_name_of_a_secret_and_nothing_of_its_value(builder: ProjectBuilder) -> None:
    builder.without_tracking()
    builder.notebook("a", "1")
    pipeline = 'stages:\n  a: {notebook: notebooks/a.ipynb, env: {TOKEN: "${secret.DB}"}}'
    builder.pipeline(pipeline)
    for value in ("canary-7f3a", "another-91"):
        done = stagebook(builder.root, "run", env=environment(STAGEBOOK_SECRET_DB=value))
        assert done.returncode == 0
    assert "1 reused" in done.stdout or "up to date" in done.stdout
    parts = [event.parts for event in _ends(builder) if event.parts]
    assert [part["env"] for part in parts] == [{"TOKEN": "${secret.DB}"}]
    builder.pipeline(pipeline.replace("secret.DB", "secret.OTHER"))
    (stage,) = builder.plan().stages
    assert "the environment variable TOKEN changed" in stage.reasons


def _ends(builder: ProjectBuilder) -> list[AttemptEnded]:
    runs = builder.project.journal.runs.latest(limit=9)
    return [event for run in runs for event in builder.events(run.id) if isinstance(event, AttemptEnded)]
