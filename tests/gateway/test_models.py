"""Lists of models and single models in OpenAI's and Anthropic's format, and paths without `/v1`, with the stock clients."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest

from services import Faulty
from support.api import Api, assert_error
from support.deployment import Deployment, deploy
from support.gateway import add_faulty, add_route, the_call, to, unique

pytestmark = pytest.mark.one_database


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """On SQLite only: none of this depends on the database."""
    with deploy("sqlite") as made:
        yield made


@pytest.fixture
def api(deployment: Deployment) -> Api:
    """A tenant of the test's own."""
    return deployment.tenant(unique("models"))


@pytest.fixture
def named(api: Api, three: list[Faulty]) -> tuple[str, str]:
    """A provider with the models `m`, `n` and `meta/llama`, and a route."""
    name = add_faulty(api, three[0], models=["m", "n", "meta/llama"])
    return name, add_route(api, to(name))


@pytest.fixture(params=["/v1", ""], ids=["prefix", "no-prefix"])
def client(request: pytest.FixtureRequest, deployment: Deployment, api: Api) -> Iterator[openai.OpenAI]:
    """OpenAI's client, with and without the prefix."""
    with openai.OpenAI(base_url=deployment.loam.url + request.param, api_key=api.key, max_retries=0) as made:
        yield made


@pytest.fixture
def claude(deployment: Deployment, api: Api) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=f"{deployment.loam.url}/anthropic", api_key=api.key, max_retries=0) as made:
        yield made


def test_each_listed_model_is_found_by_its_id(client, named):
    provider, route = named
    listed = {each.id: each for each in client.models.list()}
    assert set(listed) == {route, f"{provider}/m", f"{provider}/n", f"{provider}/meta/llama"}
    for model_id, model in listed.items():
        assert client.models.retrieve(model_id) == model
    assert listed[route].owned_by == "route"
    assert listed[f"{provider}/m"].owned_by == provider


@pytest.mark.parametrize("prefix", ["/v1", "", "/anthropic/v1"])
def test_an_id_may_have_slashes_as_they_are_or_encoded(api, named, prefix):
    provider, _ = named
    for path in (f"{provider}/meta/llama", f"{provider}%2Fmeta%2Fllama", f"{provider}/meta%2Fllama"):
        assert api.get(f"{prefix}/models/{path}")["id"] == f"{provider}/meta/llama"
    for path in (f"{provider}/nothing", "nobody/m", "nothing", f"{provider}%2F"):
        assert_error(api.call("GET", f"{prefix}/models/{path}"), 404)


def test_the_models_of_another_tenant_are_not_found(deployment, named):
    provider, route = named
    other = deployment.tenant(unique("others"))
    for model in (f"{provider}/m", route):
        assert_error(other.call("GET", f"/v1/models/{model}"), 404, "model_not_found")
        assert_error(other.call("GET", f"/anthropic/v1/models/{model}"), 404)
    assert other.get("/anthropic/v1/models") == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def test_a_provider_lists_its_models_itself(api, three):
    name = add_faulty(api, three[0], models=[])
    assert api.get(f"/v1/models/{name}/m")["id"] == f"{name}/m"
    assert_error(api.call("GET", f"/v1/models/{name}/x"), 404, "model_not_found")
    # Any name is forwarded to a provider that doesn't tell.
    three[1].feel(status=500)
    silent = add_faulty(api, three[1], models=[])
    assert api.get(f"/v1/models/{silent}/x")["owned_by"] == silent


def test_anthropics_client_lists_models_page_by_page(claude, named):
    provider, route = named
    ids = [each.id for each in claude.models.list(limit=2)]
    assert ids == [route, f"{provider}/m", f"{provider}/n", f"{provider}/meta/llama"]
    first = claude.models.list(limit=2)
    assert (first.first_id, first.last_id, first.has_more) == (ids[0], ids[1], True)
    before = claude.models.list(limit=1, before_id=ids[2])
    assert ([each.id for each in before.data], before.has_more) == ([ids[1]], True)
    model = claude.models.retrieve(f"{provider}/m")
    assert (model.type, model.id, model.display_name, model.created_at.year) == ("model", ids[1], ids[1], 1970)
    for wrong in ({"limit": 0}, {"limit": 1001}, {"after_id": "nobody/m"}, {"before_id": ids[0], "after_id": ids[1]}):
        with pytest.raises(anthropic.BadRequestError):
            claude.models.list(**wrong)
    with pytest.raises(anthropic.NotFoundError):
        claude.models.retrieve("nobody/m")


def test_the_prefix_is_optional(client, api, named, three):
    provider, _ = named
    says = [{"role": "user", "content": "hello"}]
    raw = client.chat.completions.with_raw_response.create(model=f"{provider}/m", messages=says)
    assert raw.parse().choices[0].message.content
    call = the_call(api, raw)
    assert (call["endpoint"], call["state"]) == ("/chat/completions", "settled")
    stream = client.chat.completions.create(model=f"{provider}/m", messages=says, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="nobody/m", input="hello")
    with pytest.raises(openai.NotFoundError):
        client.post("/chat/nothing", body={}, cast_to=object)
    # Errors are OpenAI's, and a missing credential is one.
    assert_error(api.with_key(None).call("POST", "/chat/completions", json={}), 401, "missing_credential")
