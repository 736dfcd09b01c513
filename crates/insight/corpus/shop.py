"""A shop with planted problems, each with a fixed version: real queries, real requests, real time.

    python shop.py

regenerates `shop.jsonl`.
"""

import asyncio
import functools
import http.server
import sqlite3
import sys
import threading
import time
import urllib.request

import tracer

PATH = __file__
DATABASE = sqlite3.connect(":memory:", check_same_thread=False)
CACHE, KEPT = {}, []
T = None  # the current trace


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        words = self.path.strip("/").split("/")
        if words[0] == "late":
            time.sleep(float(words[1]))
        self.send_response(200)
        self.end_headers()
        if words[0] == "drip":
            for _ in range(6):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(float(words[1]) / 6)
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def _serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def _fill():
    DATABASE.executescript(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE settings (name TEXT, value TEXT);"
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, total REAL);"
        "CREATE TABLE sums (day TEXT, total REAL); INSERT INTO sums VALUES ('today', 1.0);"
    )
    DATABASE.executemany("INSERT INTO customers VALUES (?, ?)", [(n, f"customer {n}") for n in range(3000)])
    DATABASE.executemany("INSERT INTO orders VALUES (?, ?, ?)", [(n, n % 3000, n * 1.5) for n in range(3000)])


def _query(statement, *values):
    with T.call("execute", "database", "sqlite3", system="sqlite", statement=statement):
        return DATABASE.execute(statement, values).fetchall()


def _get(address):
    public = address.replace(BASE, "https://partner.example")
    with T.call("urlopen", "external_api", "urllib", operation="GET", statement=public, target="partner.example") as detail:
        begun = time.perf_counter_ns()
        with urllib.request.urlopen(address) as answer:
            answer.read(1)
            detail["first_byte_ns"] = time.perf_counter_ns() - begun
            answer.read()


def _cached(key):
    with T.call("get", "cache", "redis", system="redis", operation="get", statement=key.split(":")[0] + ":?") as detail:
        detail["attributes"] = {"arguments": key}
        detail["hit"] = key in CACHE
        return CACHE.get(key)


# one query per row


def customer_of(order):
    return _query("SELECT name FROM customers WHERE id = ?", order[1])


def list_orders():
    return [(order, customer_of(order)) for order in _query("SELECT * FROM orders LIMIT ?", 40)]


def list_orders_fixed():
    return _query("SELECT * FROM orders JOIN customers ON customers.id = customer_id LIMIT ?", 40)


# a repeated query


def setting(name):
    return _query("SELECT value FROM settings WHERE name = ?", name)


def render_prices():
    for _ in range(25):
        setting("currency")


def render_prices_fixed():
    return [setting("currency")] * 25


# a slow query


def report():
    return _query("SELECT count(*) FROM orders a JOIN orders b ON a.total + b.total = ?", 1.25)


def report_fixed():
    return _query("SELECT total FROM sums WHERE day = ?", "today")


# a hot function


def match_names(wanted, names):
    return [name for name in wanted if name in names]


def import_names():
    return match_names([f"w{n}" for n in range(7000)], [f"n{n}" for n in range(2500)])


def match_names_fixed(wanted, names):
    names = set(names)
    return [name for name in wanted if name in names]


def import_names_fixed():
    return match_names_fixed([f"w{n}" for n in range(7000)], [f"n{n}" for n in range(2500)])


# a cache with misses only


def product(number):
    found = _cached(f"product:{number}")
    return found or _query("SELECT name FROM customers WHERE id = ?", number)


def show_products():
    return [product(number) for number in range(20)]


def show_products_fixed():
    return [product(number) for number in range(20)]


# sequential waits


def _traced(function):
    @functools.wraps(function)
    async def inner(*args):
        code = function.__code__
        with T.call(function.__name__, module="shop", path="/srv/shop.py", line=code.co_firstlineno):
            return await function(*args)

    return inner


async def _ask(address):
    public = address.replace(BASE, "https://partner.example")
    with T.call("request", "external_api", "aiohttp", operation="GET", statement=public):
        await asyncio.to_thread(lambda: urllib.request.urlopen(address).read())


@_traced
async def profile():
    await _ask(f"{BASE}/late/0.07/profile")


@_traced
async def basket():
    await _ask(f"{BASE}/late/0.08/basket")


@_traced
async def offers():
    await _ask(f"{BASE}/late/0.09/offers")


@_traced
async def home():
    await profile()
    await basket()
    await offers()


@_traced
async def home_fixed():
    await asyncio.gather(profile(), basket(), offers())


# retained memory


def remember(rows):
    KEPT.append([bytes(rows) for _ in range(400)])


def export():
    remember(100_000)


def export_fixed():
    return len([bytes(100_000) for _ in range(400)])


# a recursion


def descend(depth):
    return 0 if depth == 0 else 1 + descend(depth - 1)


def measure_depth():
    return descend(130)


def measure_depth_fixed():
    depth = 0
    while depth < 130:
        depth += 1
    return depth


# exceptions that are swallowed


def parse(text):
    try:
        return int(text)
    except ValueError as error:
        raise tracer.raised(error) from None


def read_rows():
    total = 0
    for text in ["x"] * 60:
        try:
            total += parse(text)
        except ValueError:
            continue
    return total


def read_rows_fixed():
    return sum(parse(text) for text in ["1"] * 60)


# repeated calls


def convert(amounts):
    for _ in amounts:
        _get(f"{BASE}/late/0.02/rates")


def convert_fixed(amounts):
    _get(f"{BASE}/late/0.02/rates")
    return len(amounts)


def _rate(currency):
    with T.call("rate", module="shop", path="/srv/shop.py", attributes={"arguments": currency}):
        time.sleep(0.012)


def total_of():
    for _ in range(9):
        _rate("EUR")


def total_of_fixed():
    _rate("EUR")


# slow servers


def ask_partner():
    _get(f"{BASE}/late/0.7/stock")


def ask_partner_fixed():
    _get(f"{BASE}/late/0.01/stock")


def download():
    _get(f"{BASE}/drip/0.7/catalogue")


def download_fixed():
    _get(f"{BASE}/drip/0.06/catalogue")


def _run(name, program, memory=False):
    def serve(trace):
        global T
        T = trace
        program()

    return tracer.run(serve, f"GET /{name}", PATH, memory)


def main():
    _fill()
    plain = [
        ("n_plus_one", "n_plus_one", list_orders, list_orders_fixed, "list_orders"),
        ("repeated_query", "repeated_query", render_prices, render_prices_fixed, "render_prices"),
        ("slow_query", "slow_query", report, report_fixed, "report"),
        ("hot_function", "hot_function", import_names, import_names_fixed, "match_names"),
        ("recursion", "deep_recursion", measure_depth, measure_depth_fixed, "descend"),
        ("exceptions", "swallowed_exceptions", read_rows, read_rows_fixed, "read_rows"),
        ("same_request", "repeated_call", lambda: convert(range(7)), lambda: convert_fixed(range(7)), "convert"),
        ("same_arguments", "repeated_call", total_of, total_of_fixed, "total_of"),
        ("first_byte", "slow_first_byte", ask_partner, ask_partner_fixed, "ask_partner"),
        ("download", "external_time", download, download_fixed, "download"),
        ("waits", "sequential_awaits", lambda: asyncio.run(home()), lambda: asyncio.run(home_fixed()), "home"),
    ]
    traces = []
    for name, rule, program, fixed, function in plain:
        traces.append((name, [[rule, f"shop.{function}"]], _run(name, program)))
        traces.append((f"{name}, fixed", [], _run(name, fixed)))
    traces.append(("cache", [["cache_misses", "shop.show_products"]], _run("cache", show_products)))
    CACHE.update({f"product:{number}": "x" for number in range(20)})
    traces.append(("cache, fixed", [], _run("cache", show_products_fixed)))
    traces.append(("leak", [["memory_growth", "shop.remember"]], _run("leak", export, memory=True)))
    traces.append(("leak, fixed", [], _run("leak", export_fixed, memory=True)))
    tracer.write("shop", traces)


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)
    BASE = _serve()
    main()
