"""Pictures of a web server: many at once, and those that never come cost only themselves."""

from __future__ import annotations

import subprocess
import sys
import textwrap
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


def test_python_may_end_while_a_table_of_a_slow_server_is_read():
    """Threads of pyarrow that wait for Python's own files abort a process that ends."""
    script = """
        import io, time
        import fsspec

        class File(io.BytesIO):
            def read(self, size=-1):
                time.sleep(0.1 if self.tell() else 0)
                return super().read(min(size, 1 << 20) if size > 0 else size)

        class Slow(fsspec.AbstractFileSystem):
            protocol = "slow"
            def open(self, path, mode="rb", **options):
                return File(b"path,caption\\n" + b"a.png,something\\n" * 300_000)

        fsspec.register_implementation("slow", Slow)
        from snaplink.embed.sources.source import Columns
        from snaplink.embed.sources.tables import Table

        print(next(Table("slow://server/a.csv", Columns()).items(print)).caption)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "something"), ended.stderr
