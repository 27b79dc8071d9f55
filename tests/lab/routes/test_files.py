"""The route of the beginnings of files."""

from __future__ import annotations

from building import ProjectBuilder


async def test_an_output_is_shown_and_nothing_else(api, lab: ProjectBuilder) -> None:
    reply = await api.get("file", pipeline="sums", path="data/first.txt")
    assert (reply["kind"], reply["modified"]) == ("missing", None)
    lab.file("data/first.txt", "<b>42</b>")
    reply = await api.get("file", pipeline="sums", path="data/first.txt", param="base=7")
    assert (reply["kind"], reply["text"], reply["size"]) == ("text", "<b>42</b>", 9)
    for path in ("notebooks/first.ipynb", "../beside.txt", "/etc/passwd", "stagebook.toml"):
        status, refusal = await api.refused("file", pipeline="sums", path=path)
        assert status == 400
        assert "no input and no output" in refusal["message"]


async def test_the_parameters_decide_which_file_it_is(api, lab: ProjectBuilder) -> None:
    lab.pipeline(
        """
        params: {name: one}
        stages:
          first: {notebook: notebooks/first.ipynb, outputs: {number: "data/${params.name}.txt"}}
        """,
        "named",
    )
    lab.file("data/two.txt", "of two")
    status, _ = await api.refused("file", pipeline="named", path="data/two.txt")
    assert status == 400
    reply = await api.get("file", pipeline="named", path="data/two.txt", param="name=two")
    assert reply["text"] == "of two"
    status, refusal = await api.refused("file", pipeline="named", path="data/two.txt", param="nothing=1")
    assert status == 400
    assert "nothing" in str(refusal)
