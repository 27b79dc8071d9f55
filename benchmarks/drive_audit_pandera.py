"""The checks of the benchmark in pandera, on a DataFrame of pandas: `PARQUET`."""

import json
import sys

import pandas as pd
import pandera.pandas as pa

CARRIERS = ["AA", "B6", "DL", "EV", "UA", "US", "WN", "9E", "MQ", "VX"]
schema = pa.DataFrameSchema(
    {
        "id": pa.Column("int64", unique=True, nullable=False),
        "carrier": pa.Column("str", pa.Check.isin(CARRIERS), nullable=False),
        "origin": pa.Column("str", pa.Check.isin(["EWR", "JFK", "LGA"]), nullable=True),
        "delay": pa.Column("float64", pa.Check.in_range(-120, 1500), nullable=True),
        "speed": pa.Column("float64", [pa.Check.ge(0), pa.Check.le(200)], nullable=True),
        "tail": pa.Column(
            "str", [pa.Check.str_matches("^N[0-9A-Z]+$"), pa.Check.str_length(max_value=6)], nullable=True
        ),
        "day": pa.Column(
            "datetime64[us]",
            pa.Check.in_range(pd.Timestamp("2013-01-01"), pd.Timestamp("2013-12-31")),
            nullable=True,
        ),
    },
    checks=pa.Check(lambda frame: len(frame) >= 1_000_000, name="rows"),
)
frame = pd.read_parquet(sys.argv[1])
try:
    schema.validate(frame, lazy=True)
    counts = []
except pa.errors.SchemaErrors as error:
    counts = error.failure_cases.groupby(["column", "check"]).size().tolist()
print(json.dumps(sorted(counts)))
