"""The ASGI application: rings of checks around the routes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from snaplink.encoder import Encoder

from .answers import problems
from .api import classify, embeddings, health, models, pictures, search, session, store
from .bodies import Bodies
from .document import completed
from .inference import Inference
from .loading import load as load_by_settings
from .loading import prepared_as
from .logs import AccessLog
from .metrics import Metrics
from .pacing import Pacing
from .page import Page
from .readiness import Readiness
from .refusals import Refusals, not_routed, of_wrong_form
from .security import Door, Headers, Session, accepted_names
from .settings import Settings
from .shelf import Shelf
from .verbs import Head

__all__ = ["create_app"]

_BODIES_TOGETHER = 8
"""So many bodies of the largest size are held at once."""


def create_app(settings: Settings, *, load: Callable[[], Encoder] | None = None) -> FastAPI:
    """The server as an ASGI application; the model is loaded once it runs.

    Args:
        settings: what is served, and how much of it.
        load: gives the model, in the place of what the settings name.

    Raises:
        StoreError: the settings name a store that cannot be used.
    """
    app = FastAPI(
        title="snaplink",
        version=version("snaplink"),
        summary="Embed, classify and search with a CLIP model.",
        docs_url=None,  # it loads scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,
        responses=problems(400, 403, 500),
        exception_handlers={HTTPException: not_routed, RequestValidationError: of_wrong_form},
        lifespan=_lifespan,
    )
    metrics = Metrics()
    upright, bulk = prepared_as(settings)
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.readiness = Readiness()
    app.state.session = Session(settings.token)
    app.state.created = int(time.time())
    app.state.inference = Inference(
        settings,
        load or (lambda: load_by_settings(settings)),
        upright=upright,
        bulk=bulk,
        metrics=metrics,
    )
    app.state.shelf = Shelf(settings, app.state.inference)
    for routes in (embeddings, classify, search, store, pictures, models, session, health):
        app.include_router(routes.router)
    app.include_router(Page().router)
    _surround(app, settings)
    app.openapi = completed(app.openapi)  # type: ignore[method-assign]
    return app


def _surround(app: FastAPI, settings: Settings) -> None:
    """The rings, from the innermost out."""
    state: Any = app.state
    names = accepted_names(settings.host, settings.allow_hosts)
    app.add_middleware(Head)
    app.add_middleware(
        Bodies,
        limit=settings.max_body,
        together=_BODIES_TOGETHER * settings.max_body,
        seconds=settings.time_limit,
    )
    app.add_middleware(Door, session=state.session, names=names)
    app.add_middleware(Refusals)
    app.add_middleware(Pacing)
    app.add_middleware(Headers)
    app.add_middleware(AccessLog, metrics=state.metrics)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    starting = asyncio.create_task(_start(app.state))
    try:
        yield
    finally:
        app.state.readiness.stop()
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting
        await app.state.shelf.close()
        await app.state.inference.close()


async def _start(state: Any) -> None:
    try:
        await state.inference.start()
        state.readiness.reason = "the store is being opened"
        await state.shelf.start()
    except Exception as error:  # whoever waits for the server tells of it
        state.readiness.fail(error)
    else:
        state.readiness.become_ready()
