"""The checks of the benchmark in Great Expectations, on a DataFrame of pandas: `PARQUET`."""

import json
import sys

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd

CARRIERS = ["AA", "B6", "DL", "EV", "UA", "US", "WN", "9E", "MQ", "VX"]
context = gx.get_context(mode="ephemeral")
asset = context.data_sources.add_pandas("data").add_dataframe_asset("flights")
batch = asset.add_batch_definition_whole_dataframe("all")
suite = context.suites.add(
    gx.ExpectationSuite(
        name="contract",
        expectations=[
            gxe.ExpectColumnValuesToNotBeNull(column="id"),
            gxe.ExpectColumnValuesToBeUnique(column="id"),
            gxe.ExpectColumnValuesToNotBeNull(column="carrier"),
            gxe.ExpectColumnValuesToBeInSet(column="carrier", value_set=CARRIERS),
            gxe.ExpectColumnValuesToBeInSet(column="origin", value_set=["EWR", "JFK", "LGA"]),
            gxe.ExpectColumnValuesToBeBetween(column="delay", min_value=-120, max_value=1500),
            gxe.ExpectColumnValuesToBeBetween(column="speed", min_value=0),
            gxe.ExpectColumnValuesToBeBetween(column="speed", max_value=200),
            gxe.ExpectColumnValuesToMatchRegex(column="tail", regex="^N[0-9A-Z]+$"),
            gxe.ExpectColumnValueLengthsToBeBetween(column="tail", max_value=6),
            gxe.ExpectColumnValuesToBeBetween(
                column="day", min_value=pd.Timestamp("2013-01-01"), max_value=pd.Timestamp("2013-12-31")
            ),
            gxe.ExpectTableRowCountToBeBetween(min_value=1_000_000),
        ],
    )
)
definition = context.validation_definitions.add(
    gx.ValidationDefinition(name="audit", data=batch, suite=suite)
)
result = definition.run(
    batch_parameters={"dataframe": pd.read_parquet(sys.argv[1])}, result_format={"result_format": "BASIC"}
)
counts = [one.result.get("unexpected_count", 0) for one in result.results if not one.success]
print(json.dumps(sorted(counts)))
