"""What is shown of a traceback: the line of the cell, the last line of one's own, and what went wrong."""

from __future__ import annotations

import pytest

from stagebook.views.failures import MAX_LINES, excerpt

RULE = "-" * 75
CELL = """Cell In[2], line 2
      1 first = 1
----> 2 table = pd.read_csv("not_there.csv")
"""
OWN = """File /home/me/project/helpers/reading.py:14, in read(path, *args)
     12 def read(path):
     13     # one of ours
---> 14     return pd.read_csv(path)
     15
"""
LIBRARY = """File /opt/env/lib/python3.11/site-packages/pandas/io/parsers/readers.py:1866, in read_csv(a, b, c)
   1853 kwds_defaults = _refine_defaults_read(
   (...)   1862     lineterminator=lineterminator,
   1864 kwds.update(kwds_defaults)
-> 1866 return _read(filepath_or_buffer, kwds)
"""
LAST = """File /opt/env/lib/python3.11/site-packages/pandas/io/common.py:954, in get_handle(path)
    945         handle = open(
    952     else:
    953         # Binary mode
--> 954         handle = open(handle, ioargs.mode)
    955     handles.append(handle)
    957 # Convert BytesIO or file objects passed with an encoding
"""
MESSAGE = "FileNotFoundError: [Errno 2] No such file or directory: 'not_there.csv'"
HEAD = f"{RULE}\nFileNotFoundError                         Traceback (most recent call last)\n"
SHOWN_CELL = CELL.splitlines()
SHOWN_LAST = [
    "File /opt/env/lib/python3.11/site-packages/pandas/io/common.py:954, in get_handle(…)",
    "    953         # Binary mode",
    "--> 954         handle = open(handle, ioargs.mode)",
    "    955     handles.append(handle)",
]


def test_the_line_of_the_cell_is_shown_and_the_last_one() -> None:
    """Case deep_traceback."""
    trace = "\n".join([HEAD + CELL, LIBRARY, LIBRARY, LAST, MESSAGE])
    assert excerpt(trace) == [*SHOWN_CELL, "   … 2 more calls in between", *SHOWN_LAST, MESSAGE]
    coloured = trace.replace("Cell", "\x1b[36mCell\x1b[39m").replace("954", "\x1b[32m954\x1b[39m")
    assert excerpt(coloured) == excerpt(trace)


def test_the_last_line_of_ones_own_is_shown_too() -> None:
    trace = "\n".join([HEAD + CELL, OWN, LIBRARY, LAST, MESSAGE])
    assert excerpt(trace) == [
        *SHOWN_CELL,
        "File /home/me/project/helpers/reading.py:14, in read(…)",
        "     13     # one of ours",
        "---> 14     return pd.read_csv(path)",
        "     15",
        "   … 1 more call in between",
        *SHOWN_LAST,
        MESSAGE,
    ]


def test_a_function_of_another_cell_is_shown_and_the_cell_that_called_it() -> None:
    inner = "Cell In[1], line 9, in fit(data)\n      8 def fit(data):\n----> 9     return model(data)\n"
    trace = "\n".join([HEAD + CELL, LIBRARY, inner, LIBRARY, LAST, MESSAGE])
    shown = excerpt(trace)
    assert shown[:3] == SHOWN_CELL
    assert "----> 9     return model(data)" in shown
    assert shown[-1] == MESSAGE


@pytest.mark.parametrize(
    "between",
    [
        "During handling of the above exception, another exception occurred:",
        "The above exception was the direct cause of the following exception:",
    ],
)
def test_of_several_exceptions_the_last_is_told_with_the_line_of_the_cell(between: str) -> None:
    first = f"KeyError  Traceback (most recent call last)\n{LIBRARY}\n{LIBRARY}\nKeyError: 'a'"
    last = "\n".join(
        [f"{MESSAGE.partition(':')[0]}  Traceback (most recent call last)", CELL, LIBRARY, LAST, MESSAGE]
    )
    assert excerpt(f"{RULE}\n{first}\n\n{between}\n\n{last}") == [
        *SHOWN_CELL,
        "   … 1 more call in between",
        *SHOWN_LAST,
        MESSAGE,
    ]
    # Raised in a thread or a library: the cell's frame is that of the first one.
    shown = excerpt("\n".join([HEAD + CELL, LIBRARY, "KeyError: 'a'", between, LIBRARY, LAST, MESSAGE]))
    assert shown[:3] == SHOWN_CELL
    assert shown[-1] == MESSAGE


def test_a_short_one_is_whole() -> None:
    syntax = "  Cell In[1], line 1\n    x = = 1\n        ^\nSyntaxError: invalid syntax"
    assert excerpt(syntax) == syntax.splitlines()


@pytest.mark.parametrize(
    "message", ["ValueError", "json.decoder.JSONDecodeError: no", "E: one\ntwo\nthree\nfour\nfive"]
)
def test_the_message_is_what_stands_after_the_last_frame(message: str) -> None:
    shown = excerpt("\n".join([HEAD + CELL, LIBRARY, LAST, message]))
    assert shown[-len(message.splitlines()[:4]) :] == message.splitlines()[:4]
    assert shown[:3] == SHOWN_CELL


def test_what_is_no_traceback_of_ipython_shows_its_end() -> None:
    other = "\n".join(f"line {number}" for number in range(40))
    assert excerpt(other) == other.splitlines()[-MAX_LINES:]


@pytest.mark.parametrize(
    "head",
    [
        "Input In [2], in <cell line: 2>()",
        "<ipython-input-2-abc> in <module>",
        "/tmp/ipykernel_71/3.py in <module>",
    ],
)
def test_headers_of_earlier_versions_are_known(head: str) -> None:
    old = CELL.replace("Cell In[2], line 2", head)
    assert head.removesuffix("()") in "\n".join(excerpt("\n".join([HEAD + old, LIBRARY, LAST, MESSAGE])))
