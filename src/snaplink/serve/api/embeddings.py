"""Texts and pictures to embeddings, in OpenAI's form."""

from __future__ import annotations

import asyncio
import base64
import json
from functools import lru_cache, partial
from typing import Annotated, Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, PlainValidator

import clip
from clip.errors import TextTooLongError
from snaplink.serve.answers import problems
from snaplink.serve.bodies import Route
from snaplink.serve.connection import while_connected
from snaplink.serve.errors import ApiError
from snaplink.serve.inference import Inference
from snaplink.serve.inputs import (
    DOT,
    Input,
    InputForm,
    Message,
    contents_of,
    from_input,
    from_messages,
)
from snaplink.serve.served import check_model, ready_inference

__all__ = ["router"]

Matrix = npt.NDArray[np.float32]

router = APIRouter(prefix="/v1", tags=["embeddings"], route_class=Route)

_AT_ONCE = 16
"""While more vectors are written, other requests are answered."""


class EmbeddingsRequest(BaseModel):
    """What is to be embedded: `input`, or `messages` with a single text or picture."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"input": "a photo of a cat"},
                {"input": ["a cat", DOT], "encoding_format": "base64"},
                {"input": [{"type": "image_url", "image_url": {"url": DOT}}]},
            ]
        },
    )

    input: Annotated[
        Any,
        PlainValidator(lambda value: value, json_schema_input_type=InputForm),
        Field(description="Texts and pictures; a text that is an image's data URL is a picture."),
    ] = None
    messages: list[Message] | None = Field(None, description="In the place of input.")
    model: str | None = Field(None, description="The model's name; it may be left out.")
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="base64 is of float32 values, little-endian."
    )
    dimensions: int | None = Field(None, description="The model's own, or nothing.")
    truncate: bool = Field(False, description="Cut texts that are too long for the model.")
    user: str | None = Field(None, description="Taken, and without effect.")


class Embedding(BaseModel):
    """A vector of length 1."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens of the texts, start and end included; pictures have none."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(BaseModel):
    """Embeddings in the order of the inputs."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "list",
                    "data": [{"object": "embedding", "index": 0, "embedding": [0.6, -0.8]}],
                    "model": "tiny",
                    "usage": {"prompt_tokens": 7, "total_tokens": 7},
                }
            ]
        }
    )

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


@router.post(
    "/embeddings",
    response_model=Embeddings,
    responses=problems(400, 401, 404, 408, 413, 415, 422, 429, 503, 504),
    summary="Embed texts and pictures",
)
async def create_embeddings(request: Request, asked: EmbeddingsRequest) -> Response:
    inference = ready_inference(request)
    model = check_model(asked.model, inference)
    _check_dimensions(asked.dimensions, inference.dim)
    inputs = _inputs(request, asked)
    names = _names(asked.input, len(inputs))
    lengths = await _lengths(inputs, names, inference, asked.truncate)
    vectors = await while_connected(
        request, _embed(request, inputs, names, lengths, inference, asked.truncate)
    )
    as_base64 = asked.encoding_format == "base64"
    write = partial(_written, vectors, model, sum(lengths), as_base64=as_base64)
    body = write() if len(vectors) <= _AT_ONCE else await asyncio.to_thread(write)
    return Response(body, media_type="application/json")


def _inputs(request: Request, asked: EmbeddingsRequest) -> list[Input]:
    if (asked.input is None) == (asked.messages is None):
        raise ApiError(422, "send input, a text or picture or a list of them", "input")
    settings = request.app.state.settings
    if asked.messages is not None:
        return from_messages(asked.messages, settings)
    return from_input(asked.input, settings)


def _names(asked: object, count: int) -> list[str]:
    """What errors call the inputs."""
    if isinstance(asked, list):
        return [f"input[{number}]" for number in range(count)]
    return ["messages" if asked is None else "input"]


def _check_dimensions(dimensions: int | None, dim: int) -> None:
    if dimensions not in (None, dim):
        raise ApiError(
            400,
            f"this model's embeddings have {dim} dimensions, and cannot be made shorter: leave "
            "dimensions out",
            "dimensions",
        )


async def _lengths(
    inputs: list[Input], names: list[str], inference: Inference, truncate: bool
) -> list[int]:
    """Tokens of each of the texts."""
    texts = [item for item in inputs if isinstance(item, str)]
    try:
        return await inference.lengths(texts, truncate=truncate) if texts else []
    except TextTooLongError:
        return await asyncio.to_thread(_blame, inputs, names, inference.context_length)


def _blame(inputs: list[Input], names: list[str], context_length: int) -> NoReturn:
    """Say which text is too long."""
    for name, text in zip(names, inputs, strict=True):
        if not isinstance(text, str):
            continue
        try:
            clip.tokenize(text, context_length)
        except TextTooLongError:
            raise ApiError(
                400,
                f"{name} has more than the {context_length} tokens that this model reads, start "
                'and end included: shorten it, or send "truncate": true to have it cut',
                name,
                "context_length_exceeded",
            ) from None
    raise AssertionError("the texts fit one by one, but not together")


async def _embed(
    request: Request,
    inputs: list[Input],
    names: list[str],
    lengths: list[int],
    inference: Inference,
    truncate: bool,
) -> Matrix:
    """Texts and pictures run at once, each with their like."""
    vectors = np.empty((len(inputs), inference.dim), np.float32)
    texts = [number for number, item in enumerate(inputs) if isinstance(item, str)]
    pictures = [number for number, item in enumerate(inputs) if not isinstance(item, str)]

    async def embed_texts() -> None:
        if texts:
            wanted = [str(inputs[number]) for number in texts]
            vectors[texts] = await inference.texts(wanted, truncate=truncate, lengths=lengths)

    async def embed_pictures() -> None:
        if pictures:
            called = [names[number] for number in pictures]
            wanted = [inputs[number] for number in pictures]
            contents = await contents_of(wanted, called, request.app.state.settings)
            vectors[pictures] = await inference.pictures(contents, names=called)

    if texts and pictures:
        await asyncio.gather(embed_texts(), embed_pictures())
    else:
        await embed_texts()
        await embed_pictures()
    return vectors


def _written(vectors: Matrix, model: str, tokens: int, *, as_base64: bool) -> bytes:
    """The answer's JSON. By hand: a JSON library takes longer than the model for such numbers."""
    write = _base64 if as_base64 else _floats
    data = ",".join(
        f'{{"object":"embedding","index":{number},"embedding":{write(row)}}}'
        for number, row in enumerate(vectors)
    )
    return (
        f'{{"object":"list","data":[{data}],"model":{json.dumps(model)},'
        f'"usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}'
    ).encode()


def _base64(row: Matrix) -> str:
    return f'"{base64.b64encode(row.astype("<f4", copy=False).tobytes()).decode()}"'


def _floats(row: Matrix) -> str:
    return _form(len(row)) % tuple(row.tolist())


@lru_cache
def _form(dim: int) -> str:
    """Nine digits tell every float32 from the next."""
    return f"[{','.join(['%.9g'] * dim)}]"
