"""Versions: every save is one, none is overwritten, any can be compared and restored."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.api import assert_error, eventually

from .conftest import MARKDOWN, SPEC

CHANGES = {
    "requirements": {"raw_text": "Customers cancel any order."},
    "prd_docs": {"markdown_content": "# Orders\n\nAny order can be cancelled.\n"},
    "tech_designs": {"plantuml_code": "@startuml\nactor customer\n@enduml\n"},
    "api_specs": {"openapi_spec": SPEC | {"info": {"title": "Shop", "version": "2"}}},
}


@pytest.mark.parametrize("collection", CHANGES)
def test_every_save_is_a_version_that_can_be_restored(delivered, collection):
    one = delivered.chain()[collection]
    path = f"/api/v1/{collection}/{one['id']}"
    (field,) = CHANGES[collection]
    two = delivered.save(collection, one, message="any order", **CHANGES[collection])
    assert (two["version"], two[field]) == (2, CHANGES[collection][field])
    three = delivered.api.call("POST", f"{path}/versions/1/restore", 200, json={"base_version": 2}).json()
    assert (three["version"], three[field]) == (3, one[field])
    versions = delivered.api.all(f"{collection}/{one['id']}/versions", limit=2)
    assert [(version["number"], version["parent"]) for version in versions] == [(3, 2), (2, 1), (1, None)]
    assert [version["message"] for version in versions] == ["restore version 1", "any order", None]
    assert all(version["author"].startswith("api_key:") for version in versions)
    assert not any("content" in version for version in versions)
    content = delivered.api.get(f"{path}/versions/2")["content"]
    assert content[field] == two[field]
    compared = delivered.api.get(f"{path}/compare", **{"from": 1, "to": 2})
    assert [change["path"].split("/")[1] for change in compared["changes"]] == [field]
    assert delivered.api.get(f"{path}/compare", **{"from": 1, "to": 3})["changes"] == []


def test_a_save_that_changes_nothing_is_no_version(delivered):
    one = delivered.chain()["prd_docs"]
    same = delivered.save("prd_docs", one, markdown_content=MARKDOWN)
    assert same == one


@pytest.mark.parametrize("collection", CHANGES)
def test_a_change_of_an_outdated_version_is_refused_with_both_versions(delivered, collection):
    one = delivered.chain()[collection]
    path = f"/api/v1/{collection}/{one['id']}"
    two = delivered.save(collection, one, **CHANGES[collection])
    for request in [
        lambda: delivered.api.call("PATCH", path, json={"base_version": 1, "title": "mine"}),
        lambda: delivered.api.call("POST", f"{path}/versions/1/restore", json={"base_version": 1}),
        lambda: delivered.api.call("POST", f"{path}/transition", json={"base_version": 1, "status": "in_review"}),
    ]:
        error = assert_error(request(), 409, "version_conflict", "base_version")
        assert "version 1" in error["message"], error
        assert "version is 2" in error["message"], error
    assert_error(delivered.api.call("PATCH", path, json=CHANGES[collection]), 400, None, "base_version")
    assert delivered.api.get(path) == two


def test_of_simultaneous_saves_one_succeeds_and_no_byte_is_lost(delivered):
    one = delivered.chain()["prd_docs"]
    path = f"/api/v1/prd_docs/{one['id']}"

    def write(writer: int) -> int:
        """Adds a line, as often as it takes."""
        refused = 0
        while True:
            current = delivered.api.get(path)
            text = f"{current['markdown_content']}line of {writer}\n"
            change = {"base_version": current["version"], "markdown_content": text}
            answer = delivered.api.call("PATCH", path, json=change)
            if answer.status_code == 200:
                return refused
            assert_error(answer, 409, "version_conflict")
            refused += 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(12)))
    last = delivered.api.get(path)
    assert last["version"] == 13
    assert sorted(last["markdown_content"].removeprefix(MARKDOWN).splitlines()) == sorted(f"line of {n}" for n in range(12))
    texts = [delivered.api.get(f"{path}/versions/{number}")["content"]["markdown_content"] for number in range(1, 14)]
    assert all(after.startswith(before) for before, after in itertools.pairwise(texts))


def test_a_comparison_names_fields_and_lines(delivered):
    made = delivered.chain()
    prd = delivered.save("prd_docs", made["prd_docs"], markdown_content="# Orders\n\nAny order.\n", title=None)
    compared = delivered.api.get(f"/api/v1/prd_docs/{prd['id']}/compare", **{"from": 1, "to": 2})
    title, text = compared["changes"]
    assert title == {"op": "replace", "path": "/title", "from": "Orders", "to": None, "diff": None}
    assert text["diff"] == "@@ -1,3 +1,3 @@\n # Orders\n \n-An open order can be cancelled.\n+Any order.\n"
    spec = SPEC | {"paths": {"/orders/{id}": {"get": {}}}}
    spec = delivered.save("api_specs", made["api_specs"], openapi_spec=spec)
    compared = delivered.api.get(f"/api/v1/api_specs/{spec['id']}/compare", **{"from": 1, "to": 2})
    assert [(change["op"], change["path"]) for change in compared["changes"]] == [
        ("remove", "/openapi_spec/paths/~1orders"),
        ("add", "/openapi_spec/paths/~1orders~1{id}"),
    ]
    path = f"/api/v1/api_specs/{spec['id']}"
    assert_error(delivered.api.call("GET", f"{path}/compare", params={"from": 1, "to": 9}), 404, "not_found")
    assert_error(delivered.api.call("GET", f"{path}/versions/9"), 404, "not_found")
    assert_error(delivered.api.call("GET", f"{path}/versions/first"), 400, "invalid_value", "number")
    assert_error(delivered.api.call("GET", f"{path}/compare"), 400, "invalid_query", "from")


def test_a_document_with_many_versions_opens_as_fast_as_a_new_one(delivered):
    made = delivered.chain()
    new, old = delivered.prd(made["requirements"]["id"]), made["prd_docs"]
    long = "a sentence of a requirement. " * 2000
    for number in range(1, 301):
        old = delivered.save("prd_docs", old, markdown_content=f"{number}\n{long}")
    new = delivered.save("prd_docs", new, markdown_content=f"300\n{long}")

    def seconds(path: str) -> float:
        times = []
        for _ in range(15):
            begin = time.perf_counter()
            delivered.api.get(path)
            times.append(time.perf_counter() - begin)
        return min(times)

    def is_flat() -> bool:
        paths = ["/api/v1/prd_docs/{}", "/api/v1/prd_docs/{}/versions?limit=2"]
        return all(seconds(path.format(old["id"])) < 3 * seconds(path.format(new["id"])) for path in paths)

    eventually(is_flat, 30)
    page = delivered.api.call("GET", f"/api/v1/prd_docs/{old['id']}/versions?limit=200", 200)
    assert len(page.json()["data"]) == 200
    assert len(page.content) < 100_000, "a list of versions has no content"
