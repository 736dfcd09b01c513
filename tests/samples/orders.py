"""A web application in two versions: with a query for each order, and with one for all of them (`ORDERS_JOINED`).

Run as a program, it sends itself some requests.
"""

import os
import sqlite3
import time

from fastapi import FastAPI

app = FastAPI()
database = sqlite3.connect(":memory:", check_same_thread=False)
database.executescript("CREATE TABLE orders (id INTEGER, customer INTEGER); CREATE TABLE customers (id INTEGER, name TEXT);")
database.executemany("INSERT INTO orders VALUES (?, ?)", [(number, number % 7) for number in range(20)])
database.executemany("INSERT INTO customers VALUES (?, ?)", [(number, f"customer {number}") for number in range(7)])


def query(statement: str, *values: int) -> list[tuple]:
    return database.cursor().execute(statement, values).fetchall()


# a database across the network takes its time to answer
database.create_function("round_trip", 0, lambda: time.sleep(0.003) or 1)


def customers_of(orders: list[tuple]) -> list[str]:
    if os.environ.get("ORDERS_JOINED"):
        found = query("SELECT name FROM orders JOIN customers ON customers.id = customer, (SELECT round_trip())")
    else:
        found = [query("SELECT name FROM customers, (SELECT round_trip()) WHERE id = ?", customer)[0] for _, customer in orders]
    return [name for name, *_ in found]


@app.get("/orders")
async def list_orders() -> dict:
    orders = query("SELECT id, customer FROM orders")
    return {"customers": customers_of(orders)}


if __name__ == "__main__":
    from fastapi.testclient import TestClient

    with TestClient(app) as client:
        for _ in range(60):
            client.get("/orders").raise_for_status()
