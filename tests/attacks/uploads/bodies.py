"""JSON that is none, is of the wrong form, or asks for too much or for what is not theirs.

Each has a name that says what is wrong with it, the statuses that are right for it, and what the
reason must say.
"""

from __future__ import annotations

import base64
from typing import Any

from .formats import saved
from .wire import Request, get, post, post_json

__all__ = ["Case", "cases", "data_url", "harmless"]

Case = tuple[Request, tuple[int, ...], str]

EMBED, CLASSIFY, SEARCH = "/v1/embeddings", "/v1/classify", "/v1/search"
WRONG_FORM = (400, 422)
WRONG_FORM_OR_NO_PICTURE = (400, 415, 422)
TOO_MUCH = (400, 413, 422)


def data_url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


GOOD = data_url(saved("png"))


def cases() -> dict[str, Case]:
    return {**no_json(), **wrong_forms(), **too_much(), **addresses(), **labels(), **searches()}


def no_json() -> dict[str, Case]:
    bodies = {
        "empty body": b"",
        "text for json": b"hello",
        "html for json": b"<html></html>",
        "json that ends early": b'{"input": "a cat',
        "json with a comma too many": b'{"input": "a cat",}',
        "two jsons": b'{"input": "a"}{"input": "b"}',
        "lists in lists, 100000 deep": b'{"input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "objects in objects, 100000 deep": b'{"input":' * 100_000 + b"1" + b"}" * 100_000,
        "open lists, a million": b"[" * 1_000_000,
        "a mark at the start": b'\xef\xbb\xbf{"input": "a cat"}',
        "not utf-8": b'{"input": "\xff\xfe\xfd"}',
        "utf-8 that is too long for its letter": b'{"input": "\xc0\xaf"}',
        "nan": b'{"input": NaN}',
        "infinity for dimensions": b'{"input": "a cat", "dimensions": Infinity}',
        "a number of 100000 digits": b'{"input": "a", "dimensions": ' + b"9" * 100_000 + b"}",
        "a float of 1e999": b'{"input": "a", "dimensions": 1e999}',
        "half of a letter": b'{"input": "a \\ud800 cat"}',
        "half of a letter as a label": b'{"input": ["a", "\\udfff"]}',
        "a list for a body": b'["a cat"]',
        "a string for a body": b'"a cat"',
        "null for a body": b"null",
        "a number for a body": b"1",
    }
    return {name: (post(EMBED, body), TOO_MUCH, "") for name, body in bodies.items()}


def wrong_forms() -> dict[str, Case]:
    deep: Any = "a cat"
    for _ in range(20):
        deep = [deep]
    bodies: dict[str, Any] = {
        "no input": {"encoding_format": "base64"},
        "input of null": {"input": None},
        "input of a number": {"input": 5},
        "input of true": {"input": True},
        "input of an object": {"input": {"a": 1}},
        "input of nothing": {"input": []},
        "input of lists of texts": {"input": [["a"], ["b"]]},
        "input of lists in lists": {"input": deep},
        "input of text and null": {"input": ["a cat", None]},
        "input of text and a number": {"input": ["a cat", 7]},
        "input of tokens": {"input": [320, 2368]},
        "input of lists of tokens": {"input": [[320, 2368], [320]]},
        "tokens beyond every number": {"input": [10**400]},
        "a part of no type": {"input": [{}]},
        "a part of an unknown type": {"input": [{"type": "audio", "audio": "x"}]},
        "a part without its picture": {"input": [{"type": "image_url"}]},
        "a part with a number for a picture": {"input": [{"image": 5}]},
        "a part with an object for a text": {"input": [{"type": "text", "text": {"a": 1}}]},
        "a part with a list for an address": {"input": [{"image_url": {"url": ["a"]}}]},
        "format of an unknown name": {"input": "a", "encoding_format": "hex"},
        "format of a list": {"input": "a", "encoding_format": ["float"]},
        "dimensions of another model": {"input": "a", "dimensions": 3},
        "dimensions below zero": {"input": "a", "dimensions": -1},
        "dimensions of a text": {"input": "a", "dimensions": "many"},
        "model of a number": {"input": "a", "model": 5},
        "model of a list": {"input": "a", "model": ["tiny"]},
        "messages that are none": {"messages": "hello"},
    }
    found = {name: (post_json(EMBED, body), WRONG_FORM, "") for name, body in bodies.items()}
    for name, model in {"unknown": "gpt-4", "path": "../../etc/passwd", "NUL": "tiny\0"}.items():
        body = {"input": "a", "model": model}
        found[f"model of the name {name}"] = (post_json(EMBED, body), (400, 404, 422), "")
    return found


def too_much() -> dict[str, Case]:
    bodies: dict[str, Any] = {
        "a text of a megabyte": {"input": "cat " * 250_000},
        "a word of a megabyte": {"input": "c" * 1_000_000},
        "a text of more tokens than the model reads": {"input": "a cat and a dog, " * 40},
        "a text of a hundred thousand accents": {"input": "e" + "\u0301" * 100_000},
        "ten thousand texts": {"input": ["cat"] * 10_000},
        "ten thousand pictures": {"input": [{"image": "data:image/png;base64,AAAA"}] * 10_000},
        "a user of a megabyte and no input": {"user": "u" * 1_000_000},
    }
    return {name: (post_json(EMBED, body), TOO_MUCH, "") for name, body in bodies.items()}


def addresses() -> dict[str, Case]:
    """What a picture's place may not be; nothing of it is ever opened."""
    urls = {
        "file": "file:///etc/passwd",
        "file of a picture": "file://localhost/proc/self/environ",
        "path": "/etc/passwd",
        "path above": "../../../etc/passwd",
        "path of a Windows share": "\\\\evil.example\\share\\a.png",
        "cloud's metadata": "http://169.254.169.254/latest/meta-data/",
        "cloud's metadata as a number": "http://2852039166/latest/meta-data/",
        "server itself": "http://127.0.0.1:8000/metrics",
        "server itself in IPv6": "http://[::ffff:127.0.0.1]/metrics",
        "a picture elsewhere": "https://example.com/cat.png",
        "ftp": "ftp://example.com/cat.png",
        "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
        "javascript": "javascript:alert(1)",
        "blob": "blob:http://localhost/1234",
        "no comma": "data:image/png;base64",
        "no data": "data:",
        "only a comma": "data:,",
        "html": "data:text/html,<script>alert(1)</script>",
        "html in base64": data_url(b"<script>alert(1)</script>", "text/html"),
        "svg in percent signs": "data:image/svg+xml,%3Csvg%20onload%3D%22x%28%29%22%2F%3E",
        "a data URL inside": data_url(GOOD.encode()),
        "base64 of no alphabet": "data:image/png;base64,!!!!****",
        "base64 of a wrong length": "data:image/png;base64,iVBORw0KGgoAAAA",
        "base64 with a NUL": "data:image/png;base64,iVBO\0w0K",
        "base64 of letters beyond ASCII": "data:image/png;base64,iVBÖRw0K",
        "a kind of ten thousand letters": f"data:image/{'x' * 10_000};base64,AAAA",
        "percent signs that mean nothing": "data:image/png,%zz%1",
    }
    found: dict[str, Case] = {}
    for name, url in urls.items():
        part = {"type": "image_url", "image_url": {"url": url}}
        request = post_json(EMBED, {"input": [part]})
        found[f"address: {name}"] = (request, WRONG_FORM_OR_NO_PICTURE, "")
        body = {"pictures": [url], "labels": ["a cat", "a dog"]}
        request = post_json(CLASSIFY, body)
        found[f"address to classify: {name}"] = (request, WRONG_FORM_OR_NO_PICTURE, "")
    return found


def labels() -> dict[str, Case]:
    pictures, two = [GOOD], ["a cat", "a dog"]
    many = [f"label {number}" for number in range(10_000)]
    bodies: dict[str, Any] = {
        "no pictures": {"labels": two},
        "a list of no pictures": {"pictures": [], "labels": two},
        "a number for pictures": {"pictures": 5, "labels": two},
        "a thousand pictures": {"pictures": pictures * 1_000, "labels": two},
        "no labels": {"pictures": pictures},
        "one label": {"pictures": pictures, "labels": ["a cat"]},
        "one label twice": {"pictures": pictures, "labels": ["a cat", "a cat"]},
        "empty labels": {"pictures": pictures, "labels": ["", " "]},
        "labels of numbers": {"pictures": pictures, "labels": [1, 2]},
        "labels of null": {"pictures": pictures, "labels": None},
        "half of a letter for a label": {"pictures": pictures, "labels": ["a", "\ud800"]},
        "ten thousand labels": {"pictures": pictures, "labels": many},
        "a label of a megabyte": {"pictures": pictures, "labels": ["a", "b" * 1_000_000]},
        "a template without a place": {"pictures": pictures, "labels": two, "templates": ["a"]},
        "a template that looks inside": {
            "pictures": pictures,
            "labels": two,
            "templates": ["{0.__class__.__mro__}"],
        },
        "a template that is very wide": {
            "pictures": pictures,
            "labels": two,
            "templates": ["{:>999999999}"],
        },
        "templates of a number": {"pictures": pictures, "labels": two, "templates": 5},
        "a thousand labels, a thousand templates": {
            "pictures": pictures,
            "labels": many[:1000],
            "templates": [f"{number} {{}}" for number in range(1000)],
        },
    }
    return {
        f"classify: {name}": (post_json(CLASSIFY, body), TOO_MUCH, "")
        for name, body in bodies.items()
    }


def searches() -> dict[str, Case]:
    wheres = {
        "two statements": "1=1; DROP TABLE rows",
        "a file": "key IN (SELECT content FROM read_text('/etc/passwd'))",
        "a folder": "(SELECT count(*) FROM glob('/*')) > 0",
        "an extension": "1=1); INSTALL httpfs; LOAD httpfs; --",
        "a setting": "1=1; SET enable_external_access=true",
        "a copy to a file": "1=1; COPY (SELECT 1) TO 'canary'",
        "no column": "no_such_column = 1",
        "no sense": ")))(((",
        "a NUL": "key\0 = 'x'",
        "brackets, 5000 deep": "(" * 5_000 + "1=1" + ")" * 5_000,
        "a megabyte": "key = 'x' OR " * 80_000 + "1=1",
        "the environment": "getenv('PATH') <> ''",
    }
    bodies: dict[str, Any] = {
        "top below zero": {"query": [{"text": "cat"}], "top": -1},
        "top of a billion": {"query": [{"text": "cat"}], "top": 10**9},
        "top of a text": {"query": [{"text": "cat"}], "top": "all"},
        "offset below zero": {"query": [{"text": "cat"}], "offset": -5},
        "a query of a number": {"query": 5},
        "a query of an empty part": {"query": [{}]},
        "a query of ten thousand parts": {"query": [{"text": "cat"}] * 10_000},
        "an id of no row": {"query": [{"id": "0-999999999"}]},
        "an id that is a path": {"query": [{"id": "../../../../etc/passwd"}]},
        "a picture that is a path": {"query": [{"image": "/etc/passwd"}]},
        "a picture that is none": {"query": [{"image": data_url(b"hello")}]},
        "a modality of an unknown name": {"query": [{"text": "cat"}], "modality": "smell"},
        "a threshold of a text": {"query": [{"text": "cat"}], "threshold": "high"},
        "nothing but a weight of zero": {"query": [{"text": "cat", "weight": 0}]},
    }
    found = {name: post_json(SEARCH, body) for name, body in bodies.items()}
    for name, where in wheres.items():
        found[f"where: {name}"] = post_json(SEARCH, {"query": [{"text": "cat"}], "where": where})
    found["a weight that is no number"] = post(
        SEARCH, b'{"query": [{"text": "cat", "weight": NaN}]}'
    )
    found["a weight beyond all numbers"] = post(
        SEARCH, b'{"query": [{"text": "cat", "weight": 1e999}]}'
    )
    found["top of a text in an address"] = get(f"{SEARCH}?q=cat&top=many")
    statuses = (400, 404, 410, 413, 415, 422)
    return {f"search: {name}": (request, statuses, "") for name, request in found.items()}


def harmless() -> dict[str, Request]:
    """What looks odd and asks for `GOOD` all the same."""
    spaced = "\n".join(GOOD[at : at + 76] for at in range(0, len(GOOD), 76))
    head, _, data = GOOD.partition(",")
    url = {
        "plain": GOOD,
        "base64 in lines": spaced,
        "capitals": head.upper().replace("IMAGE/PNG", "Image/PNG") + "," + data,
        "a wrong kind": GOOD.replace("image/png", "image/jpeg"),
        "a parameter": GOOD.replace("image/png", "image/png;name=../../x.png"),
    }
    found = {name: {"input": [{"image": each}]} for name, each in url.items()}
    found["the URL for a text"] = {"input": GOOD}
    return {name: post_json(EMBED, body) for name, body in found.items()}
