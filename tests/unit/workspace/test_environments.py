"""Environments as the settings declare them."""

from __future__ import annotations

import pytest

from building import ProjectBuilder
from stagebook.errors import PipelineInvalid, UsageError
from stagebook.workspace.environments import Environment


def declared(builder: ProjectBuilder, text: str) -> dict[str, Environment]:
    builder.file("stagebook.toml", text)
    builder.pipeline("stages: {}\n")
    return builder.project.environments.all()


def test_what_an_environment_does_not_say_it_has_from_the_one_that_it_inherits_from(
    builder: ProjectBuilder,
) -> None:
    found = declared(
        builder,
        """
        [environments.base]
        params = { days = 3, seed = 1 }
        keep_days = 5
        protected = true
        path = "shown/base"
        experiment = ", all"

        [environments.ci]
        inherits = "base"
        params = { days = 1 }
        protected = false
        """,
    )
    ci = found["ci"]
    assert (ci.parent, ci.params, ci.keep_days, ci.protected) == ("base", {"days": 1, "seed": 1}, 5, False)
    # What readers look at, and MLflow's experiment, are its own.
    assert (ci.path, ci.experiment) == ("environments/ci", " (ci)")
    assert (found["base"].path, found["base"].experiment) == ("shown/base", ", all")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[environments.dev]", "'dev' is the working tree"),
        ("[environments.'Prod 1']", "is no name for an environment"),
        ("[environments.a]\ninherits = 'a'", "inherits from itself: a → a"),
        (
            "[environments.a]\ninherits = 'b'\n[environments.b]\ninherits = 'a'",
            "inherits from itself: a → b → a",
        ),
        ("[environments.prod]\n[environments.a]\ninherits = 'prot'", "did you mean 'prod'?"),
        ("[environments.a]\nprotect = true", "did you mean 'protected'?"),
        ("[environments.a]\npath = '/'", "the root of the file system"),
        ("[environments.a]\npath = '../elsewhere'", "'../elsewhere' leaves the project"),
        (
            "[environments.a]\npath = 'data'\n[environments.b]\npath = 'data'",
            "both a and b show theirs in 'data'",
        ),
        ("[environments.a]\npath = '.stagebook/a'", "is of the project's state"),
    ],
)
def test_each_mistake_is_told(builder: ProjectBuilder, text: str, told: str) -> None:
    with pytest.raises(PipelineInvalid) as caught:
        declared(builder, text)
    assert told in str(caught.value)


def test_an_environment_that_is_not_there_is_told_with_those_that_are(builder: ProjectBuilder) -> None:
    declared(builder, "[environments.prod]")
    with pytest.raises(UsageError) as caught:
        builder.project.environments.find("prd")
    assert caught.value.hint == "did you mean 'prod'?"


def test_one_that_a_command_made_can_be_removed_and_no_other(builder: ProjectBuilder) -> None:
    declared(builder, "[environments.prod]\nparams = {n = 1}\nprotected = true")
    table = builder.project.environments
    made = table.create("branch", "prod", {"n": 2}, 0.0, "ada")
    assert (made.parent, made.params, made.protected) == ("prod", {"n": 2}, False)
    with pytest.raises(UsageError, match="there is an environment 'branch' already"):
        table.create("branch", "dev", {}, 0.0, "ada")
    with pytest.raises(UsageError, match="is no name"):
        table.create("a/b", "dev", {}, 0.0, "ada")
    with pytest.raises(UsageError, match="there is no environment 'prd'"):
        table.create("other", "prd", {}, 0.0, "ada")
    table.create("leaf", "branch", {}, 0.0, "ada")
    with pytest.raises(UsageError, match="leaf inherits from 'branch'"):
        table.remove("branch")
    with pytest.raises(UsageError, match="is declared in the settings"):
        table.remove("prod")
    table.remove("leaf")
    table.remove("branch")
    assert list(table.all()) == ["prod"]
