"""The model that is served, in OpenAI's form."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from snaplink.prompts import DEFAULT_TEMPLATES
from snaplink.serve.answers import problems
from snaplink.serve.served import check_model, ready_inference

__all__ = ["router"]

router = APIRouter(prefix="/v1/models", tags=["models"])


_EXAMPLE: dict[str, Any] = {
    "id": "ViT-B/32",
    "object": "model",
    "created": 1767225600,
    "owned_by": "snaplink",
    "dim": 512,
    "resolution": 224,
    "context_length": 77,
    "logit_scale": 100.0,
    "precision": "fp32",
    "weights_sha256": "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
    "templates": ["a photo of a {}."],
}


class ServedModel(BaseModel):
    """A model, as OpenAI describes one, and what CLIP's users want to know of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str = Field(description="Its name.", examples=["ViT-B/32"])
    object: Literal["model"] = "model"
    created: int = Field(description="When this server began, in seconds since 1970.")
    owned_by: str = "snaplink"
    dim: int = Field(description="Width of its embeddings.")
    resolution: int = Field(description="Side of the square pictures that it sees, in pixels.")
    context_length: int = Field(description="Tokens of a text that it reads.")
    logit_scale: float = Field(description="What cosines are multiplied by before a softmax.")
    precision: str = Field(description="What it computes in.")
    weights_sha256: str = Field(description="What its weights are.")
    templates: list[str] = Field(description="Into which /v1/classify puts labels by itself.")


class ServedModels(BaseModel):
    """The models: there is one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"object": "list", "data": [_EXAMPLE]}]}
    )

    object: Literal["list"] = "list"
    data: list[ServedModel]


@router.get("", responses=problems(401, 503), summary="The model that is served, as a list")
async def list_models(request: Request) -> ServedModels:
    return ServedModels(data=[_served(request)])


@router.get("/{id:path}", responses=problems(401, 404, 422, 503), summary="The model of this name")
async def retrieve_model(
    request: Request, id: Annotated[str, Path(examples=["ViT-B/32"])]
) -> ServedModel:
    check_model(id, ready_inference(request))
    return _served(request)


def _served(request: Request) -> ServedModel:
    inference = ready_inference(request)
    return ServedModel(
        id=inference.name,
        created=request.app.state.created,
        dim=inference.dim,
        resolution=inference.resolution,
        context_length=inference.context_length,
        logit_scale=inference.logit_scale,
        precision=inference.precision,
        weights_sha256=inference.weights_sha256,
        templates=list(DEFAULT_TEMPLATES),
    )
