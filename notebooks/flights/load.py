# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Load: a star schema in a warehouse
#
# **In:** the silver flights, weather and airports, and the published airlines and planes.
# **Out:** `data/gold/flights.duckdb`, one file that any SQL client of DuckDB can open.
#
# One table of facts, a row per flight, refers to four dimensions:
#
# | table | one row per | key |
# |---|---|---|
# | `fact_flights` | flight | `flight_key` |
# | `dim_airport` | airport | `faa` |
# | `dim_airline` | carrier | `carrier` |
# | `dim_plane` | tail number, known or not | `plane_key` |
# | `dim_hour` | airport and hour, with its weather | `hour_key` |
#
# This stage is a script in the percent format. It opens as a notebook in JupyterLab through
# jupytext, runs like every other stage, and reads well in a diff.

# %%
from pathlib import Path

import duckdb
import flightlib

flightlib.go_to_project_root()

# %% tags=["parameters"]
silver: str = "data/silver/flights/flights"  # the cleaned flights, a Delta table
weather: str = "data/silver/flights/weather.parquet"  # the cleaned weather
airports: str = "data/silver/flights/airports.parquet"  # the completed airports
airlines: str = "data/raw/flights/airlines.parquet"  # names of the carriers
planes: str = "data/raw/flights/planes.parquet"  # planes by tail number
warehouse: str = "data/by-hand/flights.duckdb"  # the warehouse, built anew each time

# %% [markdown]
# The warehouse is always built from nothing. Half a year of old rows under half a year of new ones
# is a defect that no query shows; rebuilding takes a second or two.

# %%
Path(warehouse).parent.mkdir(parents=True, exist_ok=True)
for leftover in (Path(warehouse), Path(f"{warehouse}.wal")):
    leftover.unlink(missing_ok=True)

db = duckdb.connect(warehouse)
db.execute("SET TimeZone = 'UTC'")
for name, path in {
    "silver": silver,
    "weather": weather,
    "airports": airports,
    "airlines": airlines,
    "planes": planes,
}.items():
    db.register(f"src_{name}", flightlib.table(path))


# %%
def one(query: str) -> int:
    """Return the single number that a query gives."""
    row = db.execute(query).fetchone()
    assert row is not None, f"no row from: {query}"
    return int(row[0])


# %% [markdown]
# ## Dimensions
# Airports and airlines are known completely: `clean` has made sure of it.

# %%
_ = db.execute("""
    CREATE TABLE dim_airport (
        faa VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, lat DOUBLE NOT NULL, lon DOUBLE NOT NULL,
        alt INTEGER, time_zone VARCHAR, source VARCHAR NOT NULL
    );
    INSERT INTO dim_airport SELECT faa, name, lat, lon, alt, tzone, source FROM src_airports ORDER BY faa;

    CREATE TABLE dim_airline (carrier VARCHAR PRIMARY KEY, name VARCHAR NOT NULL);
    INSERT INTO dim_airline SELECT carrier, name FROM src_airlines ORDER BY carrier;
""")

# %% [markdown]
# Planes are not. A tail number that is in no register still gets its row, with `known` false, and
# flights without any tail number share plane 0. So every fact has a plane, an inner join loses
# nothing, and what is unknown can be counted instead of going missing.

# %%
_ = db.execute("""
    CREATE TABLE dim_plane (
        plane_key INTEGER PRIMARY KEY, tailnum VARCHAR UNIQUE, known BOOLEAN NOT NULL,
        year SMALLINT, manufacturer VARCHAR, model VARCHAR, engines TINYINT, seats SMALLINT
    );
    INSERT INTO dim_plane (plane_key, known) VALUES (0, false);
    INSERT INTO dim_plane
    SELECT row_number() OVER (ORDER BY tailnum), tailnum, planes.tailnum IS NOT NULL,
           year, manufacturer, model, engines, seats
    FROM (SELECT tailnum FROM src_planes
          UNION
          SELECT tailnum FROM src_silver WHERE tailnum IS NOT NULL) AS every
    LEFT JOIN src_planes AS planes USING (tailnum);
""")

# %% [markdown]
# Hours come from the flights and the observations together, so that an hour without weather is in
# the table too. They are instants in UTC; the local date and hour are kept beside them.

# %%
_ = db.execute("""
    CREATE TABLE dim_hour (
        hour_key INTEGER PRIMARY KEY, origin VARCHAR NOT NULL, hour_utc TIMESTAMP NOT NULL,
        local_hour TIMESTAMP NOT NULL, observed BOOLEAN NOT NULL,
        temp DOUBLE, dewp DOUBLE, humid DOUBLE, wind_dir DOUBLE, wind_speed DOUBLE,
        wind_gust DOUBLE, precip DOUBLE, pressure DOUBLE, visib DOUBLE,
        UNIQUE (origin, hour_utc)
    );
    INSERT INTO dim_hour
    SELECT row_number() OVER (ORDER BY origin, time_hour), origin, time_hour AT TIME ZONE 'UTC',
           time_hour AT TIME ZONE 'America/New_York', weather.origin IS NOT NULL,
           temp, dewp, humid, wind_dir, wind_speed, wind_gust, precip, pressure, visib
    FROM (SELECT origin, time_hour FROM src_weather
          UNION
          SELECT origin, time_hour FROM src_silver) AS every
    LEFT JOIN src_weather AS weather USING (origin, time_hour);
""")

# %% [markdown]
# ## Facts
# The joins on the dimensions are left joins: a flight that finds no match must show up in the checks
# below, not vanish. The fact table has no foreign keys. They would slow the load and enlarge the
# file, and the checks prove the same for all rows at once.

# %%
_ = db.execute("""
    CREATE TABLE fact_flights AS
    SELECT row_number() OVER (ORDER BY date, sched_dep_minute, s.origin, carrier, flight)::INTEGER AS flight_key,
           date, s.carrier, flight, s.origin, dest, p.plane_key, h.hour_key, distance,
           sched_dep_minute, sched_arr_minute, dep_minute, arr_minute, dep_delay, arr_delay, air_time,
           cancelled, diverted
    FROM src_silver AS s
    LEFT JOIN dim_plane AS p ON p.tailnum IS NOT DISTINCT FROM s.tailnum
    LEFT JOIN dim_hour AS h ON h.origin = s.origin AND h.hour_utc = s.time_hour AT TIME ZONE 'UTC'
    ORDER BY flight_key;
""")

# %% [markdown]
# ## Verification
# First the counts: what went in came out, and no join has made two rows of one.

# %%
rows = one("SELECT count(*) FROM fact_flights")
expected = one("SELECT count(*) FROM src_silver")
assert rows == expected, f"{expected:,} flights went in, {rows:,} are in the warehouse"

for dimension, source in (("dim_airport", "src_airports"), ("dim_airline", "src_airlines")):
    loaded = one(f"SELECT count(*) FROM {dimension}")  # noqa: S608 - names from the line above
    given = one(f"SELECT count(*) FROM {source}")  # noqa: S608 - names from the line above
    assert loaded == given, f"{dimension} has {loaded:,} rows, its source {given:,}"

kept = one("SELECT sum(arr_delay) FROM fact_flights")
given = one("SELECT sum(arr_delay) FROM src_silver")
assert kept == given, f"the minutes of delay add up to {kept:,}, and to {given:,} in the source"

# %% [markdown]
# Then referential integrity: each reference of each fact leads to a row of its dimension.

# %%
REFERENCES = {
    "origin": ("dim_airport", "faa"),
    "dest": ("dim_airport", "faa"),
    "carrier": ("dim_airline", "carrier"),
    "plane_key": ("dim_plane", "plane_key"),
    "hour_key": ("dim_hour", "hour_key"),
}

orphans = {
    column: one(f"SELECT count(*) FROM fact_flights AS f ANTI JOIN {table} AS d ON f.{column} = d.{key}")  # noqa: S608 - ditto
    for column, (table, key) in REFERENCES.items()
}
# NULL equals nothing, so a missing reference counts as an orphan too.
assert not any(orphans.values()), f"facts without a row in the dimension: {orphans}"
print("orphans:", orphans)

# %%
sizes = {
    table: one(f"SELECT count(*) FROM {table}")  # noqa: S608 - names from the line below
    for table in ("fact_flights", "dim_airport", "dim_airline", "dim_plane", "dim_hour")
}
unknown_planes = one("SELECT count(*) FROM dim_plane WHERE NOT known")
unobserved_hours = one("SELECT count(*) FROM dim_hour WHERE NOT observed")
for table, size in sizes.items():
    print(f"{table:<14}{size:>9,} rows")

# %% [markdown]
# ## Closing
# The views on the files of this run have no place in the warehouse. Closing writes everything to
# the one file.

# %%
for name in ("silver", "weather", "airports", "airlines", "planes"):
    db.execute(f"DROP VIEW src_{name}")
db.close()
print(f"{warehouse}: {Path(warehouse).stat().st_size / 1e6:.1f} MB")

# %% [markdown]
# ## Figures

# %%
import scrapbook as sb  # slow to import, so it comes last

sb.glue("rows", rows)
sb.glue("planes", sizes["dim_plane"])
sb.glue("unknown_planes", unknown_planes)
sb.glue("unobserved_hours", unobserved_hours)
sb.glue("orphans", sum(orphans.values()))
