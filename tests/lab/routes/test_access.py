"""Every route of the live table refuses strangers: five kinds of credentials that do not do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError, HTTPResponse

from building import ProjectBuilder
from stagebook_lab.routes import ROUTES
from stagebook_lab.routes.handler import RESOURCE, Handler

EXAMPLES = {
    "run": "20260101-000000-abcd",
    "pid": "1",
    "name": "prod",
    "incident": "0a1b2c3",
}  # what fills the places in the routes


class Nobody(Authorizer):
    """Knows the user, and allows nothing of ours."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        Nobody.asked.append((action, resource))
        return resource != RESOURCE


@pytest.fixture
def denied(jp_server_config: dict[str, Any]) -> None:
    jp_server_config["ServerApp"]["authorizer_class"] = Nobody


def live_routes(app: Any) -> list[tuple[str, type[Handler], str]]:
    """Each method of each route of ours that the running server has, with a path that it takes."""
    found = []
    for rule in app.wildcard_router.rules + app.default_router.rules[0].target.rules:
        handler = rule.target
        if isinstance(handler, type) and issubclass(handler, Handler):
            path = rule.matcher.regex.pattern.rstrip("$")
            for name, value in EXAMPLES.items():
                start = path.find(f"(?P<{name}>")
                if start >= 0:
                    path = path[:start] + value + path[path.index(")", start) + 1 :]
            found += [
                (path, handler, method) for method in ("GET", "POST") if method.lower() in vars(handler)
            ]
    return found


async def status_of(http_server_client, path: str, method: str, headers: dict[str, str]) -> int:
    body = json.dumps({"pipeline": "sums"}) if method == "POST" else None
    try:
        response: HTTPResponse = await http_server_client.fetch(
            path, method=method, headers=headers, body=body, follow_redirects=False, request_timeout=5
        )
    except HTTPClientError as error:
        return int(error.code)
    return response.code


@pytest.fixture
def table(jp_serverapp, jp_base_url: str) -> list[tuple[str, type[Handler], str]]:
    found = live_routes(jp_serverapp.web_app)
    assert {handler for _, handler, _ in found} == {handler for _, handler in ROUTES}
    assert all(path.startswith(f"{jp_base_url}stagebook/") for path, _, _ in found)
    return found


async def test_the_walk_reaches_every_route(
    http_server_client, table, jp_auth_header, lab: ProjectBuilder
) -> None:
    """With good credentials no route says 403, and none an error of the server."""
    for path, handler, method in table:
        if handler.__name__ == "StreamHandler" or method == "POST":
            continue  # the one does not end, the others would start something
        assert await status_of(http_server_client, path, method, dict(jp_auth_header)) in {200, 400, 404}, (
            path
        )


async def test_no_credentials(http_server_client, table) -> None:
    for path, _, method in table:
        assert await status_of(http_server_client, path, method, {}) == 403, path


async def test_a_wrong_token(http_server_client, table) -> None:
    for path, _, method in table:
        headers = {"Authorization": "token 0123456789abcdef"}
        assert await status_of(http_server_client, path, method, headers) == 403, path


async def test_the_cookie_without_the_xsrf_token(
    http_server_client, table, jp_serverapp, jp_base_url, jp_auth_header, lab
) -> None:
    token = jp_auth_header["Authorization"].split(" ")[1]
    response = await http_server_client.fetch(
        f"{jp_base_url}tree?token={token}", follow_redirects=False, raise_error=False
    )
    cookies = "; ".join(text.split(";")[0] for text in response.headers.get_list("Set-Cookie"))
    assert "username-" in cookies, response.headers
    sent = {"Cookie": "; ".join(part for part in cookies.split("; ") if not part.startswith("_xsrf"))}
    for path, handler, method in table:
        if method == "POST":
            assert await status_of(http_server_client, path, method, sent) == 403, path
        elif handler.__name__ != "StreamHandler":  # the one does not end
            assert await status_of(http_server_client, path, method, sent) in {200, 400, 404}, path
            foreign = {**sent, "Origin": "http://evil.example"}
            assert await status_of(http_server_client, path, method, foreign) in {403, 404}, path


async def test_an_authorizer_that_denies(denied, http_server_client, table, jp_auth_header) -> None:
    for path, _, method in table:
        Nobody.asked.clear()
        assert await status_of(http_server_client, path, method, dict(jp_auth_header)) == 403, path
        assert Nobody.asked == [("read" if method == "GET" else "execute", RESOURCE)], path


async def test_without_the_base_url(http_server_client, table, jp_base_url, jp_auth_header) -> None:
    for path, _, method in table:
        bare = "/" + path.removeprefix(jp_base_url)
        assert await status_of(http_server_client, bare, method, dict(jp_auth_header)) == 404, path
