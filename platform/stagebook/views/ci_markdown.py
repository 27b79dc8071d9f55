"""What continuous integration came to: as Markdown for a pull request, and as JUnit XML."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from stagebook.ci.report import CiCheck, CiReport
from stagebook.system.markup import in_xml
from stagebook.views import difference_markdown
from stagebook.views.difference_markdown import fenced, text
from stagebook.views.formatting import plain, plural

MOST = 60_000  # characters of a comment that GitHub takes: 65,536
_SIGNS = {"failed": "❌", "warned": "⚠️"}


def markdown(report: CiReport) -> str:
    """The report as GitHub-flavoured Markdown, at most `MOST` characters of it."""
    made = "\n".join(_lines(report))
    if len(made) <= MOST:
        return made
    cut = made[:MOST].rpartition("\n")[0]
    closing = "\n```\n" if cut.count("\n```") % 2 else ""
    closing += "\n</details>\n" * (cut.count("<details>") - cut.count("</details>"))
    return f"{cut}\n{closing}\n… and more: see the files of the job.\n"


def _lines(report: CiReport) -> Iterator[str]:
    sign = "✅" if report.passed else "❌"
    told = ", ".join(
        f"{report.count(outcome)} {outcome}"
        for outcome in ("passed", "warned", "failed", "skipped")
        if report.count(outcome)
    )
    yield from (f"## {sign} Stagebook: {told or 'nothing to check'}", "")
    for check in report.checks:
        if check.outcome in _SIGNS:
            yield from _check(check)
    if report.remark:
        yield from (text(report.remark), "")
    if report.difference is not None:
        yield difference_markdown.difference(report.difference, level=3)


def _check(check: CiCheck) -> Iterator[str]:
    yield f"- {_SIGNS[check.outcome]} {check.group} **{text(check.suite)}** {text(check.name)}: {text(check.message)}"
    if check.details:
        lines = check.details.splitlines()[-30:]
        yield from (
            "",
            "  <details><summary>details</summary>",
            "",
            *fenced(lines, "  "),
            "",
            "  </details>",
            "",
        )


def junit(report: CiReport) -> str:
    """The report as JUnit XML: a suite for each pipeline or file of tests, a case for each check."""
    suites: dict[str, list[CiCheck]] = {}
    for check in report.checks:
        suites.setdefault(check.suite, []).append(check)
    body = "".join(_suite(name, checks) for name, checks in suites.items())
    counts = f'tests="{len(report.checks)}" failures="{report.count("failed")}" skipped="{report.count("skipped")}"'
    return f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="stagebook" {counts}>\n{body}</testsuites>\n'


def _suite(name: str, checks: list[CiCheck]) -> str:
    failed = sum(1 for check in checks if check.outcome == "failed")
    skipped = sum(1 for check in checks if check.outcome == "skipped")
    seconds = sum(check.seconds for check in checks)
    head = f'name={_attribute(name)} tests="{len(checks)}" failures="{failed}" skipped="{skipped}" errors="0" time="{seconds:.3f}"'
    return f"<testsuite {head}>\n{''.join(_case(check) for check in checks)}</testsuite>\n"


def _case(check: CiCheck) -> str:
    head = f'classname={_attribute(f"{check.suite}.{check.group}")} name={_attribute(check.name)} time="{check.seconds:.3f}"'
    message, details = _attribute(check.message), escape(_xml(check.details))
    inner = {
        "failed": f"<failure message={message}>{details}</failure>",
        "skipped": f"<skipped message={message}/>",
        "warned": f"<system-out>{escape(_xml(f'warning: {check.message}'))}\n{details}</system-out>",
        "passed": f"<system-out>{escape(_xml(check.message))}</system-out>" if check.message else "",
    }
    return f"<testcase {head}>{inner[check.outcome]}</testcase>\n"


def _xml(untrusted: str) -> str:
    return in_xml(plain(untrusted))


def _attribute(untrusted: str) -> str:
    return quoteattr(_xml(untrusted))


def in_short(report: CiReport) -> str:
    """The outcome in a few words."""
    if report.passed:
        warned = report.count("warned")
        return "all passed" + (f", {plural(warned, 'warning')}" if warned else "")
    return f"{plural(report.count('failed'), 'check')} failed"
