"""What lies outside of the project: a database of orders, and an object store with lists of stock.

`python world.py` fills both with two days and serves the store on this machine alone, until Ctrl-C; `--day 3` adds a
day to what is there.
"""

from __future__ import annotations

import argparse
import logging
import sqlite3
import threading
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

HERE = Path(__file__).resolve().parent
PORT = 5555
# id, when it was changed, product, pieces, price of one. The third day corrects an order of the first one.
ORDERS: dict[int, list[tuple[int, str, str, int, float]]] = {
    1: [
        (1, "2026-03-01 09:12:00", "tea", 3, 4.50),
        (2, "2026-03-01 10:40:00", "cups", 2, 12.00),
        (3, "2026-03-01 17:05:00", "tea", 1, 4.50),
    ],
    2: [(4, "2026-03-02 08:30:00", "pot", 1, 39.00), (5, "2026-03-02 11:00:00", "cups", 0, 12.00)],
    3: [(1, "2026-03-03 09:00:00", "tea", 5, 4.50), (6, "2026-03-03 09:00:00", "pot", 2, 39.00)],
}
STOCK = {
    1: {"tea": 50, "cups": 20, "pot": 6},
    2: {"tea": 46, "cups": 18, "pot": 5},
    3: {"tea": 44, "cups": 18, "pot": 3},
}


def fill(folder: Path, port: int, day: int) -> None:
    """Let a day come: its orders into the database in `folder`, its list into the store."""
    folder.mkdir(exist_ok=True)
    with sqlite3.connect(folder / "shop.db") as database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS orders"
            " (id INTEGER PRIMARY KEY, changed_at TEXT, product TEXT, pieces INTEGER, price REAL)"
        )
        database.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?)", ORDERS[day])
    database.close()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="shop",
        aws_secret_access_key="-",  # noqa: S106 - this store asks for none
    )
    if "shop" not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket="shop")
    lines = [f"2026-03-0{day},{product},{pieces}\n" for product, pieces in STOCK[day].items()]
    text = "day,product,pieces\n" + "".join(lines)
    client.put_object(Bucket="shop", Key=f"stock/2026-03-0{day}.csv", Body=text.encode())


def main() -> None:
    """Serve a world of two days, or let another day come to one that is served."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--day", type=int, choices=sorted(ORDERS), help="let this day come")
    parser.add_argument("--folder", type=Path, default=HERE / "world", help="where the database is")
    asked = parser.parse_args()
    if asked.day is not None:
        fill(asked.folder, asked.port, asked.day)
        return
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=asked.port, verbose=False)
    server.start()
    for day in (1, 2):
        fill(asked.folder, asked.port, day)
    print(f"the store is served at http://127.0.0.1:{asked.port}; Ctrl-C ends it", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
