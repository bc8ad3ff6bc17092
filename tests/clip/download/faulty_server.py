"""A web server that misbehaves on order; run as a process of its own: `faulty_server.py FOLDER`.

It serves the files of FOLDER. The first folder of an address, `/<play>/<path>`, names a play: a
list of steps in `FOLDER/plays/<play>.json`. The n-th request under that name gets the n-th step,
and the last step for ever after. `/log/<play>` tells what was asked so far. A step is a dict of

    status, headers   answer with these (None removes a header) and a short text
    cut               end the connection after so many bytes of the body; -1: before any answer
    stall             seconds of silence after the bytes of `cut`, or before the body
    slow              seconds of pause after each 8 KiB
    ranges            False: ignore Range
    etag              ETag of the file; If-Range with another one gets all of it
    modified          Last-Modified, likewise
    file              send the file of this path instead
    chunked           send without a length
    length            lie about the length
    redirect          address to redirect to
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import sys
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

PIECE = 8192


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    log: ClassVar[dict[str, list[dict]]] = defaultdict(list)
    guard = threading.Lock()

    def do_GET(self):
        self.close_connection = True
        _, play, path = urlsplit(self.path).path.split("/", 2)
        if play == "log":
            self.answer(200, json.dumps(self.log[path]).encode())
            return
        steps = json.loads((self.folder / "plays" / f"{play}.json").read_text(encoding="utf-8"))
        with self.guard:
            seen = self.log[play]
            step = steps[min(len(seen), len(steps) - 1)]
            seen.append({"asked": self.path, **{k.lower(): v for k, v in self.headers.items()}})
        self.act(step, path)

    def act(self, step, path):
        if step.get("cut") == -1:
            return None
        if "redirect" in step:
            return self.answer(302, b"", {"Location": step["redirect"]})
        if "status" in step:
            return self.answer(step["status"], b"no", step.get("headers", {}))
        file = self.folder / step.get("file", path)
        if not file.is_file():
            return self.answer(404, b"no such file")
        return self.send_file(step, file.read_bytes())

    def send_file(self, step, whole):
        validators = {"ETag": step.get("etag"), "Last-Modified": step.get("modified")}
        start, status = 0, 200
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        unchanged = self.headers.get("If-Range") in (None, *filter(None, validators.values()))
        if match and unchanged and step.get("ranges", True):
            start, status = int(match[1]), 206
            if start >= len(whole):
                return self.answer(416, b"", {"Content-Range": f"bytes */{len(whole)}"})
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": step.get("length", len(whole) - start),
            **validators,
        }
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        headers |= step.get("headers", {})
        if step.get("chunked"):
            del headers["Content-Length"]
        self.head(status, headers)
        return self.send_body(step, whole[start:])

    def send_body(self, step, body):
        body = body[: step.get("cut")]
        for start in range(0, len(body), PIECE):
            self.wfile.write(body[start : start + PIECE])
            self.wfile.flush()
            time.sleep(step.get("slow", 0))
        time.sleep(step.get("stall", 0))

    def answer(self, status, body, headers=None):
        self.head(status, {"Content-Length": len(body), **(headers or {})})
        self.wfile.write(body)

    def head(self, status, headers):
        self.send_response(status)
        self.send_header("Connection", "close")
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, str(value))
        self.end_headers()

    def handle(self):
        with contextlib.suppress(OSError):  # the other side may go away
            super().handle()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main(folder: str, certificate: str = "") -> None:
    Handler.folder = Path(folder)
    server = Server(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
