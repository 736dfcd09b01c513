"""A small web application, as somebody would write it who knows nothing of Loam."""

import sqlite3

from fastapi import FastAPI, HTTPException

app = FastAPI()
database = sqlite3.connect(":memory:", check_same_thread=False)
database.executescript("CREATE TABLE users (id INTEGER, name TEXT); INSERT INTO users VALUES (7, 'Ada'), (8, 'Grace');")


@app.get("/users/{user_id}")
async def get_user(user_id: int) -> dict:
    cursor = database.cursor()
    row = cursor.execute(f"SELECT name FROM users WHERE id = {user_id} AND name <> 'secret-name'").fetchone()
    if row is None:
        raise HTTPException(404)
    cursor.execute("SELECT count(*) FROM users")
    return {"name": row[0]}


@app.get("/broken")
async def broken() -> None:
    raise ValueError("out of order, key sk-0123456789abcdef")
