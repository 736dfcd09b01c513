"""A portal that was not used when the rules were written: FastAPI, asynchronous, with spans named as by OpenTelemetry's
instrumentations, and layers of libraries between the code and its work.

    python portal.py        # with fastapi and httpx installed

regenerates `portal.jsonl`.
"""

import asyncio
import contextlib
import random
import time

import fastapi
import httpx
import tracer

app, random = fastapi.FastAPI(), random.Random(7)
T = None
LIBRARY = "/usr/lib/python3.12/site-packages"


def library(name, module):
    return T.call(name, module=module, path=f"{LIBRARY}/{module.replace('.', '/')}.py", line=10)


def code(name, module="portal.views"):
    return T.call(name, module=module, path=f"/srv/{module.replace('.', '/')}.py", line=20)


async def orm(statement, seconds=0.004, table="portal"):
    """A query as reported by SQLAlchemy and its driver: twice, under two calls of the library."""
    with library("execute", "sqlalchemy.orm.session"), library("_execute_context", "sqlalchemy.engine.base"):
        verb = statement.split()[0]
        detail = {"system": "postgresql", "statement": statement}
        with T.call(f"{verb} {table}", "database", operation=verb, **detail), T.call("cursor.execute", "database", **detail):
            await asyncio.sleep(seconds)


async def http(method, address, seconds, status=200):
    with library("send", "httpx._client"):
        detail = {"operation": method, "statement": address, "status_code": status}
        with T.call(method, "external_api", **detail):
            await asyncio.sleep(seconds)


async def redis(operation, key, hit=None):
    detail = {} if hit is None else {"hit": hit}
    with T.call(operation, "cache", system="redis", operation=operation, statement=key, **detail):
        await asyncio.sleep(0.0005)


async def model(seconds):
    detail = {"system": "openai", "operation": "chat", "statement": "gpt-4o-mini"}
    with T.call("chat gpt-4o-mini", "model", **detail):
        await asyncio.sleep(seconds)


def spin(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(number * number for number in range(200))


@app.get("/lazy")
async def lazy(fixed: bool = False):
    with code("list_articles"):
        await orm("SELECT id, author_id FROM articles WHERE site = $1 LIMIT 20")
        if fixed:
            await orm("SELECT * FROM authors WHERE id = ANY($1)")
            return
        with library("serialize_response", "fastapi.routing"), library("model_dump", "pydantic.main"):
            for _ in range(18):
                with library("__get__", "sqlalchemy.orm.attributes"), library("_load", "sqlalchemy.orm.strategies"):
                    await orm("SELECT * FROM authors WHERE authors.id = $1")


@app.get("/tags")
async def tags(fixed: bool = False):
    with code("show_tags"):
        await orm("SELECT * FROM posts LIMIT 12")
        for _ in range(1 if fixed else 12):
            with code("load_tags", "portal.services"), code("fetch", "portal.repositories"):
                await orm("SELECT * FROM tags JOIN post_tags USING (tag_id) WHERE post_id = $1")


@app.get("/stock")
async def stock(fixed: bool = False):
    with code("write_stock"):
        for _ in range(1 if fixed else 30):
            await orm("INSERT INTO stock (sku, amount) VALUES ($1, $2)", 0.002)


@app.get("/search")
async def search(fixed: bool = False):
    with code("search_articles"), code("run", "portal.repositories"):
        await orm("SELECT * FROM articles WHERE body ILIKE $1 ORDER BY created_at", 0.01 if fixed else 0.35)


@app.get("/dashboard")
async def dashboard(fixed: bool = False):
    with code("dashboard"):
        asks = [http("GET", f"https://{host}.internal/api", random.uniform(0.05, 0.1)) for host in "abcd"]
        if fixed:
            await asyncio.gather(*asks)
        else:
            for ask in asks:
                await ask
                with code("decode"):
                    pass


@app.get("/summaries")
async def summaries(fixed: bool = False):
    with code("summarise_all"):
        asks = [model(random.uniform(0.1, 0.2)) for _ in range(5)]
        if fixed:
            await asyncio.gather(*asks)
        else:
            for ask in asks:
                await ask


@app.get("/flags")
async def flags(fixed: bool = False):
    with code("check_flags"):
        for number in range(14):
            with code("is_enabled", "portal.flags"):
                await redis("GET", "flag:*", hit=fixed or number == 3)
                if not fixed and number != 3:
                    await orm("SELECT * FROM flags WHERE name = $1")


@app.get("/render")
async def render(fixed: bool = False):
    with code("show_page"):
        await orm("SELECT * FROM pages WHERE id = $1")
        with code("render_markdown", "portal.render"):
            spin(0.02 if fixed else 0.3)


@app.get("/imports")
async def imports(fixed: bool = False):
    with code("import_feed"):
        for _ in range(40):
            with contextlib.suppress(LookupError), code("store_entry", "portal.services"), code("author", "portal.people"):
                if not fixed:
                    raise LookupError("no such author")


@app.get("/thumbnails")
async def thumbnails(fixed: bool = False):
    with code("thumbnails"):
        for number in range(6):
            path = f"https://images.internal/resize/{number}"
            if not fixed:
                await http("GET", path, 0.03)
        if fixed:
            await asyncio.gather(*(http("GET", f"https://images.internal/resize/{number}", 0.03) for number in range(6)))


@app.get("/menu")
async def menu(fixed: bool = False):
    async def walk(depth):
        with code("expand_even" if depth % 2 else "expand_odd", "portal.menu"):
            if depth:
                await walk(depth - 1)

    with code("show_menu"):
        await walk(6 if fixed else 140)


# what looks like a fault, and is none


@app.get("/agent")
async def agent():
    with code("answer"):
        for _ in range(4):
            await model(0.04)
            with T.call("search", "tool"):
                await asyncio.sleep(0.02)


@app.get("/checkout")
async def checkout():
    with code("checkout"):
        await orm("SELECT * FROM carts WHERE id = $1")
        await orm("SELECT * FROM users WHERE id = $1")
        await orm("SELECT * FROM addresses WHERE user_id = $1")
        await http("POST", "https://pay.internal/charges", 0.08)
        await orm("INSERT INTO orders (cart_id) VALUES ($1)")
        await orm("UPDATE carts SET state = $1 WHERE id = $2")


@app.get("/account")
async def account():
    with code("account"):
        for part in ["header", "sidebar", "orders", "messages", "footer", "offers"]:
            with code(f"show_{part}"):
                await orm("SELECT * FROM users WHERE id = $1", 0.002)
                await redis("GET", "session:*", hit=True)


@app.get("/retries")
async def retries():
    with code("price_of"):
        for status in [503, 503, 200]:
            await http("GET", "https://prices.internal/eur", 0.05, status)


@app.get("/tree")
async def tree():
    async def walk(depth):
        with code("comment", "portal.comments"):
            for _ in range(2 if depth else 0):
                await walk(depth - 1)

    with code("show_comments"):
        await orm("SELECT * FROM comments WHERE article_id = $1")
        await walk(6)


@app.get("/pages")
async def pages():
    """Each response contains the address of the next page, so the requests cannot be concurrent."""
    with code("all_pages"):
        for _ in range(6):
            await http("GET", "https://crm.internal/customers", 0.03)


PROBLEMS = {
    "lazy": ("n_plus_one", "views.list_articles"),
    "tags": ("n_plus_one", "views.show_tags"),
    "stock": ("repeated_query", "views.write_stock"),
    "search": ("slow_query", "repositories.run"),
    "dashboard": ("sequential_awaits", "views.dashboard"),
    "summaries": ("sequential_awaits", "views.summarise_all"),
    "flags": ("cache_misses", "views.check_flags"),
    "render": ("hot_function", "render.render_markdown"),
    "imports": ("swallowed_exceptions", "views.import_feed"),
    "thumbnails": ("sequential_awaits", "views.thumbnails"),
    "menu": ("deep_recursion", "menu.expand_odd"),
}
CLEAN = ["agent", "checkout", "account", "retries", "tree", "pages"]


def main():
    def serve(path):
        def program(trace):
            global T
            T = trace

            async def ask():
                transport = httpx.ASGITransport(app=app)
                async with httpx.AsyncClient(transport=transport, base_url="http://portal") as client:
                    (await client.get(path)).raise_for_status()

            asyncio.run(ask())

        return tracer.run(program, f"GET {path.split('?')[0]}")

    traces = []
    for name, (rule, function) in PROBLEMS.items():
        traces.append((name, [[rule, f"portal.{function}"]], serve(f"/{name}")))
        traces.append((f"{name}, fixed", [], serve(f"/{name}?fixed=true")))
    traces.extend((name, [], serve(f"/{name}")) for name in CLEAN)
    tracer.write("portal", traces)


if __name__ == "__main__":
    main()
