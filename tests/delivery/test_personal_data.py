"""Erasure and export of people who wrote documents, or whom documents name."""

from __future__ import annotations

import json

from support.api import eventually

PASSWORD = "a-long-enough-password-1"


def test_an_erased_author_is_named_nowhere_and_the_documents_stay(delivered, name):
    person = f"{name('author')}-of-documents"
    new = {"username": person, "email": f"{person}@example.com", "password": PASSWORD, "roles": ["developer"]}
    user = delivered.api.create("users", new)["id"]
    scopes = ["requirements:read", "requirements:write", "api_specs:read", "api_specs:write"]
    key = delivered.api.create("api_keys", {"name": name(), "scopes": scopes, "user_id": user})["key"]
    author = delivered.api.with_key(key)
    text = f"{person} wants orders to be cancelled; ask {person}@example.com."
    one = author.create("requirements", {"project_id": delivered.project, "raw_text": text, "message": f"for {person}"})
    document = {"openapi": "3.1.0", "info": {"title": "Shop", "version": "1", "contact": {"email": f"{person}@example.com"}}}
    spec = author.create("api_specs", {"project_id": delivered.project, "openapi_spec": document})
    plain = delivered.requirement()
    lines = delivered.api.call("GET", "/api/v1/exports", 200, params={"user_id": user}).text
    assert text in lines
    assert one["id"] in lines

    wanted = {"subject": {"type": "user", "id": user}}
    erasure = delivered.api.call("POST", "/api/v1/erasures", 202, json=wanted).json()["id"]
    eventually(lambda: delivered.api.get(f"/api/v1/erasures/{erasure}")["state"] == "completed", 60)
    path = f"/api/v1/requirements/{one['id']}"
    now = delivered.api.get(path)
    assert now["raw_text"] == "[erased] wants orders to be cancelled; ask [erased]."
    assert now["title"] is None
    version = delivered.api.get(f"{path}/versions/1")
    assert (version["author"], version["message"]) == (None, "for [erased]")
    now = delivered.api.get(f"/api/v1/api_specs/{spec['id']}")
    assert now["openapi_spec"]["info"]["contact"] == {"email": "[erased]"}
    assert person not in json.dumps([delivered.api.get(path), version, now])
    assert delivered.api.get(f"/api/v1/requirements/{plain['id']}") == plain
