"""Answers are as the OpenAPI document says, whatever is sent: schemathesis makes it up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)

from snaplink.fake_encoder import FakeEncoder
from snaplink.serve.app import create_app
from snaplink.serve.settings import Settings

EXAMPLES = 30
"""Of each operation, valid ones and invalid ones, beside those that try each parameter's edges."""

MEANING = {"/v1/embeddings", "/v1/classify", "/v1/search"}
"""What these are sent may have the right form and mean nothing: base64 that is no picture, say."""

PATIENT: Any = {"timeout": 60, "trust_env": False}
"""A machine that has much else to do is no mistake of the server."""

DOCUMENT = create_app(Settings()).openapi()
OPERATIONS = [
    pytest.param(path, method, operation, id=f"{method.upper()} {path}")
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]

IN_EXAMPLES = DOCUMENT["components"]["schemas"]["SearchAnswer"]["examples"][0]["store"]["snapshot"]

_generation = GenerationConfig(max_examples=EXAMPLES, deterministic=True, no_shrink=True)
_accepted = PositiveDataAcceptanceConfig(expected_statuses=["2xx", "304", "404", "410"])
_project = ProjectConfig(
    generation=_generation, checks=ChecksConfig(positive_data_acceptance=_accepted)
)
api = schemathesis.openapi.from_dict(
    DOCUMENT, config=SchemathesisConfig(seed=0, projects=ProjectsConfig(default=_project))
)


@pytest.fixture(scope="module")
def url(serving) -> Iterator[str]:
    with serving(FakeEncoder()) as address:
        yield address


@pytest.fixture(scope="module")
def snapshot(url: str) -> str:
    """Of the store that is served: that of the document's examples is of none."""
    return str(httpx.get(f"{url}v1/store", **PATIENT).json()["snapshot"])


@api.parametrize()
def test_answers_are_as_the_document_says(case: schemathesis.Case, url: str, snapshot: str):
    for part in ("body", "query", "path_parameters"):
        given = getattr(case, part)
        if isinstance(given, dict):
            setattr(case, part, json.loads(json.dumps(given).replace(IN_EXAMPLES, snapshot)))
    unchecked = [positive_data_acceptance] if case.path in MEANING else []
    if case.method == "GET":  # in an address everything is a text: 5 is one, too
        unchecked.append(negative_data_rejection)
    case.call_and_validate(base_url=url, excluded_checks=unchecked, timeout=60)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_the_examples_of_the_document_are_answered(
    path: str, method: str, operation: dict[str, Any], url: str
):
    for example in examples(operation):
        answer = httpx.request(method, f"{url}{path.lstrip('/')}", json=example, **PATIENT)
        assert answer.status_code == int(min(operation["responses"])), answer.text


def examples(operation: dict[str, Any]) -> list[Any]:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    found: list[Any] = DOCUMENT["components"]["schemas"].get(name, schema).get("examples", [])
    return found


def test_there_are_examples_of_what_takes_a_body():
    having = [parameter.id for parameter in OPERATIONS if examples(parameter.values[2])]
    taking = [parameter.id for parameter in OPERATIONS if "requestBody" in parameter.values[2]]
    assert having == taking != []


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_the_document_says_where_the_token_is_needed(
    path: str, method: str, operation: dict[str, Any], served
):
    address = f"{served.url}{path.lstrip('/').replace('{id}', 'x')}"
    answer = httpx.request(method, address, json={}, **PATIENT)
    needed = operation.get("security", DOCUMENT["security"]) != []
    assert (answer.status_code == 401) == needed, answer.text
    if needed:
        assert answer.json()["error"]["code"] == "invalid_api_key"
