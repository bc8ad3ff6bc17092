"""Pictures of a web server: many at once, and those that never come cost only themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from snaplink.embed import Job, embed
from snaplink.store import Store


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; what is called slow never comes."""

    def do_GET(self) -> None:
        if "slow" in self.path:
            self.server.ending.wait()
            return
        super().do_GET()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def web(photos) -> Iterator[str]:
    """The address of a server of the photos."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(photos)))
    server.ending = threading.Event()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.ending.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_urls_of_a_list_are_fetched_and_each_failure_is_told(web, photos, tmp_path, fakes):
    (photos / "page.jpg").write_text("<html>Not Found</html>", encoding="utf-8")
    good = [f"{web}/{number}.jpg" for number in range(4)]
    bad = [f"{web}/{name}.jpg" for name in ("missing", "page", "slow")]
    (tmp_path / "urls.txt").write_text("\n".join([*bad, *good]), encoding="utf-8")
    job = Job(workers=1, limit=6)
    summary = embed([tmp_path / "urls.txt"], tmp_path / "store", fakes(), job)
    store = Store.open(tmp_path / "store")
    assert sorted(store.table(["key"])["key"].to_pylist()) == good
    assert (summary.embedded, summary.failures) == (4, 3)
    failures = store.failures()
    assert set(failures) == set(bad)
    assert failures[bad[0]] == "no such file"
    assert failures[bad[1]].startswith("not a picture that can be read")
    assert failures[bad[2]] == "took longer than 6 seconds"
    again = embed([tmp_path / "urls.txt"], tmp_path / "store", fakes(), job)
    assert (again.embedded, again.present) == (0, 4)


def test_a_webdataset_of_a_server_is_read_as_it_comes(web, photos, tmp_path, fakes):
    import tarfile

    with tarfile.open(photos / "00.tar", "w") as tar:
        for name in ("0.jpg", "1.jpg"):
            tar.add(photos / name, name)
    embed([f"{web}/00.tar"], tmp_path / "store", fakes(), Job(workers=1))
    keys = Store.open(tmp_path / "store").table(["key"])["key"].to_pylist()
    assert sorted(keys) == [f"{web}/00.tar/0", f"{web}/00.tar/1"]
