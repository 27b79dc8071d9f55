"""Which names an expression may refer to, by where it stands."""

from __future__ import annotations

import pytest

from stagebook.pipeline.expressions import ROOTS, ExpressionError
from stagebook.pipeline.names import DefinedNames, StageScope

NAMES = DefinedNames(params=["rate", "seed"], stages=["clean", "train"])
ALL = frozenset(ROOTS)
PLAIN = StageScope(stage="train")
EACH = StageScope(stage="train", axes=("model",), has_item=True)


@pytest.mark.parametrize(
    "reference",
    ["params.rate", "params.rate.deeper", "matrix.model", "item", "item.key", "run.id", "run.failed", "interval.start", "interval.name", "interval.hour", "env.HOME", "stages.clean.scraps.rows",
     "stages.clean.scraps.rows.deeper"],
)  # fmt: skip
def test_what_is_defined_may_be_named(reference: str) -> None:
    NAMES.check(tuple(reference.split(".")), ALL, EACH)


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        ("params.raet", "unknown name 'params.raet'", "did you mean 'rate'?"),
        ("params", "'params' needs a name: params.NAME", ""),
        ("matrix.model", "unknown name 'matrix.model'", "the stage 'train' has no matrix"),
        ("item", "'item' is not available here", "the stage 'train' has no foreach"),
        ("interval.begin", "unknown name 'interval.begin'", "known: start, end, name, year, month, day, hour"),
        ("interval", "'interval' needs a name: interval.NAME", ""),
        ("run.ID", "unknown name 'run.ID'", "known: id, pipeline, started, failed"),
        ("stages.claen.scraps.rows", "unknown name 'stages.claen.scraps.rows'", "did you mean 'clean'?"),
        ("stages.clean", "'stages.clean' names no scrap", "write stages.clean.scraps.NAME"),
        ("stages.clean.rows", "'stages.clean.rows' names no scrap", "write stages.clean.scraps.NAME"),
        ("stages.train.scraps.auc", "'stages.train.scraps.auc' is a scrap of the stage itself",
         "a stage can use scraps of the stages before it"),
    ],
)  # fmt: skip
def test_what_is_not_defined_is_told_with_what_to_do(reference: str, message: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        NAMES.check(tuple(reference.split(".")), ALL, PLAIN)
    assert (str(caught.value), caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("scope", "hint"), [(PLAIN, "what is: env, params"), (EACH, "what is: env, item, params")]
)
def test_a_name_that_is_not_known_yet_is_told_with_those_that_are(scope: StageScope, hint: str) -> None:
    with pytest.raises(
        ExpressionError, match=r"'stages\.clean\.scraps\.rows' is not available here"
    ) as caught:
        NAMES.check(("stages", "clean", "scraps", "rows"), frozenset({"params", "env", "item"}), scope)
    assert caught.value.hint == hint


def test_what_could_not_be_read_is_no_further_mistake() -> None:
    unread = DefinedNames(params=None, stages=["a"])
    unread.check(("params", "anything"), ALL, PLAIN)
    unread.check(("matrix", "anything"), ALL, StageScope(stage="a", axes=None))


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "api_key",
        "GITHUB_TOKEN",
        "AWS_ACCESS_KEY_ID",
        "MySecret",
        "GOOGLE_CREDENTIALS",
        "DATABASE_URL",
        "MYSQL_PWD",
        "PGPASSWORD",
        "GH_PAT",
        "SENTRY_DSN",
        "SLACK_WEBHOOK",
        "SLACK_WEBHOOK_URL",
        "AZURE_STORAGE_CONNECTION_STRING",
        "SSH_PASSPHRASE",
        "NPM_AUTH",
        "db_url",
        "SNOWFLAKE_PWD",
    ],
)
def test_a_secret_does_not_get_into_the_records_of_a_pipeline(name: str) -> None:
    with pytest.raises(ExpressionError, match="looks like a secret") as caught:
        NAMES.check(("env", name), ALL, PLAIN)
    assert f"os.environ['{name}']" in caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "HOME",
        "KEYBOARD",
        "API_URL",
        "PASSENGERS",
        "PWD",
        "OLDPWD",
        "PATH",
        "AUTHOR",
        "SSH_AUTH_SOCK",
        "TOKENIZERS_PARALLELISM",
        "PATTERN",
        "DSNAME",
        "BASE_URL",
    ],
)
def test_other_variables_are_no_secrets(name: str) -> None:
    NAMES.check(("env", name), ALL, PLAIN)
