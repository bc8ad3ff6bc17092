"""The model that is served, in OpenAI's form."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from snaplink.prompts import DEFAULT_TEMPLATES
from snaplink.serve.answers import problems
from snaplink.serve.served import check_model, public_name, ready_inference

__all__ = ["router"]

router = APIRouter(prefix="/v1/models", tags=["models"])


class ServedModel(BaseModel):
    """A model, as OpenAI describes one, and what CLIP's users want to know of it."""

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

    object: Literal["list"] = "list"
    data: list[ServedModel]


@router.get("", responses=problems(401, 503), summary="The model that is served, as a list")
async def list_models(request: Request) -> ServedModels:
    return ServedModels(data=[_served(request)])


@router.get("/{id:path}", responses=problems(401, 404, 422, 503), summary="The model of this name")
async def retrieve_model(request: Request, id: str) -> ServedModel:
    check_model(id, ready_inference(request))
    return _served(request)


def _served(request: Request) -> ServedModel:
    inference = ready_inference(request)
    return ServedModel(
        id=public_name(inference.name),
        created=request.app.state.created,
        dim=inference.dim,
        resolution=inference.resolution,
        context_length=inference.context_length,
        logit_scale=inference.logit_scale,
        precision=inference.precision,
        weights_sha256=inference.weights_sha256,
        templates=list(DEFAULT_TEMPLATES),
    )
