"""The model that is served, by each of its names."""

from __future__ import annotations

import pytest

from snaplink.serve.served import check_model
from snaplink.weights import weights_sha256


def test_the_list_has_the_model_with_its_facts(client, tiny):
    said = client.get("/v1/models").json()
    assert said["object"] == "list"
    (model,) = said["data"]
    assert (model["id"], model["object"], model["owned_by"]) == ("tiny", "model", "snaplink")
    assert model["weights_sha256"] == weights_sha256(tiny.model)
    for name in ("dim", "resolution", "context_length", "precision"):
        assert model[name] == getattr(tiny, name)
    assert model["logit_scale"] == pytest.approx(tiny.logit_scale)
    assert "{}" in model["templates"][0]
    assert client.get("/v1/models/tiny").json() == model


@pytest.mark.parametrize("name", ["other", "ViT-B/32", "tiny/", "..%2Ftiny", "%00"])
def test_another_is_not_there(client, name):
    answer = client.get(f"/v1/models/{name}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


class Official:
    name = "ViT-B/32"


@pytest.mark.parametrize("asked", [None, "ViT-B/32", "ViT-B-32", "openai/clip-vit-base-patch32"])
def test_spellings_of_other_projects_mean_it_too(asked):
    assert check_model(asked, Official()) == "ViT-B/32"
