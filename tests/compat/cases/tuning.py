"""Fine-tuning: adapters, LoRA, weight-space methods, training loops, copies and pickles."""

from __future__ import annotations

import copy
import io
import threading

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


def tip_adapter(clip, kit):
    """A cache of training features beside the zero-shot classifier; one linear is tuned."""
    model, preprocess = clip.load(kit.resnet, device="cpu")
    model.eval()
    pictures = torch.stack([preprocess(kit.picture(mode)) for mode in ("RGB", "L", "P", "RGBA")])
    with torch.no_grad():
        weights = []
        for name in ("cat", "car"):
            texts = model.encode_text(clip.tokenize([f"itap of a {name}.", f"art of the {name}."]))
            mean = (texts / texts.norm(dim=-1, keepdim=True)).mean(dim=0)
            weights.append(mean / mean.norm())
        classifier = torch.stack(weights, dim=1)
        keys = model.encode_image(pictures)
        keys = (keys / keys.norm(dim=-1, keepdim=True)).permute(1, 0)
    values = F.one_hot(torch.tensor([0, 0, 1, 1])).to(keys.dtype)
    adapter = nn.Linear(keys.shape[0], keys.shape[1], bias=False).to(model.dtype)
    adapter.weight = nn.Parameter(keys.t())
    features = F.normalize(model.encode_image(kit.pixels(2, 96)), dim=-1)
    affinity = adapter(features)
    logits = ((-1) * (5.5 - 5.5 * affinity)).exp() @ values + 100.0 * features @ classifier
    F.cross_entropy(logits, torch.tensor([0, 1])).backward()
    return {"logits": logits, "gradient": adapter.weight.grad}


def clip_adapter(clip, kit):
    """A bottleneck after a frozen tower, mixed with what went in, in fp16."""
    model, _ = clip.load(kit.vit, device="cpu")
    clip.model.convert_weights(model)
    width = model.visual.output_dim
    adapter = nn.Sequential(nn.Linear(width, 16, bias=False), nn.ReLU(inplace=True),
                            nn.Linear(16, width, bias=False), nn.ReLU(inplace=True))  # fmt: skip
    for seed, index in enumerate((0, 2)):
        weight = adapter[index].weight
        weight.data = kit.noise(*weight.shape, seed=30 + seed, scale=0.1)
    adapter = adapter.to(model.dtype)
    features = model.visual(kit.pixels(2).type(model.dtype))
    mixed = 0.2 * adapter(features) + 0.8 * features
    return {"mixed": mixed, "dtype": str(mixed.dtype)}


class _LoRALinear(nn.Module):
    def __init__(self, linear, down, up):
        super().__init__()
        self.linear = linear
        self.down, self.up = nn.Parameter(down), nn.Parameter(up)

    def forward(self, x):
        return self.linear(x) + x @ self.down.t() @ self.up.t()


def lora_on_linears(clip, kit):
    """Every `nn.Linear` found by its exact type is wrapped; only the new weights learn."""
    model, _ = clip.load(kit.vit, device="cpu")
    model.requires_grad_(False)
    names = [name for name, module in model.named_modules() if type(module) is nn.Linear]
    for seed, name in enumerate(names):
        parent, _, leaf = name.rpartition(".")
        linear = model.get_submodule(name)
        down = kit.noise(4, linear.in_features, seed=40 + seed, scale=0.05)
        up = kit.noise(linear.out_features, 4, seed=60 + seed, scale=0.05)
        setattr(model.get_submodule(parent), leaf, _LoRALinear(linear, down, up))
    logits, _ = model(kit.pixels(2), clip.tokenize(["a", "b"]))
    logits.sum().backward()
    learning = [name for name, weight in model.named_parameters() if weight.requires_grad]
    first = model.transformer.resblocks[0].mlp.c_fc.up.grad
    return {"names": names, "learning": learning, "logits": logits, "gradient": first}


class _LoRAAttention(nn.Module):
    """CLIP-LoRA's plain attention: q, k and v as linears of their own, cut from `in_proj`."""

    def __init__(self, attn, kit):
        super().__init__()
        self.heads, self.out_proj = attn.num_heads, attn.out_proj
        width = attn.embed_dim
        self.parts = nn.ModuleList()
        for index in range(3):
            linear = nn.Linear(width, width)
            rows = slice(index * width, (index + 1) * width)
            linear.weight.data = attn.in_proj_weight.data[rows].clone()
            linear.bias.data = attn.in_proj_bias.data[rows].clone()
            down = kit.noise(2, width, seed=80 + index, scale=0.1)
            self.parts.append(_LoRALinear(linear, down, down.t().clone()))

    def forward(self, query, key, value, need_weights=True, attn_mask=None, **_):
        length, batch, width = query.shape
        q, k, v = (part(x) for part, x in zip(self.parts, (query, key, value), strict=True))
        q, k, v = (t.view(length, batch * self.heads, -1).transpose(0, 1) for t in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask)
        return self.out_proj(mixed.transpose(0, 1).reshape(length, batch, width)), None


def lora_on_attention(clip, kit):
    """`attn` of both towers found by `isinstance` and swapped for attention with LoRA."""
    model, _ = clip.load(kit.vit, device="cpu")
    for block in (*model.visual.transformer.resblocks, *model.transformer.resblocks):
        for name, module in list(block.named_children()):
            if isinstance(module, nn.MultiheadAttention):
                setattr(block, name, _LoRAAttention(module, kit))
    logits, _ = model(kit.pixels(2), clip.tokenize(["a", "b"]))
    logits.sum().backward()
    return {"logits": logits, "gradient": model.transformer.resblocks[0].attn.parts[2].up.grad}


def parametrized_weights(clip, kit):
    """`torch.nn.utils.parametrize` on a linear changes its class and makes weights on the fly."""
    model, _ = clip.load(kit.vit, device="cpu")

    class Scaled(nn.Module):
        def forward(self, weight):
            return weight * 0.5

    for block in model.transformer.resblocks:
        nn.utils.parametrize.register_parametrization(block.mlp.c_fc, "weight", Scaled())
        nn.utils.parametrize.register_parametrization(block.attn, "in_proj_weight", Scaled())
    return {"features": model.encode_text(clip.tokenize(["a cat"]))}


def dynamic_quantisation(clip, kit):
    """`quantize_dynamic` swaps the linears of the MLPs; the rest runs in fp32."""
    model, _ = clip.load(kit.vit, device="cpu")
    quantize_dynamic = torch.ao.quantization.quantize_dynamic
    smaller = quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    kind = type(smaller.transformer.resblocks[0].mlp.c_fc)
    with torch.no_grad():
        features = smaller.encode_image(kit.pixels(2))
    return {"kind": [kind.__module__, kind.__name__], "features": features.half()}


def pruned_tower(clip, kit):
    """Blocks dropped and repeated in `resblocks`, and a tower rebuilt around the rest."""
    model, _ = clip.load(kit.vit, device="cpu")
    text, vision = model.transformer, model.visual.transformer
    text.resblocks = text.resblocks[:2]
    vision.resblocks = nn.Sequential(vision.resblocks[2], vision.resblocks[0], vision.resblocks[2])
    logits, _ = model(kit.pixels(2), clip.tokenize(["a", "b"]))
    model.visual.proj = None
    del vision.resblocks[0]
    return {
        "logits": logits,
        "unprojected": model.encode_image(kit.pixels(2)),
        "left": len(vision.resblocks),
    }


def wise_ft(clip, kit):
    """A picture tower without its text tower, pickled whole, interpolated with zero-shot."""
    model, _ = clip.load(kit.vit, device="cpu", jit=False)
    delattr(model, "transformer")
    tuned = copy.deepcopy(model)
    for seed, weight in enumerate(tuned.visual.parameters()):
        weight.data += kit.noise(*weight.shape, seed=100 + seed, scale=0.01)
    file = io.BytesIO()
    torch.save(tuned, file)
    file.seek(0)
    tuned = torch.load(file, map_location="cpu", weights_only=False)
    theta = {key: 0.5 * model.state_dict()[key] + 0.5 * value
             for key, value in tuned.state_dict().items()}  # fmt: skip
    before = tuned.encode_image(kit.pixels(2))
    tuned.load_state_dict(theta)
    return {"tuned": before, "mixed": tuned.encode_image(kit.pixels(2)), "keys": list(theta)}


def task_vectors(clip, kit):
    """A model called with other weights than its own by `torch.func.functional_call`."""
    model, _ = clip.load(kit.vit, device="cpu")
    inputs = kit.pixels(2), clip.tokenize(["a", "b"])
    weights = {name: 1.1 * weight.detach() for name, weight in model.named_parameters()}
    weights["logit_scale"] = torch.tensor(1.0)
    with torch.no_grad():
        other, _ = torch.func.functional_call(model, weights, inputs)
        own, _ = model(*inputs)
    return {"other": other, "own": own}


def contrastive_training(clip, kit):
    """Some steps of the usual fine-tuning loop on both towers in fp32, BatchNorm included."""
    results = {}
    for kind, path, size in (("vit", kit.vit, 64), ("resnet", kit.resnet, 96)):
        model, _ = clip.load(path, device="cpu", jit=False)
        model.train()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=0.1)
        texts, losses = clip.tokenize(["a cat", "a dog", "rain"]), []
        for step in range(2):
            by_image, by_text = model(kit.pixels(3, size, seed=step), texts)
            truth = torch.arange(3)
            loss = (F.cross_entropy(by_image, truth) + F.cross_entropy(by_text, truth)) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        model.eval()
        results[f"{kind}_losses"] = torch.stack(losses)
        results[f"{kind}_after"] = model(kit.pixels(2, size), texts)[0]
        results[f"{kind}_modes"] = sorted({m.training for m in model.modules()})
    return results


def all_gradients(clip, kit):
    """The gradient of every weight of both kinds of model, by name."""
    results = {}
    for kind, path, size in (("vit", kit.vit, 64), ("resnet", kit.resnet, 96)):
        model, _ = clip.load(path, device="cpu")
        logits, _ = model(kit.pixels(2, size), clip.tokenize(["a cat", "two dogs"]))
        F.cross_entropy(logits, torch.tensor([1, 0])).backward()
        for name, weight in model.named_parameters():
            if weight.grad.numel() < 1000:
                results[f"{kind}:{name}"] = weight.grad
            else:
                moments = weight.grad.double()
                results[f"{kind}:{name}"] = torch.stack([moments.abs().mean(), moments.norm()])
    return {name: value.float() for name, value in results.items()}


def mixed_precision_training(clip, kit):
    """OpenAI's advice for fine-tuning: weights to fp32 for the step, `convert_weights` after."""
    model, _ = clip.load(kit.vit, device="cpu", jit=False)
    clip.model.convert_weights(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    logits, _ = model(kit.pixels(2).half(), clip.tokenize(["a", "b"]))
    F.cross_entropy(logits.float(), torch.arange(2)).backward()
    for weight in model.parameters():
        weight.data, weight.grad.data = weight.data.float(), weight.grad.data.float()
    optimizer.step()
    clip.model.convert_weights(model)
    after, _ = model(kit.pixels(2).half(), clip.tokenize(["a", "b"]))
    return {"logits": logits, "after": after}


def autocast(clip, kit):
    """bfloat16 autocast on CPU: dtypes and values of what comes out."""
    model, _ = clip.load(kit.vit, device="cpu")
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        pictures, texts = (
            model.encode_image(kit.pixels(2)),
            model.encode_text(clip.tokenize("a cat")),
        )
    dtypes = [str(pictures.dtype), str(texts.dtype)]
    return {"dtypes": dtypes, "pictures": pictures.half(), "texts": texts.half()}


def gradient_checkpointing(clip, kit):
    """Blocks run under `checkpoint_sequential` while training."""
    model, _ = clip.load(kit.vit, device="cpu")

    def forward(x):
        blocks = model.transformer.resblocks
        return torch.utils.checkpoint.checkpoint_sequential(blocks, 2, x, use_reentrant=False)

    model.transformer.forward = forward
    features = model.encode_text(clip.tokenize(["a cat"]))
    features.sum().backward()
    return {"features": features, "gradient": model.positional_embedding.grad}


def changed_weights(clip, kit):
    """Every way that callers change weights between two calls is seen at the next."""
    model, _ = clip.load(kit.vit, device="cpu")
    inputs, results = (kit.pixels(2), clip.tokenize(["a", "b"])), {}
    block, text = model.visual.transformer.resblocks[0], model.transformer.resblocks[0]
    new = kit.noise(*text.mlp.c_proj.weight.shape, seed=9, scale=0.1)

    def by_numpy():
        text.mlp.c_fc.bias.detach().numpy()[:] += 0.1

    changes = {
        "data in place": lambda: block.mlp.c_fc.weight.data.mul_(2),
        "data of attention": lambda: block.attn.in_proj_weight.data.mul_(0.5),
        "data of out_proj": lambda: text.attn.out_proj.weight.data.mul_(1.5),
        "data assigned": lambda: setattr(text.mlp.c_proj.weight, "data", new),
        "new parameter": lambda: setattr(block.ln_1, "weight", nn.Parameter(torch.ones(128))),
        "numpy": by_numpy,
        "proj": lambda: model.visual.proj.data.mul_(1.2),
        "scale": lambda: model.logit_scale.data.fill_(1.0),
        "conv": lambda: model.visual.conv1.weight.data.mul_(0.8),
        "embedding": lambda: model.token_embedding.weight.data.mul_(1.1),
        "loaded": lambda: model.load_state_dict(
            {k: 0.9 * v for k, v in model.state_dict().items()}
        ),
    }
    with torch.no_grad():
        results["before"] = model(*inputs)[0]
        for name, change in changes.items():
            change()
            results[name] = model(*inputs)[0]
    return results


def copies(clip, kit):
    """`deepcopy`, `DataParallel`, strict loading and a pickle of one model give equal values."""
    model, _ = clip.load(kit.vit, device="cpu")
    inputs = kit.pixels(2), clip.tokenize(["a", "b"])
    clone = copy.deepcopy(model)
    clone.visual.proj.data.mul_(3)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    read = torch.load(file, weights_only=False)
    blank = clip.model.CLIP(64, 64, 3, 128, 16, 77, 49408, 128, 2, 3)
    report = blank.load_state_dict(model.state_dict(), strict=True)
    wrapped = nn.DataParallel(model)
    return {
        "model": model(*inputs)[0],
        "clone": clone(*inputs)[0],
        "parallel": wrapped(*inputs)[0],
        "parallel_keys": list(wrapped.state_dict())[:3],
        "pickled": read(*inputs)[0],
        "loaded": blank.eval()(*inputs)[0],
        "report": str(report),
        "mask_shared": _masks(clone) + _masks(read),
    }


def _masks(model):
    blocks = model.transformer.resblocks
    return [blocks[0].attn_mask is block.attn_mask for block in blocks]


def threads(clip, kit):
    """Several threads encode with one model at the same time."""
    model, _ = clip.load(kit.vit, device="cpu")
    texts = [clip.tokenize([word] * (1 + index)) for index, word in enumerate("abcd")]
    results = {}

    def work(index):
        with torch.no_grad():
            for _ in range(5):
                results[f"picture {index}"] = model.encode_image(kit.pixels(index + 1, seed=index))
                results[f"text {index}"] = model.encode_text(texts[index])

    workers = [threading.Thread(target=work, args=(index,)) for index in range(len(texts))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return results
