"""Concurrent requests get what a direct call of the encoder gives, and share its work."""

from __future__ import annotations

import asyncio
import io
import threading
from contextlib import asynccontextmanager

import numpy as np
import pytest
from PIL import Image

from clip.errors import TextTooLongError
from snaplink.errors import ArgumentError, PictureError
from snaplink.fake_encoder import FakeEncoder
from snaplink.prompts import class_weights
from snaplink.serve.errors import NotReady, Overloaded, PictureTooLarge
from snaplink.serve.inference import Inference
from snaplink.serve.metrics import Metrics
from snaplink.serve.settings import Settings

from .in_thread import InThread

LONG = "word " * 100


class Held(FakeEncoder):
    """Waits until it is let go, and remembers what it encoded."""

    def __init__(self) -> None:
        super().__init__(batch_size=32)
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Event()
        self.texts: list[str] = []

    def _texts(self, texts, truncate):
        self.begun.set()
        assert self.free.wait(60)
        self.texts += texts
        return super()._texts(texts, truncate)


@pytest.fixture(autouse=True)
def _decoders_are_threads(request, monkeypatch):
    if "processes" not in request.fixturenames:
        monkeypatch.setattr("snaplink.serve.decoding.DecoderProcess", InThread)


@pytest.fixture
def processes():
    """Decoders as they are."""


@asynccontextmanager
async def running(encoder=None, **changes):
    encoder = encoder or Held()
    inference = Inference(Settings(workers=1, **changes), lambda: encoder)
    await inference.start()
    try:
        yield inference, encoder
    finally:
        encoder.free.set()
        await inference.close()


def png(colour) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "PNG")
    return file.getvalue()


def test_vectors_are_those_of_the_encoder(processes):
    async def main():
        async with running() as (inference, _):
            return (
                await inference.texts(["a cat", "a dog", "a cat", LONG], truncate=True),
                await inference.pictures([png("red"), png("blue")]),
                await inference.label_weights(["cat", "dog"], ["a {}", "one {c}."]),
                await inference.texts([]),
                await inference.pictures([]),
                (inference.name, inference.dim, inference.resolution, inference.weights_sha256),
            )

    texts, pictures, labels, no_texts, no_pictures, facts = asyncio.run(main())
    fake = FakeEncoder()
    wanted = fake.encode_texts(["a cat", "a dog", "a cat", LONG], normalize=True).numpy()
    assert np.array_equal(texts, wanted)
    assert texts.dtype == np.float32
    drawn = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    assert np.array_equal(pictures, fake.encode_pictures(drawn, normalize=True).numpy())
    weights = class_weights(["cat", "dog"], ["a {}", "one {c}."], fake.encode_texts).numpy()
    np.testing.assert_allclose(labels, weights, atol=1e-6)
    assert no_texts.shape == no_pictures.shape == (0, 32)
    assert facts == ("fake", 32, 8, fake.weights_sha256())


def test_a_text_that_comes_again_is_encoded_once_and_so_is_one_that_two_ask_for():
    async def main():
        async with running() as (inference, encoder):
            encoder.free.clear()
            both = [asyncio.ensure_future(inference.texts(["a cat"])) for _ in range(2)]
            await asyncio.to_thread(encoder.begun.wait, 60)
            both[0].cancel()  # the other one still wants it
            encoder.free.set()
            shared = await both[1]
            again = await inference.texts(["a cat", "a dog"])
            return encoder.texts, np.array_equal(shared, again[:1])

    assert asyncio.run(main()) == (["a cat", "a dog"], True)


def test_labels_are_encoded_once_whatever_labels_they_stand_beside():
    async def main():
        async with running() as (inference, encoder):
            first = await inference.label_weights(["cat", "dog"], ["a {}"])
            second = await inference.label_weights(["dog", "owl"], ["a {}"])
            assert np.array_equal(first[1], second[0])
            await inference.label_weights(["dog"], ["the {}"])
            return encoder.texts

    assert asyncio.run(main()) == ["a cat", "a dog", "a owl", "the dog"]


def test_more_prompts_than_the_queue_holds_are_worked_off_in_slices():
    async def main():
        async with running(queue=8, max_inputs=8, max_batch=4) as (inference, _):
            labels = [f"thing {number}" for number in range(30)]
            return await inference.label_weights(labels, ["a {}", "the {}", "my {}"])

    assert asyncio.run(main()).shape == (30, 32)


def test_a_text_that_is_too_long_is_refused_though_it_was_cut_for_somebody():
    async def main():
        async with running() as (inference, _):
            await inference.texts([LONG], truncate=True)
            with pytest.raises(TextTooLongError):
                await inference.texts([LONG])

    asyncio.run(main())


def test_a_bad_picture_fails_its_request_alone_and_by_its_name():
    async def main():
        async with running(max_pixels=2000) as (inference, _):
            file = io.BytesIO()
            Image.new("L", (200, 100)).save(file, "PNG")
            results = await asyncio.gather(
                inference.pictures([png("red")]),
                inference.pictures([png("red"), b"no picture"], names=["input[0]", "input[1]"]),
                inference.pictures([file.getvalue()], names=["input"]),
                return_exceptions=True,
            )
            assert await inference.pictures([png("green")]) is not None
            return results

    good, broken, large = asyncio.run(main())
    assert good.shape == (1, 32)
    assert isinstance(broken, PictureError)
    assert broken.picture == "input[1]"
    assert isinstance(large, PictureTooLarge)
    assert large.picture == "input"


def test_room_is_limited_and_what_is_given_up_leaves_nothing_behind():
    async def main():
        async with running(queue=4) as (inference, encoder):
            encoder.free.clear()
            first = asyncio.ensure_future(inference.texts(["one", "two", "three"]))
            await asyncio.to_thread(encoder.begun.wait, 60)
            with pytest.raises(Overloaded):
                await inference.texts(["four", "five"])
            with pytest.raises(Overloaded):
                await inference.pictures([png("red")] * 2)
            first.cancel()
            encoder.free.set()
            await asyncio.wait([first])
            assert (await inference.texts(["1", "2", "3", "4"])).shape == (4, 32)
            cancelled = asyncio.ensure_future(inference.pictures([png("red")] * 4))
            await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
            assert (await inference.pictures([png("red")] * 4)).shape == (4, 32)

    asyncio.run(main())


@pytest.mark.parametrize("turns", range(8))
def test_who_leaves_while_his_answer_comes_leaves_nothing_behind(turns):
    class Leaver(Metrics):
        """Goes away some turns of the loop after the model has run."""

        def batch(self, kind, size, seconds):
            self.leaving = asyncio.ensure_future(self.leave())

        async def leave(self):
            for _ in range(turns):
                await asyncio.sleep(0)
            self.asking.cancel()

    async def main():
        leaver, encoder = Leaver(), Held()
        inference = Inference(Settings(workers=1), lambda: encoder, metrics=leaver)
        await inference.start()
        leaver.asking = asyncio.ensure_future(inference.pictures([png("red")]))
        await asyncio.wait([leaver.asking])
        await asyncio.wait_for(inference.close(), 60)

    asyncio.run(main())


def test_lengths_are_those_of_the_tokens_and_long_texts_do_not_stop_the_loop():
    async def main():
        async with running() as (inference, _):
            counting = asyncio.ensure_future(inference.lengths([LONG] * 200, truncate=True))
            await asyncio.sleep(0)
            assert not counting.done()
            with pytest.raises(TextTooLongError):
                await inference.lengths([LONG])
            texts = ["a cat", "a", "a photo of a cat"]
            assert await inference.lengths([]) == []
            found = await inference.lengths(texts)
            vectors = await inference.texts(texts, lengths=found)
            assert np.array_equal(vectors, await inference.texts(texts))
            return found, set(await counting)

    assert asyncio.run(main()) == ([4, 3, 7], {77})


def test_before_the_start_and_after_the_end_it_is_not_ready_and_says_why():
    async def main():
        encoder = Held()
        inference = Inference(Settings(workers=1), lambda: encoder)
        with pytest.raises(NotReady, match="being loaded"):
            await inference.texts(["a"])
        await inference.start()
        assert inference.problem is None
        encoder.free.clear()
        last = asyncio.ensure_future(inference.texts(["in flight"]))
        await asyncio.to_thread(encoder.begun.wait, 60)
        closing = asyncio.ensure_future(inference.close())
        await asyncio.sleep(0)
        with pytest.raises(NotReady, match="about to end"):
            await inference.texts(["b"])
        encoder.free.set()
        assert (await last).shape == (1, 32)
        await closing

    asyncio.run(main())


def test_a_model_that_cannot_be_loaded_is_the_problem():
    async def main():
        def load():
            raise ArgumentError("there is no such device")

        inference = Inference(Settings(workers=1), load)
        try:
            with pytest.raises(ArgumentError):
                await inference.start()
            return inference.problem
        finally:
            await inference.close()

    assert "no such device" in asyncio.run(main())


@pytest.mark.parametrize("name", ["ViT-B/32", "{folder}/mine.pt"])
def test_a_file_is_known_by_its_name_alone(tmp_path, name):
    async def main():
        encoder = Held()
        encoder.name = name.format(folder=tmp_path)
        async with running(encoder) as (inference, _):
            return inference.name

    (tmp_path / "mine.pt").touch()
    assert asyncio.run(main()) == name.rpartition("}/")[2]


def test_settings_that_leave_nothing_to_do_are_refused_and_tokens_are_not_shown():
    with pytest.raises(ArgumentError, match="max batch is 0"):
        Settings(max_batch=0)
    with pytest.raises(ArgumentError, match="time limit is 0"):
        Settings(time_limit=0)
    assert "secret" not in repr(Settings(token="secret"))
