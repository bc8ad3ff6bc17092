"""The page's files, read once: no path that a client sends is ever opened."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

from .errors import ApiError

__all__ = ["Page"]

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Not from the system's table, which may be wrong: nosniff takes us at our word."""


@dataclass(frozen=True)
class _File:
    content: bytes
    kind: str
    etag: str

    def answer(self, request: Request) -> Response:
        headers = {"ETag": self.etag, "Cache-Control": "no-cache"}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.kind, headers=headers)


class Page:
    """The routes of the page, as `router`: `/`, and `/static/…` for each of its files."""

    def __init__(self) -> None:
        self._files = _read(Path(__file__).parent / "static")
        self.router = APIRouter(include_in_schema=False)
        self.router.get("/")(self._start)
        self.router.get("/static/{name:path}")(self._file)

    async def _start(self, request: Request) -> Response:
        return self._named("index.html").answer(request)

    async def _file(self, request: Request) -> Response:
        return self._named(request.path_params["name"]).answer(request)

    def _named(self, name: str) -> _File:
        if name not in self._files:
            raise ApiError(404, "there is no such file")
        return self._files[name]


def _read(folder: Path) -> dict[str, _File]:
    return {
        path.relative_to(folder).as_posix(): _file(path)
        for path in sorted(folder.rglob("*"))
        if path.suffix in _TYPES and path.is_file()
    }


def _file(path: Path) -> _File:
    content = path.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    return _File(content, _TYPES[path.suffix], etag)
