"""Mirrors, offline mode, proxies, certificates, and credentials that must not get about."""

from __future__ import annotations

import logging
import random
import traceback
from pathlib import Path

import pytest

from clip.download import Retry, fetch
from clip.errors import DownloadError, OfflineError

NBYTES = 50_000
QUICK = Retry(tries=2, pause=0.001, timeout=5)
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def content(server):
    return server.content(random.Random(4).randbytes(NBYTES))


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "RN50.pt"


def get(base, content, target, **options) -> Path:
    return fetch(
        f"{base}/{content.path}",
        sha256=content.sha256,
        target=target,
        nbytes=NBYTES,
        retry=QUICK,
        **options,
    )


# Mirrors


@pytest.fixture(params=["<sha256>/<file>", "<file>"])
def folder(request, tmp_path, content):
    """A directory that has the file in one of the two ways that a mirror may."""
    path = (
        tmp_path
        / "a mirror, of mine"
        / (content.path if request.param.startswith("<sha") else content.name)
    )
    path.parent.mkdir(parents=True)
    path.write_bytes(content.data)
    return tmp_path / "a mirror, of mine"


def test_a_directory_as_mirror(folder, content, target):
    assert get(NOWHERE, content, target, mirrors=[str(folder)]).read_bytes() == content.data


def test_an_fsspec_address_as_mirror(folder, content, target):
    pytest.importorskip("fsspec")
    assert get(NOWHERE, content, target, mirrors=[f"file://{folder}"]).read_bytes() == content.data


def test_a_remote_file_system_as_mirror_is_continued(content, target):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe(f"/models/{content.name}", content.data)
    part = target.with_name(f"RN50.pt.{content.sha256[:8]}.partial")
    part.parent.mkdir()
    part.write_bytes(content.data[:1000])
    told: list[int] = []
    get(
        NOWHERE,
        content,
        target,
        mirrors=["memory://models/"],
        progress=lambda done, _: told.append(done),
    )
    assert target.read_bytes() == content.data
    assert told[0] > 1000


def test_a_web_address_as_mirror(server, content, target):
    base = server.play()
    assert get(NOWHERE, content, target, mirrors=[f"{base}/"]).read_bytes() == content.data


def test_a_web_mirror_may_have_the_bare_file_and_a_query(server, content, target):
    bare = server.play({"status": 404}, {"file": content.path})
    assert get(NOWHERE, content, target, mirrors=[f"{bare}?sig=a/b"]).read_bytes() == content.data
    assert [request["asked"].split("/", 2)[2] for request in server.log(bare)] == [
        f"{content.path}?sig=a/b",
        "RN50.pt?sig=a/b",
    ]


def test_mirrors_are_tried_in_order_and_before_the_address(
    server, content, target, monkeypatch, tmp_path
):
    empty, environment = server.play({"status": 404}), server.play()
    official = server.play()
    monkeypatch.setenv("CLIP_MIRROR", f" {tmp_path / 'none'}, {environment} ,")
    get(official, content, target, mirrors=[empty])
    assert target.read_bytes() == content.data
    assert len(server.log(empty)) == 2
    assert len(server.log(environment)) == 1
    assert server.log(official) == []


def test_the_address_serves_where_every_mirror_fails(server, content, target):
    broken = server.play({"status": 500})
    get(server.play(), content, target, mirrors=[broken, "/does/not/exist", "nosuch://x"])
    assert target.read_bytes() == content.data


def test_a_mirror_is_not_trusted(server, content, target, tmp_path, caplog):
    evil = tmp_path / "evil"
    (evil / content.sha256).mkdir(parents=True)
    (evil / content.path).write_bytes(bytes(NBYTES))
    get(server.play(), content, target, mirrors=[str(evil)])
    assert target.read_bytes() == content.data
    assert "sent wrong content" in caplog.text


def test_a_part_from_one_source_is_continued_from_another(server, content, target):
    cut = server.play({"cut": 1000, "etag": '"a"'}, {"status": 404})
    official = server.play({"etag": '"b"'})
    get(official, content, target, mirrors=[cut])
    assert target.read_bytes() == content.data
    (request,) = server.log(official)
    assert request["range"] == "bytes=1000-"
    assert "if-range" not in request, "another server's ETag says nothing here"


def test_a_mirror_that_fsspec_cannot_read_says_why(content, target):
    pytest.importorskip("fsspec")
    with pytest.raises(DownloadError, match=r"nosuch://bucket/.* cannot be read"):
        get(NOWHERE, content, target, mirrors=["nosuch://bucket"])


def test_a_mirror_that_fsspec_cannot_read_keeps_its_credentials(content, target, monkeypatch):
    fsspec = pytest.importorskip("fsspec")

    def fail(address):
        raise PermissionError(f"s3cret is no key for {address}")

    monkeypatch.setattr(fsspec, "url_to_fs", fail)
    with pytest.raises(DownloadError, match="is no key for") as error:
        get(NOWHERE, content, target, mirrors=["s3://someone:s3cret@bucket"])
    assert "s3cret" not in str(error.value)
    assert "someone" not in str(error.value)
    assert error.value.__context__ is None


# Offline


@pytest.mark.parametrize("value", ["1", "true", "YES", "on"])
def test_offline_is_an_error_at_once_that_says_how(server, content, target, monkeypatch, value):
    monkeypatch.setenv("CLIP_OFFLINE", value)
    base = server.play()
    with pytest.raises(OfflineError) as error:
        get(base, content, target, mirrors=[server.play()])
    for part in (f"{base}/{content.path}", content.sha256, str(target), str(NBYTES)):
        assert part in str(error.value)
    assert server.log(base) == []
    assert not target.parent.exists()


@pytest.mark.parametrize("value", ["", "0", "false", "No"])
def test_offline_can_be_said_not_to_be(server, content, target, monkeypatch, value):
    monkeypatch.setenv("CLIP_OFFLINE", value)
    assert get(server.play(), content, target).read_bytes() == content.data


def test_offline_a_cached_file_serves(content, target, monkeypatch):
    monkeypatch.setenv("CLIP_OFFLINE", "1")
    target.parent.mkdir()
    target.write_bytes(content.data)
    assert get(NOWHERE, content, target) == target


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_offline_a_directory_still_serves(folder, content, target, monkeypatch, scheme):
    monkeypatch.setenv("CLIP_OFFLINE", "1")
    assert get(NOWHERE, content, target, mirrors=[f"{scheme}{folder}"]) == target


def test_offline_a_broken_file_is_not_served(content, target, monkeypatch):
    monkeypatch.setenv("CLIP_OFFLINE", "1")
    target.parent.mkdir()
    target.write_bytes(bytes(NBYTES))
    with pytest.raises(OfflineError, match="wrong content"):
        get(NOWHERE, content, target)
    assert target.exists(), "offline, nothing better can come: it stays where it is"


# Certificates and redirects


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_certificate_of_ones_own(tls_server, content, target, monkeypatch, variable):
    monkeypatch.setenv(variable, str(tls_server.certificate))
    assert get(tls_server.play(), content, target).read_bytes() == content.data


def test_an_unknown_certificate_is_refused_once_with_advice(tls_server, content, target):
    with pytest.raises(DownloadError, match=r"certificate that is not trusted.*SSL_CERT_FILE"):
        get(tls_server.play(), content, target)


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_a_wrong_certificate_file_is_named(content, target, monkeypatch, tmp_path, kind):
    path = tmp_path / "authority.pem"
    if kind == "empty":
        path.write_text("no certificate", encoding="utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(DownloadError, match=r"SSL_CERT_FILE names .*authority\.pem"):
        get("https://127.0.0.1:1", content, target)


def test_a_redirect_from_https_to_http_is_refused(server, tls_server, content, target, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_server.certificate))
    insecure = server.play()
    base = tls_server.play({"redirect": f"{insecure}/{content.path}?token=secret"})
    with pytest.raises(DownloadError, match="redirects from https to an insecure") as error:
        get(base, content, target)
    assert "secret" not in str(error.value)
    assert server.log(insecure) == []


def test_a_redirect_from_http_to_https_is_followed(
    server, tls_server, content, target, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_server.certificate))
    base = server.play({"redirect": f"{tls_server.play()}/{content.path}"})
    assert get(base, content, target).read_bytes() == content.data


# Proxies


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment(server, content, target, monkeypatch, variable):
    monkeypatch.setenv(variable, f"http://127.0.0.1:{server.port}")
    play = server.play().rpartition("/")[2]
    # Such a host does not exist: only a proxy can have answered.
    assert get(f"http://models.invalid/{play}", content, target).read_bytes() == content.data


def test_no_proxy_of_the_environment(server, content, target, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", NOWHERE)
    with pytest.raises(DownloadError):
        get(server.play(), content, target)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert get(server.play(), content, target).read_bytes() == content.data


@pytest.mark.parametrize("proxy", ["nonsense://proxy:1", "socks5://me:s3cret@127.0.0.1:1"])
def test_an_unusable_proxy_is_reported(content, target, monkeypatch, proxy):
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(DownloadError, match=r"proxy|cannot be reached") as error:
        get("http://models.invalid", content, target)
    assert "s3cret" not in "".join(traceback.format_exception(error.value))


# Credentials


def with_credentials(base: str) -> str:
    return base.replace("://", "://someone:s3cret@")


def test_a_credential_is_sent(server, content, target):
    base = server.play()
    get(with_credentials(base), content, target)
    assert server.log(base)[0]["authorization"].startswith("Basic ")


def test_a_credential_is_not_sent_on_to_another_server(
    server, tls_server, content, target, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_server.certificate))
    other = tls_server.play()
    base = server.play({"redirect": f"{other}/{content.path}"})
    get(with_credentials(base), content, target)
    assert "authorization" in server.log(base)[0]
    assert "authorization" not in tls_server.log(other)[0]


@pytest.mark.parametrize(
    "steps",
    [
        [{}],
        [{"cut": 100}, {"status": 403}],
        [{"status": 500}],
        [{"stall": 2, "cut": 0}],
        [{"redirect": "/s3cret/elsewhere?token=s3cret"}],
        [{"file": "nothing"}],
    ],
)
def test_a_credential_gets_neither_into_errors_nor_logs_nor_files(
    server, content, target, caplog, steps
):
    caplog.set_level(logging.DEBUG)
    base = server.play(*steps)
    url = f"{with_credentials(base)}/{content.path}?token=s3cret&sig=s3cret"
    mirror = f"{with_credentials(server.play(*steps))}?token=s3cret"
    texts = []
    try:
        fetch(
            url,
            sha256=content.sha256,
            target=target,
            mirrors=[mirror],
            retry=Retry(tries=2, pause=0.001, timeout=0.3),
        )
    except DownloadError as error:
        chain: BaseException | None = error
        while chain is not None:
            texts += [repr(chain), str(vars(chain))]
            chain = chain.__cause__ or chain.__context__
        texts.append("".join(traceback.format_exception(error)))
    texts += [record.getMessage() for record in caplog.records]
    texts += [
        path.read_text(encoding="latin-1") for path in target.parent.iterdir() if path != target
    ]
    if steps != [{}]:
        assert any("http://127.0.0.1" in text for text in texts), "the address itself is shown"
    shown = "\n".join(texts).replace("/s3cret/elsewhere", "")
    assert "s3cret" not in shown
    assert "someone" not in shown


def test_other_requests_of_the_program_are_still_logged(server, content, target, caplog):
    import httpx

    caplog.set_level(logging.INFO, "httpx")
    get(server.play(), content, target)
    assert "HTTP Request" not in caplog.text
    httpx.get(f"{server.play()}/{content.path}")
    assert "HTTP Request" in caplog.text
