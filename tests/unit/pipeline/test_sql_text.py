"""Texts of SQL are taken apart where a database would."""

from __future__ import annotations

import pytest

from stagebook.pipeline.sql_text import statements_of, with_params


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        (" ; ;\n-- a; b\n/* c; */;", []),
        ("select 1", ["select 1"]),
        ("select 1; select 2;", ["select 1", "select 2"]),
        ("select ';' ; select 2", ["select ';'", "select 2"]),
        ("select 'it''s;' ; select 2", ["select 'it''s;'", "select 2"]),
        ('select ";" as "a;b"', ['select ";" as "a;b"']),
        ("select 1 -- one; two\n; select 2", ["select 1 -- one; two", "select 2"]),
        ("select /* ; */ 1", ["select /* ; */ 1"]),
        ("select $$ ; $$; select $tag$ ; $$ ; $tag$", ["select $$ ; $$", "select $tag$ ; $$ ; $tag$"]),
        ("-- first\nselect 1", ["select 1"]),
        ("select 'open;", ["select 'open;"]),
        ("select 1 /* open;", ["select 1 /* open;"]),
    ],
)
def test_statements_end_at_semicolons_that_are_code(text: str, wanted: list[str]) -> None:
    assert [statement.text for statement in statements_of(text)] == wanted


def test_statements_know_their_lines() -> None:
    text = "-- one\n\nselect 1;\nselect\n 2; /* a\nb */ select 3"
    assert [statement.line for statement in statements_of(text)] == [3, 4, 6]


def test_names_of_values_are_found_where_they_are_code() -> None:
    (found,) = statements_of("select $a, '$b', \"$c\", $a + $d_1 -- $e\n, $$ $f $$, $1")
    assert found.params == {"a", "d_1"}


@pytest.mark.parametrize(
    ("text", "gives"),
    [
        ("select 1", True),
        ("SELECT 1", True),
        ("(select 1) union (select 2)", True),
        ("-- a\nwith a as (select 1) select * from a", True),
        ("with a as (select 'insert') select * from a", True),
        ("with a as (select 1) insert into b select * from a", False),
        ("from a select b", True),
        ("values (1)", True),
        ("create table a as select 1", False),
        ("insert into a select 1", False),
        ("selection", False),
    ],
)
def test_what_gives_rows_is_told_from_what_does_something(text: str, gives: bool) -> None:
    (found,) = statements_of(text)
    assert found.gives_rows is gives


def test_values_are_written_as_a_database_has_them() -> None:
    (found,) = statements_of("select $a::int, '$b: c', \"d:e\" where t > $a -- f: $g")
    assert with_params(found, "@") == "select @a::int, '$b: c', \"d:e\" where t > @a -- f: $g"
    assert with_params(found, ":") == ("select :a\\:\\:int, '$b\\: c', \"d\\:e\" where t > :a -- f\\: $g")
