"""Forms of several parts that are broken, are endless, or name what they may not.

Each has a name that says what is wrong with it, the statuses that are right for it, and what the
reason must say.
"""

from __future__ import annotations

from .formats import saved
from .wire import Request, post

__all__ = ["Case", "cases", "classify", "harmless", "part"]

Case = tuple[Request, tuple[int, ...], str]

PATH, BOUNDARY = "/v1/classify", "b0undary"
REFUSED = (400, 413, 415, 422)


def part(name: str, content: bytes, filename: str | None = None, more: str = "") -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n{more}\r\n'
    return head.encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
LABELS = part("labels", b"a cat") + part("labels", b"a dog")
PICTURE = part("pictures", saved("png"), "a.png", "Content-Type: image/png\r\n")


def form(body: bytes, content_type: str = f"multipart/form-data; boundary={BOUNDARY}") -> Request:
    return post(PATH, body, content_type)


def classify(content: bytes, filename: str = "a.png", kind: str = "image/png") -> Request:
    """An upload of one file, with two labels."""
    return form(LABELS + part("pictures", content, filename, f"Content-Type: {kind}\r\n") + END)


def cases() -> dict[str, Case]:
    nested = part("pictures", part("x", b"y") + END, "a.png", "Content-Type: multipart/mixed\r\n")
    nameless = f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nhello\r\n".encode()
    headless = f"--{BOUNDARY}\r\n\r\nhello\r\n".encode()
    whole = LABELS + PICTURE + END
    forms = {
        "without a boundary": form(whole, "multipart/form-data"),
        "with an empty boundary": form(whole, "multipart/form-data; boundary="),
        "with another boundary": form(whole, "multipart/form-data; boundary=other"),
        "with a boundary of ten thousand letters": form(
            whole, f"multipart/form-data; boundary={'b' * 10_000}"
        ),
        "of nothing": form(b""),
        "of nothing but an end": form(END),
        "without an end": form(LABELS + PICTURE[:200]),
        "that is cut in a head": form(LABELS + PICTURE[:40]),
        "of junk": form(bytes(range(256)) * 20),
        "of five thousand fields": form(part("labels", b"x") * 5_000 + PICTURE + END),
        "of five thousand files": form(LABELS + part("pictures", b"x", "a") * 5_000 + END),
        "of a hundred thousand empty parts": form(f"--{BOUNDARY}\r\n".encode() * 100_000),
        "with a part without a name": form(nameless + END),
        "with a part without a head": form(headless + END),
        "with a head of a megabyte": form(
            part("labels", b"x", more=f"X-Long: {'x' * 1_000_000}\r\n") + END
        ),
        "with ten thousand heads": form(part("labels", b"x", more="X: y\r\n" * 10_000) + END),
        "with a head without a colon": form(part("labels", b"x", more="nonsense\r\n") + END),
        "with a field of two megabytes": form(
            LABELS + part("labels", b"x" * 2_000_000) + PICTURE + END
        ),
        "with a form inside": form(LABELS + nested + END),
        "with an empty file": form(LABELS + part("pictures", b"", "a.png") + END),
        "with a path for a picture": form(LABELS + part("pictures", b"/etc/passwd") + END),
        "with a path for a file": form(
            LABELS + part("pictures", b"root:x:0:0", "../../../../etc/passwd") + END
        ),
        "with NUL in a file's name": form(LABELS + part("pictures", b"hello", "a.png\0.php") + END),
        "with a name of a hundred thousand letters": form(
            LABELS + part("pictures", b"hello", "a" * 100_000) + END
        ),
        "with labels that are not utf-8": form(
            part("labels", b"\xff\xfe") + part("labels", b"\xfd") + PICTURE + END
        ),
        "without labels": form(PICTURE + END),
        "without pictures": form(LABELS + END),
        "with a picture packed by gzip": form(
            LABELS
            + part("pictures", b"\x1f\x8b\x08" + bytes(40), "a", "Content-Encoding: gzip\r\n")
            + END
        ),
    }
    return {f"form {name}": (request, REFUSED, "") for name, request in forms.items()}


def harmless() -> dict[str, Request]:
    """Odd, and yet a good picture with its labels."""
    names = {
        "plain": "a.png",
        "a path for a name": "../../../../etc/passwd",
        "a script for a name": "<script>alert(1)</script>.png",
        "no name": "",
        "a device's name": "CON.png",
    }
    found = {name: classify(saved("png"), filename) for name, filename in names.items()}
    found["a wrong kind"] = classify(saved("png"), kind="text/html")
    labels = part("labels", b"a cat", "cat.txt") + part("labels", b"a dog", "dog.txt")
    found["files for labels"] = form(labels + PICTURE + END)
    return found
