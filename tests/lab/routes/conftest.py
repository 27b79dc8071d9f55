"""Fixtures of the tests of the JupyterLab extension."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_jupyter.jupyter_core import *  # noqa: F403 - fixtures, for this folder alone
from pytest_jupyter.jupyter_server import *  # noqa: F403
from tornado.httpclient import HTTPClientError, HTTPResponse

from building import ProjectBuilder

PIPELINE = """
name: sums
description: Adds and multiplies.
params:
  base: {type: int, default: 1, help: what to begin with}
stages:
  first:
    notebook: notebooks/first.ipynb
    params: {base: "${params.base}"}
    outputs: {number: data/first.txt}
  second:
    notebook: notebooks/second.ipynb
    inputs: {number: first.number}
"""


@pytest.fixture
def jp_root_dir(tmp_path: Path) -> Path:
    """The server's root: it holds a project, and a file beside it must stay out of reach."""
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    """The extension alone; a route without authentication is refused at the start."""
    return {
        "ServerApp": {
            "jpserver_extensions": {"stagebook_lab": True},
            "allow_unauthenticated_access": False,
        }
    }


@pytest.fixture
def lab(jp_root_dir: Path) -> Iterator[ProjectBuilder]:
    """The project in the server's root: two stages, no tracking."""
    builder = ProjectBuilder(jp_root_dir)
    builder.without_tracking()
    builder.notebook(
        "first",
        "_ = open(number, 'w').write(str(base + 1))",
        "print('wrote', base + 1)",
        params="base = 0\nnumber = ''",
    )
    builder.notebook("second", "print(open(number).read())", params="number = ''")
    builder.pipeline(PIPELINE, "sums")
    yield builder
    builder.close()


class Api:
    """Asks the routes."""

    def __init__(self, fetch: Callable[..., Awaitable[HTTPResponse]]) -> None:
        self._fetch = fetch

    async def get(self, *parts: str, **params: Any) -> Any:
        """The JSON of a GET that succeeds."""
        response = await self._fetch("stagebook", *parts, params=_pairs(params))
        return json.loads(response.body)

    async def post(self, *parts: str, **body: Any) -> Any:
        """The JSON of a POST that succeeds."""
        response = await self._fetch(
            "stagebook", *parts, method="POST", body=json.dumps(body), request_timeout=120
        )
        return json.loads(response.body)

    async def refused(self, *parts: str, method: str = "GET", body: str | None = None, **params: Any) -> Any:
        """The status of a request that is refused, and the JSON of why."""
        with pytest.raises(HTTPClientError) as caught:
            await self._fetch("stagebook", *parts, params=_pairs(params), method=method, body=body)
        assert caught.value.response is not None
        return caught.value.code, json.loads(caught.value.response.body)

    async def until(
        self, *parts: str, that: Callable[[Any], bool], seconds: float = 60.0, **params: Any
    ) -> Any:
        """Ask until the answer is as wanted."""
        for _ in range(int(seconds / 0.1)):
            answer = await self.get(*parts, **params)
            if that(answer):
                return answer
            await asyncio.sleep(0.1)
        pytest.fail(f"{'/'.join(parts)} never came to be as wanted: {answer}")

    async def until_posted(self, *parts: str, that: Callable[[Any], bool], **body: Any) -> Any:
        """Ask by a POST until the answer is as wanted."""
        for _ in range(1_000):
            answer = await self.post(*parts, **body)
            if that(answer):
                return answer
            await asyncio.sleep(0.1)
        pytest.fail(f"{'/'.join(parts)} never came to be as wanted: {answer}")


def _pairs(params: dict[str, Any]) -> list[tuple[str, Any]]:
    """Arguments of a URL; a list gives one name several times."""
    return [
        (name, item)
        for name, value in params.items()
        for item in (value if isinstance(value, list) else [value])
    ]


@pytest.fixture
def api(jp_fetch: Callable[..., Awaitable[HTTPResponse]]) -> Api:
    """The routes of the server."""
    return Api(jp_fetch)
