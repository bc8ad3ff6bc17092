"""Whatever the network does: the right file or a clear error, and the next call heals it."""

from __future__ import annotations

import random
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from clip.download import Retry, fetch
from clip.errors import DownloadError

NBYTES = 300_000
QUICK = Retry(tries=3, pause=0.001, timeout=5)
ONCE = Retry(tries=1, pause=0.001, timeout=5)


@pytest.fixture(scope="module")
def content(server):
    return server.content(random.Random(0).randbytes(NBYTES))


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "RN50.pt"


def get(base, content, target, retry=QUICK, nbytes: int | None = NBYTES, **options) -> Path:
    return fetch(
        f"{base}/{content.path}",
        sha256=content.sha256,
        target=target,
        nbytes=nbytes,
        retry=retry,
        **options,
    )


def partial_of(target: Path) -> Path | None:
    return next(target.parent.glob("*.partial"), None)


@pytest.mark.parametrize("part", range(8))
def test_a_connection_cut_at_any_byte_is_continued_there(server, content, target, part):
    chance = random.Random(part)
    offsets = [*(chance.randrange(-1, NBYTES) for _ in range(26)), 0, NBYTES - 1]
    assert len(set(offsets)) > 25
    for offset in offsets:
        base = server.play({"cut": offset}, {})
        with pytest.raises(DownloadError, match=r"RN50\.pt could not be downloaded"):
            get(base, content, target, retry=ONCE)
        assert not target.exists()
        kept = partial_of(target).stat().st_size if partial_of(target) else 0
        assert kept == max(offset, 0)

        assert get(base, content, target).read_bytes() == content.data
        assert server.log(base)[1].get("range") == (f"bytes={offset}-" if offset > 0 else None)
        target.unlink()


def test_a_connection_cut_again_and_again_ends_with_the_file(server, content, target):
    cuts = [{"cut": NBYTES // 3}, {"cut": NBYTES // 3}, {}]
    assert get(server.play(*cuts), content, target).read_bytes() == content.data


@pytest.mark.parametrize("nbytes", [NBYTES, None])
def test_a_cut_without_any_length_is_seen(server, content, target, nbytes):
    base = server.play({"cut": 1000, "chunked": True}, {})
    assert get(base, content, target, nbytes=nbytes).read_bytes() == content.data


def test_a_server_that_ignores_ranges_gets_a_fresh_start(server, content, target):
    base = server.play({"cut": 1000}, {"ranges": False})
    assert get(base, content, target).read_bytes() == content.data
    assert server.log(base)[1]["range"] == "bytes=1000-"


@pytest.mark.parametrize(
    ("validator", "other"),
    [
        ({"etag": '"a"'}, {"etag": '"b"'}),
        ({"modified": formatdate(1e9, usegmt=True)}, {"modified": formatdate(2e9, usegmt=True)}),
    ],
)
def test_a_file_that_changed_meanwhile_gets_a_fresh_start(
    server, content, target, validator, other
):
    old = server.content(bytes(NBYTES))
    base = server.play({"cut": 1000, "file": old.path, **validator}, other)
    assert get(base, content, target).read_bytes() == content.data
    first, second = server.log(base)
    assert "if-range" not in first
    assert second["if-range"] == next(iter(validator.values()))


def test_an_unchanged_file_is_continued_under_its_etag(server, content, target):
    base = server.play({"cut": 1000, "etag": '"a"'}, {"etag": '"a"', "cut": 5000}, {"etag": '"a"'})
    assert get(base, content, target).read_bytes() == content.data
    assert [request.get("range") for request in server.log(base)] == [
        None,
        "bytes=1000-",
        "bytes=6000-",
    ]


def test_a_weak_etag_is_no_promise_of_equal_bytes(server, content, target):
    base = server.play({"cut": 1000, "etag": 'W/"a"'}, {})
    assert get(base, content, target).read_bytes() == content.data
    assert "if-range" not in server.log(base)[1]


def test_the_wrong_part_of_an_earlier_call_is_thrown_away(server, content, target):
    base = server.play({"cut": 1000}, {})
    with pytest.raises(DownloadError):
        get(base, content, target, retry=ONCE)
    partial_of(target).write_bytes(bytes(2000))
    assert get(base, content, target).read_bytes() == content.data
    assert [request.get("range") for request in server.log(base)] == [None, "bytes=2000-", None]


@pytest.mark.parametrize("excess", [0, 1, 1000])
def test_a_part_with_too_many_bytes_is_thrown_away(server, content, target, excess):
    base = server.play({"cut": 1000}, {})
    with pytest.raises(DownloadError):
        get(base, content, target, retry=ONCE)
    partial_of(target).write_bytes(bytes(NBYTES + excess))
    assert get(base, content, target).read_bytes() == content.data


def test_a_part_that_is_whole_needs_no_server(server, content, target):
    base = server.play({"cut": 1000}, {"status": 500})
    with pytest.raises(DownloadError):
        get(base, content, target, retry=ONCE)
    partial_of(target).write_bytes(content.data)
    assert get(base, content, target).read_bytes() == content.data
    assert len(server.log(base)) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(server, content, target, status):
    base = server.play({"status": status}, {})
    assert get(base, content, target).read_bytes() == content.data


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_a_lasting_failure_is_reported_at_once(server, content, target, status):
    base = server.play({"status": status}, {})
    with pytest.raises(DownloadError, match=f"answers {status}"):
        get(base, content, target)
    assert len(server.log(base)) == 1


def test_the_tries_are_bounded(server, content, target):
    base = server.play({"status": 503})
    with pytest.raises(DownloadError, match=r"answers 503.* given up after 3 tries"):
        get(base, content, target)
    assert len(server.log(base)) == 3


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that were made, without making them."""
    made: list[float] = []
    monkeypatch.setattr("clip.download.transfer.time.sleep", made.append)
    return made


def test_a_server_that_never_gets_further_is_given_up(server, content, target, pauses):
    """It ignores ranges, and ends sometimes earlier and sometimes later."""
    large = server.content(random.Random(5).randbytes(4_000_000))
    cuts = [{"cut": cut, "ranges": False} for cut in (3_000_000, 1_000_000) * 20]
    base = server.play(*cuts)
    with pytest.raises(DownloadError, match="given up after 3 tries"):
        get(base, large, target, nbytes=len(large.data))
    assert len(server.log(base)) == 4


def test_a_long_file_may_come_in_many_pieces(server, content, target, pauses):
    large = server.content(random.Random(5).randbytes(9_000_000))
    base = server.play({"cut": 1 << 20})
    get(base, large, target, nbytes=len(large.data))
    assert target.read_bytes() == large.data
    assert len(server.log(base)) == 9


def test_the_pauses_grow_and_differ(server, content, target, pauses):
    for number in range(2):
        with pytest.raises(DownloadError):
            get(server.play({"status": 500}), content, target, retry=Retry(tries=5, pause=1))
        first, second, third, fourth = pauses[4 * number :]
        assert 0.5 <= first <= 1 <= second <= 2 <= third <= 4 <= fourth <= 8
    assert pauses[:4] != pauses[4:]


@pytest.mark.parametrize(
    ("header", "shortest", "longest"),
    [("7", 7, 7), (lambda: formatdate(time.time() + 60, usegmt=True), 50, 60), ("soon", 0, 1)],
)
def test_the_server_says_when_to_come_back(
    server, content, target, pauses, header, shortest, longest
):
    header = header() if callable(header) else header
    base = server.play({"status": 429, "headers": {"Retry-After": header}}, {})
    assert get(base, content, target).read_bytes() == content.data
    assert shortest <= pauses[0] <= longest


def test_a_server_that_wants_an_hour_is_left_alone(server, content, target, pauses):
    base = server.play({"status": 503, "headers": {"Retry-After": "3600"}}, {})
    with pytest.raises(DownloadError, match="asks to wait 3600 s"):
        get(base, content, target)
    assert pauses == []


@pytest.mark.parametrize("stall", [{"cut": 0}, {"cut": 1000}])
def test_a_server_that_falls_silent_is_left_and_asked_again(server, content, target, stall):
    base = server.play({"stall": 5, **stall}, {})
    patience = Retry(tries=20, pause=0.001, timeout=0.2)  # a busy machine is silent for as long
    assert get(base, content, target, retry=patience).read_bytes() == content.data


def test_a_server_that_stays_silent_is_named(server, content, target):
    base = server.play({"stall": 5, "cut": 0})
    with pytest.raises(DownloadError, match="no answer in time"):
        get(base, content, target, retry=Retry(tries=2, pause=0.001, timeout=0.1))


def test_a_slow_server_is_waited_for(server, content, target):
    base = server.play({"slow": 0.04})  # 1.5 seconds, with a sign of life in each part of it
    patience = Retry(tries=1, pause=0.001, timeout=1)
    assert get(base, content, target, retry=patience).read_bytes() == content.data


def test_a_server_that_is_not_there(content, target):
    with pytest.raises(DownloadError, match="cannot be reached"):
        get("http://127.0.0.1:1", content, target)
    assert not target.exists()


@pytest.mark.parametrize("nbytes", [NBYTES, None])
@pytest.mark.parametrize(
    "page",
    [
        {"headers": {"Content-Type": "text/html; charset=utf-8"}},
        {"headers": {}},
        {"headers": {}, "chunked": True},
    ],
)
def test_a_web_page_in_place_of_the_file(server, content, target, nbytes, page):
    html = server.content(b"\r\n<!DOCTYPE html><title>Log in</title>")
    base = server.play({"cut": 1000}, {"file": html.path, "ranges": False, **page}, {})
    with pytest.raises(DownloadError):
        get(base, content, target, retry=ONCE)
    with pytest.raises(DownloadError, match=r"web page|of 38 bytes"):
        get(base, content, target, nbytes=nbytes)
    assert partial_of(target).stat().st_size == 1000, "what had arrived must stay"
    assert get(base, content, target, nbytes=nbytes).read_bytes() == content.data


@pytest.mark.parametrize("length", [NBYTES - 1, NBYTES + 1, 0])
def test_a_wrong_length_is_refused_before_a_byte_is_taken(server, content, target, length):
    base = server.play({"length": length}, {})
    with pytest.raises(DownloadError, match=f"has a file of {length} bytes in place of {NBYTES}"):
        get(base, content, target)
    assert get(base, content, target).read_bytes() == content.data


@pytest.mark.parametrize("nbytes", [NBYTES, None])
def test_too_many_bytes_are_refused(server, content, target, nbytes):
    longer = {"file": server.content(content.data + b"x").path, "chunked": True}
    with pytest.raises(DownloadError, match=r"sends more than|wrong content"):
        get(server.play(longer), content, target, nbytes=nbytes)
    assert not target.exists()
    assert get(server.play(), content, target, nbytes=nbytes).read_bytes() == content.data


@pytest.mark.parametrize("chunked", [False, True])
def test_wrong_content_is_set_aside_reported_and_loaded_anew(
    server, content, target, chunked, caplog
):
    garbage = server.content(random.Random(1).randbytes(NBYTES))
    base = server.play({"file": garbage.path, "chunked": chunked}, {})
    assert get(base, content, target).read_bytes() == content.data
    assert target.with_name("RN50.pt.broken").read_bytes() == garbage.data
    assert "sent wrong content" in caplog.text


def test_wrong_content_for_the_second_time_is_an_error(server, content, target):
    step = {"file": server.content(bytes(NBYTES)).path}
    base = server.play(step, step, {})
    with pytest.raises(DownloadError, match="sends wrong content"):
        get(base, content, target)
    assert not target.exists()
    assert len(server.log(base)) == 2
    assert get(base, content, target).read_bytes() == content.data


def test_a_compressed_answer_is_refused(server, content, target):
    base = server.play({"headers": {"Content-Encoding": "gzip"}}, {})
    with pytest.raises(DownloadError, match="compressed"):
        get(base, content, target)
    assert server.log(base)[0]["accept-encoding"] == "identity"
    assert get(base, content, target).read_bytes() == content.data


def test_a_nonsensical_range_gets_a_fresh_start(server, content, target):
    nonsense = {"headers": {"Content-Range": "bytes 7-9/11"}}
    base = server.play({"cut": 1000}, nonsense, {})
    assert get(base, content, target).read_bytes() == content.data
    assert [request.get("range") for request in server.log(base)] == [None, "bytes=1000-", None]


def test_a_redirect_is_followed_and_continued(server, content, target):
    real = server.play({"cut": 1000}, {})
    base = server.play({"redirect": f"{real}/{content.path}"})
    assert get(base, content, target).read_bytes() == content.data
    assert server.log(real)[1]["range"] == "bytes=1000-"


def test_redirects_in_a_circle(server, content, target):
    base = server.play({"redirect": "RN50.pt"})
    with pytest.raises(DownloadError, match="redirects more than 10 times"):
        get(base, content, target)
    assert not target.exists()


def test_a_broken_cached_file_is_set_aside_and_loaded_anew(server, content, target, caplog):
    target.parent.mkdir()
    target.write_bytes(b"my own weights")
    base = server.play()
    assert get(base, content, target).read_bytes() == content.data
    (aside,) = target.parent.glob("*.broken")
    assert aside.read_bytes() == b"my own weights"
    assert aside.name in caplog.text


def test_a_broken_cached_file_stays_away_when_nothing_better_comes(server, content, target):
    target.parent.mkdir()
    target.write_bytes(bytes(NBYTES))
    with pytest.raises(DownloadError):
        get(server.play({"status": 404}), content, target)
    assert not target.exists()


def test_a_right_cached_file_needs_no_server(content, target):
    target.parent.mkdir()
    target.write_bytes(content.data)
    assert get("http://127.0.0.1:1", content, target) == target


def test_a_directory_in_the_files_place(content, target):
    target.mkdir(parents=True)
    with pytest.raises(DownloadError, match="not a regular file"):
        get("http://127.0.0.1:1", content, target)


def test_an_address_without_a_hash_is_refused_at_once(server, content, target):
    base = server.play()
    with pytest.raises(DownloadError, match="no SHA-256"):
        fetch(f"{base}/models/RN50.pt", sha256="models", target=target)
    assert server.log(base) == []


def test_nothing_is_left_beside_the_file_but_lock_and_receipt(server, content, target):
    get(server.play({"cut": 1000}, {}), content, target)
    left = {path.name for path in target.parent.iterdir()}
    assert left <= {"RN50.pt", "RN50.pt.lock", "RN50.pt.receipt"}


def test_progress_counts_from_what_is_there(server, content, target):
    base = server.play({"cut": 100_000}, {})
    with pytest.raises(DownloadError):
        get(base, content, target, retry=ONCE)
    told: list[tuple[int, int | None]] = []
    get(base, content, target, nbytes=None, progress=lambda *moved: told.append(moved))
    assert told == sorted(told)
    assert told[0][0] >= 100_000
    assert told[-1] == (NBYTES, NBYTES)


def random_fault(chance: random.Random, garbage: str) -> dict:
    cut = chance.randrange(-1, NBYTES)
    return chance.choice(
        [
            {"cut": cut},
            {"cut": cut, "chunked": True},
            {"cut": cut, "ranges": False},
            {"cut": cut, "etag": f'"{chance.random()}"'},
            {"cut": cut, "file": garbage, "etag": '"garbage"'},
            {"file": garbage},
            {"status": chance.choice([404, 416, 429, 500, 503])},
            {"length": NBYTES - chance.randrange(1, 1000)},
            {"headers": {"Content-Type": "text/html"}},
            {"headers": {"Content-Range": "bytes 5-7/9"}},
            {"headers": {"Content-Encoding": "br"}},
        ]
    )


@pytest.mark.parametrize("seed", range(40))
def test_any_sequence_of_faults_is_healed(server, content, target, seed):
    chance = random.Random(seed)
    garbage = server.content(random.Random(1).randbytes(NBYTES)).path
    for _ in range(4):
        faults = [random_fault(chance, garbage) for _ in range(chance.randrange(1, 5))]
        nbytes = chance.choice([NBYTES, None])
        try:
            get(server.play(*faults, faults[-1]), content, target, nbytes=nbytes)
        except DownloadError:
            assert not target.exists()
        else:
            assert target.read_bytes() == content.data
    assert get(server.play(), content, target).read_bytes() == content.data
