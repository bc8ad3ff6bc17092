"""What is said of requests that are not as the document says."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from snaplink.serve.refusals import wrong_form


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Part(BaseModel):
    text: str = Field("", max_length=3)


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    labels: list[str] = Field(min_length=2, max_length=4)
    top: int | None = Field(None, ge=1, le=1_000_000_000)
    weight: float = Field(1, ge=-1, le=1.5)
    exact: bool = False
    kind: Literal["image", "text"] = "image"
    size: Size = Size.SMALL
    parts: list[Part] = []
    even: int = Field(0, multiple_of=2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"labels": ["a"]}, "labels: give at least 2, not 1"),
        ({"labels": ["a"] * 5000}, "labels: give at most 4, not 5,000"),
        ({"labels": "a, b"}, "labels: this is to be a list"),
        ({"labels": ["a", 1]}, "labels[1]: this is to be a text"),
        ({"top": "some"}, "top: this is to be a whole number"),
        ({"top": []}, "top: this is to be a whole number"),
        ({"top": 1.5}, "top: this is to be a whole number"),
        ({"top": 0}, "top: this is to be at least 1"),
        ({"top": 10**10}, "top: this is to be at most 1,000,000,000"),
        ({"weight": "some"}, "weight: this is to be a number"),
        ({"weight": []}, "weight: this is to be a number"),
        ({"weight": -2}, "weight: this is to be at least -1"),
        ({"weight": 2}, "weight: this is to be at most 1.5"),
        ({"exact": "perhaps"}, "exact: this is to be true or false"),
        ({"exact": []}, "exact: this is to be true or false"),
        ({"kind": "sound"}, "kind: this is to be 'image' or 'text'"),
        ({"size": "none"}, "size: this is to be 'small' or 'large'"),
        ({"parts": [{}, 1]}, "parts[1]: this is to be an object"),
        ({"parts": [{"text": "long"}]}, "parts[0].text: give at most 3 characters"),
        ({"colour": 1}, "colour: there is no such field; /openapi.json lists all"),
        ({"even": 3}, "even: Input should be a multiple of 2"),
    ],
)
def test_what_is_wrong_is_said_in_our_words(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Asked.model_validate({"labels": ["a", "b"], **given})
    refused = wrong_form(raised.value)
    assert (refused.status, refused.message, refused.param) == (422, said, said.split(":")[0])


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "/v1/search", [], "the body: this is to be an object"),
        ("POST", "/session", {}, "token: this field is needed"),
        ("GET", "/v1/search?top=few", None, "top: this is to be a whole number"),
        ("POST", "/v1/classify", {"labels": ["a", "b"]}, "pictures: this field is needed"),
    ],
)
def test_every_route_says_so(
    client: TestClient, method: str, path: str, body: Any, said: str
) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == said
