"""Learned prompts: the text tower taken apart (CoOp, CoCoOp, MaPLe, textual inversion, ...)."""

from __future__ import annotations

import torch
from torch import nn

NAMES = ["golden retriever", "fire truck", "sunflower"]


class _TextEncoder(nn.Module):
    """CoOp's: runs embeddings, not ids, through the pieces of CLIP's text tower."""

    def __init__(self, model):
        super().__init__()
        self.transformer = model.transformer
        self.positional_embedding = model.positional_embedding
        self.ln_final = model.ln_final
        self.text_projection = model.text_projection
        self.dtype = model.dtype

    def forward(self, prompts, tokens):
        x = prompts + self.positional_embedding.type(self.dtype)
        x = self.transformer(x.permute(1, 0, 2)).permute(1, 0, 2)
        x = self.ln_final(x).type(self.dtype)
        return x[torch.arange(x.shape[0]), tokens.argmax(dim=-1)] @ self.text_projection


def _learner(clip, model, kit, contexts=4):
    """Class prompts whose first words are free vectors, and their token ids."""
    tokens = clip.tokenize([" ".join(["X"] * contexts) + f" {name}." for name in NAMES])
    with torch.no_grad():
        words = model.token_embedding(tokens).type(model.dtype)
    width = model.ln_final.weight.shape[0]
    context = nn.Parameter(kit.noise(contexts, width, seed=5, scale=0.02).type(model.dtype))
    return tokens, words, context


def _joined(words, context):
    middle = context.expand(words.shape[0], -1, -1) if context.dim() == 2 else context
    return torch.cat([words[:, :1], middle, words[:, 1 + middle.shape[1] :]], dim=1)


def coop(clip, kit):
    """Context vectors shared by all classes, trained against picture features."""
    model, _ = clip.load(kit.vit, device="cpu")
    model.requires_grad_(False)
    encoder = _TextEncoder(model)
    tokens, words, context = _learner(clip, model, kit)
    optimizer = torch.optim.SGD([context], lr=0.002)
    pictures = model.encode_image(kit.pixels(3))
    pictures = pictures / pictures.norm(dim=-1, keepdim=True)
    losses = []
    for _ in range(2):
        texts = encoder(_joined(words, context), tokens)
        texts = texts / texts.norm(dim=-1, keepdim=True)
        logits = model.logit_scale.exp() * pictures @ texts.t()
        loss = nn.functional.cross_entropy(logits, torch.arange(3))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return {"logits": logits, "gradient": context.grad, "losses": torch.stack(losses)}


def coop_from_the_downloaded_archive(clip, kit):
    """CoOp's own way to a model: the archive's state dict through `build_model`, fp16 then fp32."""
    archive = torch.jit.load(kit.vit, map_location="cpu").eval()
    model = clip.model.build_model(archive.state_dict())
    half = model.dtype
    model = model.float()
    tokens, words, context = _learner(clip, model, kit)
    return {"before": str(half), "features": _TextEncoder(model)(_joined(words, context), tokens)}


def cocoop(clip, kit):
    """Prompts shifted by each picture: a loop of many small text batches, in fp16."""
    model, _ = clip.load(kit.vit, device="cpu")
    clip.model.convert_weights(model)
    encoder = _TextEncoder(model)
    tokens, words, context = _learner(clip, model, kit)
    pictures = model.encode_image(kit.pixels(2).type(model.dtype))
    pictures = pictures / pictures.norm(dim=-1, keepdim=True)
    shift = nn.Linear(pictures.shape[-1], context.shape[-1]).half()
    shift.weight.data = kit.noise(*shift.weight.shape, scale=0.02).half()
    shift.bias.data.zero_()
    logits = []
    for feature, bias in zip(pictures, shift(pictures), strict=True):
        texts = encoder(_joined(words, context + bias), tokens)
        texts = texts / texts.norm(dim=-1, keepdim=True)
        logits.append(model.logit_scale.exp() * feature @ texts.t())
    return {"logits": torch.stack(logits)}


class _DeepBlock(nn.Module):
    """A block that overwrites the context with prompts of its own layer, after MaPLe and VPT."""

    def __init__(self, block, prompts, first):
        super().__init__()
        self.block = block
        self.prompts = nn.Parameter(prompts)
        self.first = first

    def forward(self, x):
        count = self.prompts.shape[0]
        middle = self.prompts.unsqueeze(1).expand(-1, x.shape[1], -1).to(x.dtype)
        return self.block(torch.cat([x[: self.first], middle, x[self.first + count :]]))


def maple(clip, kit):
    """Deep prompts in both towers; the blocks are wrapped inside `resblocks`."""
    model, _ = clip.load(kit.vit, device="cpu")
    texts, vision = model.transformer, model.visual.transformer
    for seed, tower in enumerate((texts, vision)):
        for layer in (1, 2):
            prompts = kit.noise(2, tower.width, seed=20 + seed + layer, scale=0.02)
            tower.resblocks[layer] = _DeepBlock(tower.resblocks[layer], prompts, first=1)
    logits, _ = model(kit.pixels(2), clip.tokenize(NAMES))
    logits.sum().backward()
    gradients = [tower.resblocks[1].prompts.grad for tower in (texts, vision)]
    return {"logits": logits, "text": gradients[0], "vision": gradients[1]}


def visual_prompt_tuning(clip, kit):
    """Prompt tokens between the class token and the patches, by way of `transformer` alone."""
    model, _ = clip.load(kit.vit, device="cpu")
    visual = model.visual
    prompts = nn.Parameter(kit.noise(5, visual.conv1.out_channels, seed=6))
    x = visual.conv1(kit.pixels(2).type(model.dtype)).flatten(2).permute(0, 2, 1)
    x = torch.cat([visual.class_embedding.to(x.dtype).expand(x.shape[0], 1, -1), x], dim=1)
    x = visual.ln_pre(x + visual.positional_embedding.to(x.dtype))
    x = torch.cat([x[:, :1], prompts.expand(x.shape[0], -1, -1), x[:, 1:]], dim=1)
    x = visual.transformer(x.permute(1, 0, 2)).permute(1, 0, 2)
    features = visual.ln_post(x[:, 0, :]) @ visual.proj
    features.norm(dim=-1).sum().backward()
    return {"features": features, "gradient": prompts.grad}


def textual_inversion(clip, kit):
    """A new word: the vocabulary grows by one id above 49407 and its row is written."""
    model, _ = clip.load(kit.vit, device="cpu")
    old = model.token_embedding
    model.token_embedding = nn.Embedding(old.num_embeddings + 1, old.embedding_dim)
    with torch.no_grad():
        model.token_embedding.weight[:-1] = old.weight
        model.token_embedding.weight[-1] = kit.noise(old.embedding_dim, seed=7)
    tokens = clip.tokenize(["a photo of a cat on a mat", "sunflower"]).long()
    tokens[0, 5] = old.num_embeddings
    where = tokens.argmax(dim=-1)  # The new id is the highest, so CLIP reads out its place
    features = model.encode_text(tokens)
    features.sum().backward()
    rows = model.token_embedding.weight.grad[[-1, int(tokens[0, 1])]]
    return {"where": where, "features": features, "gradient": rows}


def resized_vocabulary_in_place(clip, kit):
    """The rows of `token_embedding.weight` extended through `.data`, a new tokenizer entry."""
    model, _ = clip.load(kit.vit, device="cpu")
    tokenizer = clip.simple_tokenizer.SimpleTokenizer()
    tokenizer.encoder["<style>"] = len(tokenizer.encoder)
    weight = model.token_embedding.weight
    weight.data = torch.cat([weight.data, kit.noise(1, weight.shape[1], seed=8)])
    text = torch.zeros(1, 77, dtype=torch.long)
    ids = [49406, *tokenizer.encode("a"), tokenizer.encoder["<style>"], 49407]
    text[0, : len(ids)] = torch.tensor(ids)
    return {"ids": ids, "features": model.encode_text(text)}


def pseudo_tokens(clip, kit):
    """SEARLE and Pic2Word: a vector in the place of `$`, read out at the end of the text."""
    model, _ = clip.load(kit.vit, device="cpu")
    tokens = clip.tokenize(["a photo of $", "$ in the snow"])
    x = model.token_embedding(tokens).type(model.dtype)
    x = torch.where(
        (tokens == 259).unsqueeze(-1), kit.noise(2, 1, x.shape[-1]).type(model.dtype), x
    )
    x = (x + model.positional_embedding.type(model.dtype)).permute(1, 0, 2)
    x = model.ln_final(model.transformer(x).permute(1, 0, 2)).type(model.dtype)
    return {"features": x[torch.arange(x.shape[0]), tokens.argmax(dim=-1)] @ model.text_projection}


def all_token_features(clip, kit):
    """Stable-diffusion style conditioning: every position of the last and the penultimate block."""
    model, _ = clip.load(kit.vit, device="cpu")
    states = []
    hooks = [block.register_forward_hook(lambda m, i, out: states.append(out)) for block in
             model.transformer.resblocks]  # fmt: skip
    model.encode_text(clip.tokenize(NAMES))
    for hook in hooks:
        hook.remove()
    last, before = states[-1].permute(1, 0, 2), states[-2].permute(1, 0, 2)
    return {"last": model.ln_final(last)[:, :6], "penultimate": model.ln_final(before)[:, :6]}
