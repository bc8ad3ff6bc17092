"""What `huggingface_hub` needs of the Hub's API, over a folder: `hub_server.py FOLDER`.

`FOLDER/<owner>/<name>/<revision>/…` are the files of a repository at a revision. `/log` tells the
requests so far, `/fail` has every other request fail from then on.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    log: ClassVar[list[str]] = []

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.path == "/log":
            return self.answer(json.dumps(self.log).encode())
        self.log.append(f"{self.command} {self.path}")
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", self.path):
            return self.describe(match[1], match[2] or "main")
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path):
            return self.resolve(*match.groups())
        return self.refuse("EntryNotFound")

    def describe(self, repository, revision):
        if not (self.folder / repository).is_dir():
            return self.refuse("RepoNotFound")
        commit, files = self.commit(repository, revision)
        if files is None:
            return self.refuse("RevisionNotFound")
        siblings = [{"rfilename": name} for name in sorted(files)]
        about = {
            "id": repository,
            "sha": commit,
            "siblings": siblings,
            "tags": [],
            "private": False,
        }
        return self.answer(json.dumps(about).encode(), {"Content-Type": "application/json"})

    def resolve(self, repository, revision, name):
        commit, files = self.commit(repository, revision)
        if files is None:
            return self.refuse("RevisionNotFound")
        if name not in files:
            return self.refuse("EntryNotFound", {"X-Repo-Commit": commit})
        data = files[name].read_bytes()
        headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": commit}
        return self.answer(data, headers)

    def commit(self, repository, revision):
        """The commit's hash, and its files; a revision may be named by its commit, too."""
        for folder in sorted((self.folder / repository).glob("*")):
            commit = hashlib.sha1(f"{repository} {folder.name}".encode()).hexdigest()
            if revision in (folder.name, commit):
                return commit, {path.name: path for path in folder.iterdir()}
        return None, None

    def refuse(self, code, headers=None):
        self.answer(b"", {"X-Error-Code": code, "X-Error-Message": code, **(headers or {})}, 404)

    def answer(self, body, headers=None, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def main(folder: str) -> None:
    Handler.folder = Path(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
