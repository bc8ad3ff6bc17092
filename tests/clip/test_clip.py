"""The front desk: what a name leads to, what `load` gives, what callers may replace."""

from __future__ import annotations

import hashlib
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import clip
from clip import receipts
from clip.errors import CheckpointError, ModelNotFoundError, OfflineError, WrongHashError
from clip.model import CLIP, build_model

SIZES = (64, 32, 2, 128, 16, 77, 49408, 64, 1, 2)


@pytest.fixture(scope="module")
def original() -> CLIP:
    torch.manual_seed(0)
    return CLIP(*SIZES).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, original: CLIP) -> Path:
    """A state dict, the whole model, and an archive in OpenAI's layout, of the same weights."""
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.save(original.state_dict(), folder / "state.pt")
    torch.save(original, folder / "whole.pt")
    from clip.jit import scripted

    archive = scripted(build_model(dict(original.state_dict())).float())
    assert archive is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit is deprecated
        torch.jit.save(archive, folder / "archive.pt")  # type: ignore[no-untyped-call]
    return folder


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


class Cache:
    """A cache directory with one named model in it, and no network."""

    def __init__(self, folder: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = archive.read_bytes()
        self.sha256 = hashlib.sha256(self.bytes).hexdigest()
        self.root = folder / "cache"
        self.file = self.root / "toy.pt"
        self.mirror = folder / "mirror"
        self.root.mkdir()
        self.put(self.bytes)
        url = f"https://127.0.0.1:9/clip/{self.sha256}/toy.pt"
        monkeypatch.setitem(clip.clip._MODELS, "toy", url)
        monkeypatch.setenv("CLIP_OFFLINE", "1")

    def put(self, data: bytes) -> None:
        """A file that is old enough for a receipt to be worth something."""
        self.file.write_bytes(data)
        os.utime(self.file, (1_600_000_000, 1_600_000_000))

    def load(self, **options: Any) -> CLIP:
        model, _ = clip.load("toy", "cpu", download_root=str(self.root), **options)
        assert isinstance(model, CLIP)
        return model


@pytest.fixture
def cache(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    return Cache(tmp_path, folder / "archive.pt", monkeypatch)


def test_a_plain_state_dict_keeps_its_float32_values(folder: Path, original: CLIP) -> None:
    model, _ = clip.load(folder / "state.pt", "cpu")
    for (name, one), (_, other) in zip(
        model.state_dict().items(), original.state_dict().items(), strict=True
    ):
        assert torch.equal(one, other), name


def test_an_archive_is_rounded_through_float16_as_the_original_does(
    folder: Path, original: CLIP
) -> None:
    model, _ = clip.load(folder / "archive.pt", "cpu")
    expected = build_model(dict(original.state_dict())).float().state_dict()
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, expected[name]), name


def test_the_model_is_ready_for_inference_and_for_training(folder: Path) -> None:
    model, _ = clip.load(folder / "whole.pt", "cpu")
    assert not model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    addresses = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    assert len(addresses) == len(list(model.parameters()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_dtype_is_that_of_the_large_weights(folder: Path, dtype: torch.dtype) -> None:
    model, _ = clip.load(folder / "state.pt", "cpu", dtype=dtype)
    assert model.dtype == model.text_projection.dtype == dtype
    assert model.ln_final.weight.dtype == model.token_embedding.weight.dtype == torch.float32


def test_loading_leaves_the_random_state_alone(folder: Path) -> None:
    before = torch.get_rng_state()
    clip.load(folder / "state.pt", "cpu")
    assert torch.equal(torch.get_rng_state(), before)


def test_the_caller_s_word_overrules_the_config(folder: Path) -> None:
    model, preprocess = clip.load(
        folder / "state.pt", "cpu", activation="gelu", mean=(0.5, 0.5, 0.5), std=(1, 1, 1)
    )
    assert isinstance(model.transformer.resblocks[0].mlp.gelu, torch.nn.GELU)
    grey = preprocess(Image.new("RGB", (64, 64), (128, 128, 128)))
    torch.testing.assert_close(grey, torch.full((3, 32, 32), 128 / 255 - 0.5))


def test_with_a_replaced_class_the_original_s_way_is_taken(
    folder: Path, original: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Norm(clip.model.LayerNorm):
        def __init__(self, width: int) -> None:
            super().__init__(width, eps=1e-2)

    monkeypatch.setattr(clip.model, "LayerNorm", Norm)
    model, _ = clip.load(folder / "state.pt", "cpu")
    assert type(model.ln_final) is Norm
    assert model.ln_final.eps == 1e-2
    assert torch.equal(model.visual.proj, original.visual.proj.half().float()), "it rounds"


def test_a_replaced_build_model_gets_what_an_archive_holds(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, torch.Tensor] = {}

    def build(state_dict: dict[str, torch.Tensor]) -> CLIP:
        found.update(state_dict)
        return build_model(state_dict)

    monkeypatch.setattr(clip.clip, "build_model", build)
    clip.load(folder / "archive.pt", "cpu")
    assert found["context_length"].item() == 77
    assert found["input_resolution"].item() == 32


def test_jit_gives_a_script_module_of_an_archive(folder: Path, image: torch.Tensor) -> None:
    eager, _ = clip.load(folder / "archive.pt", "cpu")
    module, preprocess = clip.load(folder / "archive.pt", "cpu", jit=True)
    assert isinstance(module, torch.jit.ScriptModule)
    assert module.input_resolution.item() == preprocess.transforms[0].size == 32
    torch.testing.assert_close(module.encode_image(image), eager.encode_image(image))


def test_jit_warns_when_the_file_is_no_archive(folder: Path) -> None:
    with pytest.warns(UserWarning, match="is not a JIT archive"):
        model, _ = clip.load(folder / "state.pt", "cpu", jit=True)
    assert isinstance(model, CLIP)


def test_an_unknown_name_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"Model ViT-B/33 not found; available models = "):
        clip.load("ViT-B/33")
    with pytest.raises(ModelNotFoundError, match=r"Did you mean 'ViT-B/32'\?"):
        clip.load("ViT-B/33")
    with pytest.raises(ModelNotFoundError, match=r"There is no file .*nothing\.pt"):
        clip.load(tmp_path / "nothing.pt")


@pytest.mark.parametrize("name", ["", "local-dir:", "x" * 5000])
def test_names_of_nothing_are_not_found(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="not found"):
        clip.load(name)


def test_options_that_mean_nothing_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match='\'never\': "receipt" or "always" expected'):
        clip.load(folder / "state.pt", "cpu", verify="never")
    with pytest.raises(TypeError, match="does not know activations"):
        clip.load(folder / "state.pt", "cpu", activations="gelu")
    with pytest.raises(ValueError, match="mean and std have a number for each"):
        clip.load(folder / "state.pt", "cpu", mean=(0.5, 0.5))


def test_a_file_comes_before_other_spellings(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").write_bytes((folder / "state.pt").read_bytes())
    model, _ = clip.load("tiny", "cpu")
    assert model.visual.conv1.weight.shape == (128, 3, 16, 16)


def test_another_spelling_leads_to_the_official_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIP_OFFLINE", "1")
    with pytest.raises(OfflineError, match=r"ViT-B-32\.pt is not there"):
        clip.load("openai/clip-vit-base-patch32", download_root=str(tmp_path))


def test_a_missing_local_dir_is_not_taken_for_a_model_name(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="not found"):
        clip.load(f"local-dir:{tmp_path}/nowhere")


def test_a_named_file_is_hashed_once_and_then_known_by_its_receipt(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.name != "posix":
        pytest.skip("receipts are believed on POSIX only")
    os.utime(cache.file, (1_600_000_000, 1_600_000_000))
    hashed: list[str] = []
    verify = receipts.verify

    def spy(file: Any, path: Any, sha256: str) -> bool:
        hashed.append(sha256)
        return verify(file, path, sha256)

    monkeypatch.setattr(receipts, "verify", spy)
    with cache.file.open("rb") as file:
        receipts.write(file, cache.file, cache.sha256)
    cache.load()
    assert hashed == []
    cache.load(verify="always")
    assert hashed == [cache.sha256]


def test_a_damaged_named_file_is_no_model(cache: Cache) -> None:
    damaged = bytearray(cache.bytes)
    damaged[len(damaged) // 2] ^= 1
    cache.put(bytes(damaged))
    with pytest.raises(OfflineError, match="has the wrong content"):
        cache.load()


def test_a_damaged_named_file_is_set_aside_and_replaced(cache: Cache, original: CLIP) -> None:
    cache.put(cache.bytes[:-1000])
    cache.mirror.mkdir()
    (cache.mirror / "toy.pt").write_bytes(cache.bytes)
    assert cache.load(mirrors=[str(cache.mirror)]).vocab_size == original.vocab_size
    assert cache.file.read_bytes() == cache.bytes
    assert len(list(cache.root.glob("toy.pt.*.broken"))) == 1


def test_a_named_file_that_no_source_can_mend_names_both_hash_and_file(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put(cache.bytes[:-1000])
    monkeypatch.setattr(clip.clip.download, "fetch", lambda url, target, **_: target)
    with pytest.raises(WrongHashError, match=f"toy.pt: its SHA-256 is not {cache.sha256}"):
        cache.load()


def test_a_secret_in_an_address_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIP_OFFLINE", "1")
    url = f"https://me:SECRET@example.org/{'0' * 64}/toy.pt?sig=SECRET/x"
    with pytest.raises(OfflineError, match=r"toy\.pt is not there") as caught:
        clip.clip._download(url, str(tmp_path))
    assert "SECRET" not in str(caught.value)


def test_a_caller_s_own_download_answers_for_its_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, str]] = []

    def download(url: str, root: str) -> str:
        asked.append((url, root))
        return str(folder / "state.pt")

    monkeypatch.setattr(clip.clip, "_download", download)
    model, _ = clip.load("RN50", "cpu", download_root=str(tmp_path))
    assert asked == [(clip.clip._MODELS["RN50"], str(tmp_path))]
    assert model.visual.output_dim == 64


def test_a_broken_file_says_which(tmp_path: Path) -> None:
    (tmp_path / "page.pt").write_text("<!DOCTYPE html><html>sign in</html>", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"page\.pt"):
        clip.load(tmp_path / "page.pt")


def test_available_models_are_those_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(clip.available_models()) == 9
    monkeypatch.setitem(clip.clip._MODELS, "mine", "https://example.org/0/mine.pt")
    assert clip.available_models()[-1] == "mine"


def test_the_transform_pickles_under_the_name_that_others_know() -> None:
    transform = clip.clip._transform(32)
    again = pickle.loads(pickle.dumps(transform))
    assert again.transforms[2] is clip.clip._convert_image_to_rgb
    picture = Image.fromarray(np.arange(60 * 40 * 3, dtype=np.uint8).reshape(60, 40, 3))
    assert torch.equal(again(picture), transform(picture))


def test_tokenize_takes_a_text_a_list_and_any_iterable() -> None:
    rows = clip.tokenize(text for text in ("a cat", "a dog"))
    assert rows.shape == (2, 77)
    assert rows.dtype == torch.int32
    assert torch.equal(clip.tokenize("a cat")[0], rows[0])
    assert clip.tokenize([]).shape == (0, 77)


def test_a_replaced_tokenizer_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Letters:
        encoder = {"<|startoftext|>": 1, "<|endoftext|>": 2}  # noqa: RUF012

        def encode(self, text: str) -> list[int]:
            return [ord(letter) for letter in text]

    monkeypatch.setattr(clip.clip, "_tokenizer", Letters())
    assert clip.tokenize("ab", context_length=5).tolist() == [[1, 97, 98, 2, 0]]
