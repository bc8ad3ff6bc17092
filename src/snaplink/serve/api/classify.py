"""Pictures and labels to the label that fits each picture best."""

from __future__ import annotations

import asyncio
import json
from typing import Literal

import torch
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from snaplink.prompts import DEFAULT_TEMPLATES, check_labels, check_templates
from snaplink.serve import multipart
from snaplink.serve.answers import problems
from snaplink.serve.bodies import content_type, json_of
from snaplink.serve.connection import while_connected
from snaplink.serve.errors import ApiError
from snaplink.serve.inference import Inference
from snaplink.serve.inputs import (
    DOT,
    Input,
    check_count,
    check_length,
    check_text,
    contents_of,
    from_picture,
)
from snaplink.serve.refusals import wrong_form
from snaplink.serve.served import check_model, ready_inference
from snaplink.serve.settings import Settings
from snaplink.serve.uploads import check_picture
from snaplink.zero_shot import probabilities

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["classify"])

_PLACES = 4
"""Of a template. Thousands of them, and long labels, would make gigabytes of prompts."""


class ClassifyRequest(BaseModel):
    """Pictures, and the labels to choose from."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"pictures": [DOT], "labels": ["a cat", "a dog"]}]},
    )

    pictures: list[str] = Field(min_length=1, description="Data URLs, or base64 alone.")
    labels: list[str] = Field(min_length=2, description="At least two, all different.")
    templates: list[str] | None = Field(
        None, description="Sentences with {} where a label goes; of several, the mean is used."
    )
    top: int | None = Field(None, ge=1, description="Only so many labels a picture, the best.")
    model: str | None = Field(None, description="The model's name; it may be left out.")


class LabelScore(BaseModel):
    """A label's probability, among the labels given."""

    label: str
    score: float


class Classified(BaseModel):
    """One picture's labels, the best first."""

    index: int
    name: str | None = Field(description="The file's name, in a form that named one.")
    scores: list[LabelScore]


class Classifications(BaseModel):
    """One for each picture, in their order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "list",
                    "model": "tiny",
                    "data": [
                        {
                            "index": 0,
                            "name": "cat.png",
                            "scores": [
                                {"label": "a cat", "score": 0.9},
                                {"label": "a dog", "score": 0.1},
                            ],
                        }
                    ],
                }
            ]
        }
    )

    object: Literal["list"] = "list"
    model: str
    data: list[Classified]


_FORM = {
    "type": "object",
    "required": ["pictures", "labels"],
    "properties": {
        "pictures": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "labels": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        "templates": {"type": "array", "items": {"type": "string"}},
        "top": {"type": "integer", "minimum": 1},
        "model": {"type": "string"},
    },
}

_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": ClassifyRequest.model_json_schema()},
        "multipart/form-data": {
            "schema": _FORM,
            "example": {"pictures": ["(a file)"], "labels": ["a cat", "a dog"], "top": 1},
        },
    },
}


@router.post(
    "/classify",
    response_model=Classifications,
    responses=problems(401, 404, 408, 413, 415, 422, 429, 503, 504),
    openapi_extra={"requestBody": _BODY},
    summary="Say which label fits each picture best",
)
async def classify(request: Request) -> Response:
    inference = ready_inference(request)
    settings: Settings = request.app.state.settings
    asked, pictures, names = await _read(request, settings)
    model = check_model(asked.model, inference)
    labels, templates = _labels(asked, settings), _templates(asked, settings)
    scores = await while_connected(
        request, _scores(inference, pictures, labels, templates, settings)
    )
    body = await asyncio.to_thread(_written, scores, labels, names, model, asked.top)
    return Response(body, media_type="application/json")


async def _read(
    request: Request, settings: Settings
) -> tuple[ClassifyRequest, list[Input], list[str | None]]:
    """What is asked for, the pictures, and the names of their files."""
    kind = content_type(request)
    if kind == "multipart/form-data":
        header, body = request.headers["content-type"], await request.body()
        return _from_form(multipart.fields(header, body, _most(settings)), settings)
    if kind != "application/json":
        came = f"it says {kind[:100]!r}" if kind else "it says nothing"
        raise ApiError(
            415,
            "the header Content-Type is to be application/json or multipart/form-data: " + came,
        )
    try:
        asked = ClassifyRequest.model_validate(json_of(await request.body()))
    except ValidationError as error:
        raise wrong_form(error) from None
    check_count(len(asked.pictures), settings, "pictures")
    pictures: list[Input] = [
        from_picture(picture, f"pictures[{number}]", settings)
        for number, picture in enumerate(asked.pictures)
    ]
    return asked, pictures, [None] * len(pictures)


def _most(settings: Settings) -> int:
    return settings.max_inputs + settings.max_labels + settings.max_templates + 1


def _from_form(
    fields: list[multipart.Field], settings: Settings
) -> tuple[ClassifyRequest, list[Input], list[str | None]]:
    pictures: list[Input] = []
    names: list[str | None] = []
    texts: dict[str, list[str]] = {"labels": [], "templates": []}
    single: dict[str, str | int] = {}
    for field in fields:
        if field.name == "pictures":
            name = f"pictures[{len(pictures)}]"
            pictures.append(check_picture(field.content, name, settings.max_picture))
            names.append(field.filename)
        elif field.name in texts:
            texts[field.name].append(field.text)
        elif field.name in ("model", "top") and field.name not in single:
            single[field.name] = _number(field.text) if field.name == "top" else field.text
        else:
            raise ApiError(
                422,
                f"the form has a field {field.name[:100]!r}: known are pictures, labels, "
                "templates, and once top and model",
                field.name[:100],
            )
    check_count(len(pictures), settings, "pictures")
    try:
        asked = ClassifyRequest.model_validate(
            {
                "pictures": [""] * len(pictures),  # they are files, not texts
                "labels": texts["labels"],
                "templates": texts["templates"] or None,
                **single,
            }
        )
    except ValidationError as error:
        raise wrong_form(error) from None
    return asked, pictures, names


def _number(text: str) -> str | int:
    """What a form says as text; what is no number is refused with the other fields."""
    return int(text) if text.isdecimal() and len(text) < 10 else text


def _labels(asked: ClassifyRequest, settings: Settings) -> list[str]:
    _check_texts(asked.labels, "labels", settings.max_labels, settings)
    return list(check_labels(asked.labels))


def _templates(asked: ClassifyRequest, settings: Settings) -> list[str]:
    if asked.templates is None:
        return list(DEFAULT_TEMPLATES)
    _check_texts(asked.templates, "templates", settings.max_templates, settings)
    for number, template in enumerate(asked.templates):
        if template.count("{") > _PLACES:
            name = f"templates[{number}]"
            message = f"{name} has more than {_PLACES} places for the label: one is enough"
            raise ApiError(400, message, name)
    return list(check_templates(asked.templates))


def _check_texts(texts: list[str], name: str, most: int, settings: Settings) -> None:
    if len(texts) > most:
        raise ApiError(413, f"{len(texts):,} {name}, and {most:,} are accepted", name)
    length = 0
    for number, text in enumerate(texts):
        length += len(text)
        check_length(length, name)
        check_text(text, f"{name}[{number}]", settings)


async def _scores(
    inference: Inference,
    pictures: list[Input],
    labels: list[str],
    templates: list[str],
    settings: Settings,
) -> Tensor:
    """The probabilities, ``[pictures, labels]``."""
    names = [f"pictures[{number}]" for number in range(len(pictures))]
    contents = await contents_of(pictures, names, settings)
    weights, features = await asyncio.gather(
        inference.label_weights(labels, templates), inference.pictures(contents, names=names)
    )
    return probabilities(
        torch.from_numpy(features), torch.from_numpy(weights), inference.logit_scale
    )


def _written(
    scores: Tensor, labels: list[str], names: list[str | None], model: str, top: int | None
) -> bytes:
    """The answer's JSON. By hand: many labels of many pictures take a JSON library seconds."""
    starts = [f'{{"label":{json.dumps(label)},"score":' for label in labels]
    best = scores.sort(dim=-1, descending=True, stable=True)
    rows = zip(best.values[:, :top].tolist(), best.indices[:, :top].tolist(), strict=True)
    data = ",".join(
        f'{{"index":{number},"name":{json.dumps(name)},"scores":['
        + ",".join(f"{starts[each]}{value:.9g}}}" for value, each in zip(*row, strict=True))
        + "]}"
        for number, (name, row) in enumerate(zip(names, rows, strict=True))
    )
    return f'{{"object":"list","model":{json.dumps(model)},"data":[{data}]}}'.encode()
