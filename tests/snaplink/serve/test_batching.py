"""Every input is answered exactly once, with its own result, whatever its neighbours do."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snaplink.serve import batching
from snaplink.serve.batching import Batcher
from snaplink.serve.errors import NotReady, Overloaded


class Recorder:
    """Doubles numbers; negative ones spoil their batch. Can be held back."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Event()

    def __call__(self, numbers):
        self.begun.set()
        assert self.free.wait(60)
        self.batches.append(list(numbers))
        if any(number < 0 for number in numbers):
            raise ValueError("a negative number")
        return [2 * number for number in numbers]


def batcher(run, **changes) -> Batcher:
    given = {"max_batch": 4, "max_wait": 0.0, "capacity": 1000} | changes
    return Batcher({"text": run, "picture": run}, **given)


async def begun(recorder: Recorder) -> None:
    assert await asyncio.to_thread(recorder.begun.wait, 60)


async def held(recorder: Recorder, made: Batcher) -> asyncio.Future:
    """Keep the thread at work on the number 0."""
    recorder.free.clear()
    (answer,) = made.submit("text", [0], "first")
    await begun(recorder)
    return answer


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["text", "picture"]),
            st.lists(st.integers(-3, 50), max_size=9),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_each_is_answered_once_with_its_own_result(requests):
    async def main():
        recorder = Recorder()
        made = batcher(recorder)
        answers = [made.submit(kind, numbers, object()) for kind, numbers, _ in requests]
        for mine, (_, _, leaves) in zip(answers, requests, strict=True):
            if leaves:
                for answer in mine:
                    answer.cancel()
        await made.close()
        return recorder, answers

    recorder, answers = asyncio.run(main())
    for mine, (_, numbers, leaves) in zip(answers, requests, strict=True):
        for answer, number in zip(mine, numbers, strict=True):
            if leaves:
                assert answer.cancelled()
            elif number < 0:
                assert isinstance(answer.exception(), ValueError)
            else:
                assert answer.result() == 2 * number
    assert max(map(len, recorder.batches), default=0) <= 4
    wanted = Counter(n for _, numbers, leaves in requests if not leaves for n in numbers if n >= 0)
    good = Counter(n for each in recorder.batches if min(each) >= 0 for n in each)
    assert all(good[number] >= count for number, count in wanted.items())


def test_requests_share_a_batch_and_a_lone_one_has_its_own():
    async def main():
        recorder = Recorder()
        made = batcher(recorder, max_wait=60.0)
        assert await made.submit("text", [7], "lone")[0] == 14  # although it might wait a minute
        recorder.begun.clear()
        await held(recorder, made)
        answers = [made.submit("text", [number], number)[0] for number in (1, 2, 3)]
        recorder.free.set()
        assert await asyncio.gather(*answers) == [2, 4, 6]
        await made.close()
        return recorder.batches

    assert asyncio.run(main()) == [[7], [0], [1, 2, 3]]


def test_a_batch_waits_for_those_that_are_coming():
    async def main():
        recorder = Recorder()
        made = batcher(recorder, max_wait=60.0)
        made.expect("picture", 2)
        (one,) = made.submit("picture", [1], "one")
        made.expect("picture", -1)
        await asyncio.sleep(0.05)
        assert not recorder.batches
        assert await made.submit("text", [5], "other")[0] == 10  # another kind goes on
        (two,) = made.submit("picture", [2], "two")
        made.expect("picture", -1)
        assert [await one, await two] == [2, 4]
        await made.close()
        return recorder.batches

    assert asyncio.run(main()) == [[5], [1, 2]]


def test_a_full_batch_waits_for_nobody():
    async def main():
        recorder = Recorder()
        made = batcher(recorder, max_wait=60.0)
        made.expect("picture", 5)
        answers = [made.submit("picture", [number], number)[0] for number in (1, 2, 3, 4)]
        assert await asyncio.gather(*answers) == [2, 4, 6, 8]
        made.expect("picture", -5)
        await made.close()
        return recorder.batches

    assert asyncio.run(main()) == [[1, 2, 3, 4]]


def test_who_is_expected_and_does_not_come_is_not_waited_for_long():
    async def main():
        made = batcher(Recorder(), max_wait=0.01)
        made.expect("picture", 1)
        assert await made.submit("picture", [1], "one")[0] == 2
        await made.close()

    asyncio.run(main())


def test_who_was_answered_together_is_waited_for_from_the_first_who_is_back(monkeypatch):
    clock = SimpleNamespace(monotonic=lambda: clock.now, perf_counter=lambda: clock.now, now=0.0)
    monkeypatch.setattr(batching, "time", clock)

    async def main():
        recorder = Recorder()
        made = batcher(recorder, max_wait=60.0)
        await held(recorder, made)
        answers = [made.submit("text", [number], number)[0] for number in (1, 2)]
        recorder.free.set()
        await asyncio.gather(*answers)
        clock.now = 100.0
        again = made.submit("text", [3], 1)
        await asyncio.sleep(0.1)
        again += made.submit("text", [4], 2)
        assert await asyncio.gather(*again) == [6, 8]
        await made.close()
        return recorder.batches

    assert asyncio.run(main()) == [[0], [1, 2], [3, 4]]


def test_inputs_of_clients_that_are_gone_are_never_computed():
    async def main():
        recorder = Recorder()
        made = batcher(recorder)
        first = await held(recorder, made)
        gone, stays = made.submit("text", [1, 2], "two")
        gone.cancel()
        recorder.free.set()
        assert [await first, await stays] == [0, 4]
        await made.close()
        return recorder.batches

    assert asyncio.run(main()) == [[0], [2]]


def test_a_short_request_need_not_wait_for_a_long_one():
    async def main():
        recorder = Recorder()
        made = batcher(recorder)
        await held(recorder, made)
        long = made.submit("text", list(range(1, 13)), "long")
        short = made.submit("text", [100], "short")
        recorder.free.set()
        await asyncio.gather(*long, *short)
        await made.close()
        return recorder.batches

    batches = asyncio.run(main())
    assert 100 in batches[1]
    assert [n for each in batches for n in each if n < 100] == list(range(13))


def test_neither_kind_starves_the_other():
    async def main():
        order: list[str] = []
        free = threading.Event()

        def runs(kind):
            def run(numbers):
                assert free.wait(60)
                order.append(kind)
                return numbers

            return run

        made = Batcher(
            {"text": runs("text"), "picture": runs("picture")},
            max_batch=1,
            max_wait=0,
            capacity=100,
        )
        answers = [made.submit(kind, [1], object())[0] for kind in ("text", "picture") * 5]
        free.set()
        await asyncio.gather(*answers)
        await made.close()
        return order

    assert asyncio.run(main()) == ["text", "picture"] * 5


def test_the_queue_is_bounded_and_says_when_to_come_again():
    async def main():
        recorder = Recorder()
        made = batcher(recorder, capacity=10)
        made.admit(8)
        with pytest.raises(Overloaded) as refused:
            made.admit(3)
        assert int(refused.value.headers["Retry-After"]) >= 1
        made.admit(2)
        made.leave(10)
        made.admit(50)  # longer than the queue, but alone
        with pytest.raises(Overloaded):
            made.admit(1)
        made.leave(50)
        await made.close()

    asyncio.run(main())


def test_closing_finishes_what_is_there_and_takes_nothing_more():
    async def main():
        recorder = Recorder()
        made = batcher(recorder)
        made.admit(2)
        await held(recorder, made)
        (later,) = made.submit("text", [4], "later")
        closing = asyncio.ensure_future(made.close())
        await asyncio.sleep(0)
        with pytest.raises(NotReady):
            made.admit(1)
        recorder.free.set()
        assert await later == 8
        (last,) = made.submit("text", [5], "was admitted before")
        assert await last == 10
        made.leave(2)
        await closing
        with pytest.raises(NotReady):
            made.submit("text", [1], "too late")

    asyncio.run(main())


def test_a_wrong_number_of_results_is_an_error_and_no_mix_up():
    async def main():
        made = batcher(lambda numbers: [1, 2, 3])
        answers = made.submit("text", [1, 2], "two")
        done = await asyncio.gather(*answers, return_exceptions=True)
        await made.close()
        return done

    assert all(isinstance(each, RuntimeError) for each in asyncio.run(main()))
