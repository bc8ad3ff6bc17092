"""A picture that hangs or crashes its decoder costs its own request, and nobody else's."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from snaplink.errors import PictureError
from snaplink.fake_encoder import FakeEncoder
from snaplink.serve.decoding import Decoding, Preparation
from snaplink.serve.errors import NotReady, PictureTooLarge

from .in_thread import InThread

MISCHIEF = """
import os, time
from pathlib import Path
import numpy as np

class Mischief:
    "Does what the bytes say; the folder remembers whom it crashed."

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, content):
        print("noise on standard output")
        word = content.decode()
        if word == "hang":
            time.sleep(1000)
        if word == "crash":
            os._exit(3)
        if word == "crash once" and not Path(self.folder, "crashed").exists():
            Path(self.folder, "crashed").touch()
            os._exit(4)
        return None, np.full((3, 2, 2), len(word), np.float32)

    def is_distant(self, content):
        return False
"""


@pytest.fixture
def mischief(tmp_path, monkeypatch):
    (tmp_path / "serve_mischief.py").write_text(MISCHIEF, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    import serve_mischief

    yield serve_mischief
    sys.modules.pop("serve_mischief")


@asynccontextmanager
async def pool(work, workers=2, limit=60.0, ahead=8):
    decoding = Decoding(workers, limit, ahead)
    try:
        await decoding.use(work)
        yield decoding
    finally:
        await decoding.close()


@pytest.fixture
def threads(monkeypatch):
    """Decoders that take no time to start."""
    monkeypatch.setattr("snaplink.serve.decoding.DecoderProcess", InThread)


async def value(decoding: Decoding, word: str) -> float | str:
    try:
        async with decoding.decoded(word.encode(), "input[3]", word) as pixels:
            assert pixels.shape == (3, 2, 2)
            return float(pixels.mean())
    except PictureError as error:
        return str(error)


def test_each_bad_one_fails_with_its_reason_and_the_others_are_read(tmp_path, mischief):
    async def main():
        async with pool(mischief.Mischief(str(tmp_path)), limit=2) as decoding:
            words = ["hang", "crash", "crash once", *("x" * n for n in range(1, 9))]
            found = await asyncio.gather(*(value(decoding, word) for word in words))
            again = await value(decoding, "good")
        return dict(zip(words, found, strict=True)), again

    found, again = asyncio.run(main())
    assert found.pop("hang") == "input[3]: took longer than 2 seconds to decode"
    assert found.pop("crash") == "input[3]: the decoder crashed (code 3)"
    assert found == {word: len(word) for word in found}
    assert len(found) == 9
    assert again == 4


def test_a_decoder_that_somebody_kills_is_replaced(tmp_path, mischief):
    async def main():
        async with pool(mischief.Mischief(str(tmp_path)), workers=1) as decoding:
            (pid,) = decoding.pids
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            found = await asyncio.gather(*(value(decoding, "x" * n) for n in (1, 2, 3)))
            return pid not in decoding.pids, found

    assert asyncio.run(main()) == (True, [1, 2, 3])


def test_decoders_that_never_start_are_told_of_and_not_started_for_ever(mischief, monkeypatch):
    monkeypatch.setattr("snaplink.embed.process._COMMAND", "raise SystemExit(5)")

    async def main():
        decoding = Decoding(1, 60, 8)
        try:
            with pytest.raises(NotReady, match="do not start"):
                await decoding.use(mischief.Mischief(""))
        finally:
            await decoding.close()

    asyncio.run(main())


def test_no_more_is_decoded_ahead_than_was_said(tmp_path, mischief, threads):
    async def main():
        async with pool(mischief.Mischief(str(tmp_path)), ahead=2) as decoding:
            enough, most, held = asyncio.Event(), 0, 0

            async def hold(word):
                nonlocal most, held
                async with decoding.decoded(word, "one", word):
                    held += 1
                    most = max(most, held)
                    await enough.wait()
                    held -= 1

            tasks = [asyncio.ensure_future(hold(b"x" * n)) for n in range(1, 7)]
            while held < 2:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            enough.set()
            await asyncio.gather(*tasks)
            return most

    assert asyncio.run(main()) <= 3  # the last of both ends before its place is taken again


def test_who_goes_away_frees_his_place(tmp_path, mischief, threads):
    async def main():
        async with pool(mischief.Mischief(str(tmp_path)), workers=1, ahead=1) as decoding:
            tasks = [asyncio.ensure_future(value(decoding, "x" * n)) for n in range(1, 5)]
            await asyncio.sleep(0)
            for task in tasks[:3]:
                task.cancel()
            return await tasks[3], await value(decoding, "xx")

    assert asyncio.run(main()) == (4, 2)


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, "PNG")
    return file.getvalue()


def test_a_preparation_is_the_encoders_own_and_counts_pixels_first():
    encoder = FakeEncoder()
    prepare = Preparation(encoder.preprocess, upright=True, max_pixels=3000)
    error, pixels = prepare(png(60, 50))
    assert error is None
    assert np.array_equal(pixels, encoder.pixels(Image.new("RGB", (60, 50), "red")).numpy())
    error, pixels = prepare(png(61, 50))
    assert isinstance(error, PictureTooLarge)
    assert "3,000 pixels" in error.problem
    assert pixels is None
    error, pixels = prepare(png(60, 50)[:60])
    assert type(error) is PictureError
    assert pixels is None


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked at in /proc")
def test_decoders_end_when_their_parent_is_killed():
    script = (
        "import asyncio\n"
        "from snaplink.fake_encoder import FakeEncoder\n"
        "from snaplink.serve.decoding import Decoding, Preparation\n"
        "async def main():\n"
        "    pool = Decoding(1, 30, 8)\n"
        "    await pool.use(Preparation(FakeEncoder().preprocess, True, 1000))\n"
        "    print(*pool.pids, flush=True)\n"
        "    await asyncio.sleep(1000)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 1
        assert all(map(alive, pids))
        parent.kill()
    deadline = time.monotonic() + 60
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, pids))


def test_texts_in_a_png_are_bounded():
    texts = PngInfo()
    for number in range(6):
        texts.add_text(f"text {number}", "a" * 1_000_000, zip=True)
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=texts)
    error, pixels = Preparation(FakeEncoder().preprocess, True, 100)(file.getvalue())
    assert pixels is None
    assert "text chunks" in str(error)
