"""Which secrets a project has, and who uses them."""

from __future__ import annotations

from building import ProjectBuilder
from stagebook.runs.secrets import known_secrets


def test_the_rules_of_alerts_use_secrets_too(builder: ProjectBuilder) -> None:
    builder.file(
        "stagebook.toml",
        '[secrets]\nCHAT = {env = "CHAT_URL"}\nSPARE = {env = "SPARE"}\n'
        '[notify.ops]\nto = ["${secret.CHAT}", "mailto://me:${secret.SMTP}@example.org"]\n',
    )
    found = known_secrets(builder.project.catalog, {}, builder.project.settings)
    assert [(one.name, one.is_declared, one.used_by) for one in found] == [
        ("CHAT", True, ("alerts ops",)),
        ("SMTP", False, ("alerts ops",)),
        ("SPARE", True, ()),
    ]
