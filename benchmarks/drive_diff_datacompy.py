"""Two versions of a table compared by their key with datacompy, on DataFrames of an engine: `BEFORE AFTER KEY pandas|polars`."""

import json
import sys

import datacompy

before, after, key, engine = sys.argv[1:5]
if engine == "pandas":
    import pandas as pd

    found = datacompy.PandasCompare(pd.read_parquet(before), pd.read_parquet(after), join_columns=key)
else:
    import polars as pl

    found = datacompy.PolarsCompare(pl.read_parquet(before), pl.read_parquet(after), join_columns=key)
changed = len(found.intersect_rows) - found.count_matching_rows()
print(json.dumps([len(found.df2_unq_rows), len(found.df1_unq_rows), int(changed)]))
