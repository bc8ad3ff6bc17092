"""What comes again is remembered within a bound, and computed once for all who wait for it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaplink.serve.vector_cache import VectorCache


@given(st.lists(st.integers(0, 30), max_size=80), st.integers(0, 5000))
def test_the_cache_keeps_its_bound_and_gives_what_was_put_in(keys, capacity):
    async def main():
        cache = VectorCache(capacity)

        def start(missing):
            futures = [asyncio.get_running_loop().create_future() for _ in missing]
            for key, future in zip(missing, futures, strict=True):
                future.set_result(np.full(8, key, np.float32))
            return futures

        for key in keys:
            (vector,) = await cache.get([key], start)
            assert (vector == key).all()
            assert cache.size <= capacity
        assert (len(cache) > 0) == (cache.size > 0)

    asyncio.run(main())


def test_a_computation_that_nobody_waits_for_is_given_up_and_begun_anew_later():
    async def main():
        cache, futures = VectorCache(10_000), []

        def start(missing):
            futures.extend(asyncio.get_running_loop().create_future() for _ in missing)
            return futures[-len(missing) :]

        one = asyncio.ensure_future(cache.get(["key"], start))
        two = asyncio.ensure_future(cache.get(["key"], start))
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.gather(one, return_exceptions=True)
        assert not futures[0].done()
        two.cancel()
        await asyncio.gather(two, return_exceptions=True)
        assert futures[0].cancelled()
        three = asyncio.ensure_future(cache.get(["key", "key"], start))
        await asyncio.sleep(0)
        futures[1].set_result(np.ones(2, np.float32))
        assert len(await three) == 2
        assert len(futures) == 2
        failing = asyncio.ensure_future(cache.get(["other"], start))
        await asyncio.sleep(0)
        futures[2].set_exception(ValueError("no"))
        with pytest.raises(ValueError, match="no"):
            await failing
        assert cache.known("other") is None

    asyncio.run(main())


def test_what_was_used_least_recently_goes_first():
    async def main():
        cache, asked, counted = VectorCache(1500, lambda *counts: counted.append(counts)), [], []

        def start(missing):
            asked.append(missing)
            futures = [asyncio.get_running_loop().create_future() for _ in missing]
            for future in futures:
                future.set_result(np.zeros(32, np.float32))
            return futures

        await cache.get(["one", "two", "three"], start)  # room for three
        await cache.get(["one"], start)
        await cache.get(["four"], start)
        assert [key in cache for key in ("one", "two", "three", "four")] == [
            True,
            False,
            True,
            True,
        ]
        await cache.get(["four", "two", "two"], start)
        return asked, counted

    asked, counted = asyncio.run(main())
    assert asked == [["one", "two", "three"], ["four"], ["two"]]
    assert counted == [(0, 3), (1, 0), (0, 1), (1, 2)]


def test_a_vector_that_is_kept_keeps_no_batch_alive():
    async def main():
        cache, batch = VectorCache(10_000), np.ones((100, 8), np.float32)

        def start(missing):
            future = asyncio.get_running_loop().create_future()
            future.set_result(batch[3])
            return [future]

        await cache.get(["key"], start)
        return cache.known("key")

    assert asyncio.run(main()).base is None
