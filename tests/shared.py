"""Shared stores for tests: results that look like those of runs, an object store on loopback, a server that never answers."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stagebook.artifact import Artifact
from stagebook.planning.fingerprint import Fingerprint
from stagebook.planning.result import Result
from stagebook.sharing.document import Document
from stagebook.sharing.place import Place
from stagebook.sharing.shared_store import SharedStore, blobs_of
from stagebook.system.store import Store


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def parts(**more: Any) -> dict[str, Any]:
    """The parts of a fingerprint; `more` replaces some."""
    known = {
        "code": ["c1"],
        "params": {"n": 1},
        "inputs": {},
        "shapes": {},
        "modules": {},
        "files": {},
        "libraries": {},
        "kernel": {"kernel": "python3", "python": "CPython 3.11.7"},
        "env": {},
        "outputs": {"out": ["file", "one.csv"]},
    }
    return {**known, **more}


def result(*contents: bytes, at: float = 1.0, **more: Any) -> Result:
    """A result with these contents as its outputs; `more` are fields of it, or `parts`."""
    made = parts(**more.pop("parts", {}))
    whole = Fingerprint(parts=made)
    outputs = {
        f"out{number or ''}": Artifact(path=f"data/{number}.csv", size=len(one), sha256=sha(one), kept=True)
        for number, one in enumerate(contents)
    }
    fields: dict[str, Any] = {
        "number": 7, "pipeline": "p", "stage": "a", "run": "20260101-000000-abcd", "attempt": 1, "at": at,
        "fingerprint": whole.digest, "head": whole.head, "folder": ".stagebook/runs/20260101-000000-abcd/a/1",
        "parts": made, "outputs": outputs,
    }  # fmt: skip
    return Result(**{**fields, **more})


def kept(store: Store, folder: Path, *contents: bytes) -> None:
    """Keep some contents in a store."""
    folder.mkdir(exist_ok=True)
    for content in contents:
        path = folder / sha(content)
        path.write_bytes(content)
        store.keep(path, "x")


def put(place: Place, store: Store, one: Result) -> Document:
    """Put a result into the shared store at a place, out of the store of a project."""
    blobs = blobs_of(one, store)
    assert blobs is not None
    document = Document(result=one, blobs=blobs)
    shared = SharedStore(place, "there")
    assert shared.push(document, store.blobs.path), shared.cautions
    return document


@contextlib.contextmanager
def object_store(bucket: str) -> Iterator[dict[str, str]]:
    """An object store on loopback with a bucket; the environment by which s3fs finds it."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    env = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "-",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    client = boto3.client(
        "s3",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="me",
        aws_secret_access_key="-",
    )
    try:
        client.create_bucket(Bucket=bucket)
        yield env
    finally:
        client.close()
        server.stop()


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """The URL of a server that takes connections, and never answers."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        over = threading.Event()

        def take() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    held.append(server.accept()[0])

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            thread.join()
            for one in held:
                one.close()


def renamed(one: Result, **more: Any) -> Result:
    """The result with other fields."""
    return dataclasses.replace(one, **more)
