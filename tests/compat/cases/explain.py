"""Looking inside: hooks, attention weights and their gradients (Grad-CAM, rollout, CLIPasso)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


def grad_cam_resnet(clip, kit):
    """Activations and gradients of `layer4` by hooks on module and tensor."""
    model, _ = clip.load(kit.resnet, device="cpu")
    kept = {}

    def keep(module, inputs, output):
        kept["activation"] = output
        output.register_hook(lambda gradient: kept.update(gradient=gradient))

    model.visual.layer4.register_forward_hook(keep)
    texts = model.encode_text(clip.tokenize(["a dog"]))
    pictures = model.encode_image(kit.pixels(1, 96))
    (pictures / pictures.norm(dim=-1, keepdim=True) * texts).sum().backward()
    weights = kept["gradient"].mean(dim=(2, 3), keepdim=True)
    cam = F.relu((weights * kept["activation"]).sum(dim=1))
    return {"cam": cam, "gradient": kept["gradient"]}


def attention_weights_by_hook(clip, kit):
    """A hook on `attn` that calls it again for its weights, guarded against itself."""
    model, _ = clip.load(kit.vit, device="cpu")
    maps, busy = [], []

    def again(module, inputs, output):
        if not busy:
            busy.append(True)
            maps.append(module(*inputs[:3], need_weights=True, average_attn_weights=True)[1])
            busy.pop()

    for block in model.visual.transformer.resblocks:
        block.attn.register_forward_hook(again)
    with torch.no_grad():
        features = model.encode_image(kit.pixels(2))
    return {"maps": torch.stack(maps), "features": features}


def keyword_hooks(clip, kit):
    """Hooks with keywords see how `attn` is called: positions, `need_weights` and the mask."""
    model, _ = clip.load(kit.vit, device="cpu")
    calls, masks = [], []

    def note(module, inputs, keywords, output):
        calls.append([len(inputs), sorted(keywords), keywords["need_weights"], output[1] is None])
        masks.append(keywords["attn_mask"])

    for tower in (model.visual.transformer, model.transformer):
        tower.resblocks[0].attn.register_forward_hook(note, with_kwargs=True)
    model(kit.pixels(1), clip.tokenize("a cat"))
    return {"calls": calls, "vision": masks[0] is None, "text": masks[1]}


def hooked_shapes(clip, kit):
    """What forward hooks and pre-hooks see at every module of both towers."""
    seen = {}
    for kind, path, size in (("vit", kit.vit, 64), ("resnet", kit.resnet, 96)):
        model, _ = clip.load(path, device="cpu")
        for name, module in model.named_modules():
            module.register_forward_hook(
                lambda module, inputs, output, name=f"{kind}:{name}": seen.update(
                    {name: [_shapes(inputs), _shapes(output)]}
                )
            )
        model(kit.pixels(2, size), clip.tokenize(["a", "b", "c"]).long())
    return {"shapes": seen}


def _shapes(value):
    if isinstance(value, torch.Tensor):
        return [str(value.dtype), *value.shape]
    return [_shapes(part) for part in value] if isinstance(value, (tuple, list)) else None


class _Recording(nn.Module):
    """Chefer et al.: attention spelled out, keeping its probabilities and their gradient."""

    def __init__(self, attn):
        super().__init__()
        self.in_proj_weight, self.in_proj_bias = attn.in_proj_weight, attn.in_proj_bias
        self.out_proj, self.num_heads = attn.out_proj, attn.num_heads

    def forward(self, query, key, value, need_weights=False, attn_mask=None):
        length, batch, width = query.shape
        q, k, v = F.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        q, k, v = (t.reshape(length, batch * self.num_heads, -1).transpose(0, 1) for t in (q, k, v))
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        self.probabilities = (scores if attn_mask is None else scores + attn_mask).softmax(-1)
        self.probabilities.register_hook(lambda gradient: setattr(self, "gradient", gradient))
        mixed = (self.probabilities @ v).transpose(0, 1).reshape(length, batch, width)
        return self.out_proj(mixed), None


def relevance_maps(clip, kit):
    """Transformer-MM-Explainability: `attn` of every block swapped, relevances rolled out."""
    model, _ = clip.load(kit.vit, device="cpu")
    towers = model.visual.transformer, model.transformer
    for tower in towers:
        for block in tower.resblocks:
            block.attn = _Recording(block.attn)
    texts = clip.tokenize(["a cat", "a dog"])
    logits, _ = model(kit.pixels(1).repeat(2, 1, 1, 1), texts)
    model.zero_grad()
    (torch.eye(2) * logits).sum().backward()
    result = {"logits": logits}
    for name, tower in zip(("picture", "text"), towers, strict=True):
        blocks = list(dict(tower.resblocks.named_children()).values())
        length = blocks[0].attn.probabilities.shape[-1]
        relevance = torch.eye(length).expand(2, -1, -1)
        for block in blocks:
            cam = (block.attn.gradient * block.attn.probabilities).clamp(min=0)
            cam = cam.reshape(2, -1, length, length).mean(dim=1)
            relevance = relevance + torch.bmm(cam, relevance)
        result[name] = relevance[:, 0] if name == "picture" else relevance[:, 3, :5]
    return result


def attention_rollout(clip, kit):
    """Rollout from a patched class: every block of both towers hands its weights over."""
    kept = []

    def attention(self, x):
        mask = self.attn_mask.to(dtype=x.dtype) if self.attn_mask is not None else None
        output, weights = self.attn(x, x, x, need_weights=True, attn_mask=mask)
        kept.append(weights.detach())
        return output

    block = clip.model.ResidualAttentionBlock
    original = block.attention
    block.attention = attention
    try:
        model, _ = clip.load(kit.vit, device="cpu")
        logits, _ = model(kit.pixels(1), clip.tokenize(["a cat"]))
    finally:
        block.attention = original
    joint = torch.eye(kept[0].shape[-1])
    for weights in kept[:3]:
        mixed = 0.5 * weights + 0.5 * torch.eye(weights.shape[-1])
        joint = mixed / mixed.sum(dim=-1, keepdim=True) @ joint
    return {"logits": logits, "count": len(kept), "rollout": joint, "text": kept[-1][:, 3]}


def clipasso_vit(clip, kit):
    """Perceptual losses of all blocks between a sketch and its target, with gradients."""
    model, _ = clip.load(kit.vit, device="cpu", jit=False)
    maps = {}
    for index, block in enumerate(model.visual.transformer.resblocks):
        block.register_forward_hook(
            lambda module, inputs, out, index=index: maps.update({index: out.permute(1, 0, 2)})
        )
    sketch, target = kit.pixels(1, seed=1).requires_grad_(), kit.pixels(1, seed=2)
    model.encode_image(target)
    wanted = dict(maps)
    features = model.encode_image(sketch).float()
    losses = [1 - F.cosine_similarity(maps[i], wanted[i], dim=1).mean() for i in range(3)]
    sum(losses).backward()
    return {"losses": torch.stack(losses), "features": features, "gradient": sketch.grad}


def clipasso_resnet(clip, kit):
    """The ResNet as a list of children: stem by index, stages by hand."""
    model, _ = clip.load(kit.resnet, device="cpu")
    layers = list(model.visual.children())

    def stem(x):
        for conv, norm, relu in (layers[:3], layers[3:6], layers[6:9]):
            x = relu(norm(conv(x)))
        return layers[9](x)

    x = stem(kit.pixels(2, 96).type(model.visual.conv1.weight.dtype))
    stages = []
    for layer in layers[10:14]:
        x = layer(x)
        stages.append(x.mean(dim=(1, 2, 3)))
    names = [type(layer).__name__ for layer in layers]
    return {"names": names, "stages": torch.stack(stages), "pooled": layers[14](x)}


def silent_pool_projections(clip, kit):
    """Hooks on attnpool's projections never fire: they are only weights."""
    model, _ = clip.load(kit.resnet, device="cpu")
    fired = []
    for name in ("q_proj", "k_proj", "v_proj", "c_proj"):
        projection = getattr(model.visual.attnpool, name)
        projection.register_forward_hook(lambda *_, name=name: fired.append(name))
        projection.register_forward_pre_hook(lambda *_, name=name: fired.append(name))
    return {"features": model.encode_image(kit.pixels(1, 96)), "fired": fired}


def causal_tracing(clip, kit):
    """Interventions: hooks that replace what a block, an MLP or a norm gives."""
    model, _ = clip.load(kit.vit, device="cpu")
    text, vision = model.transformer.resblocks, model.visual.transformer.resblocks
    text[1].register_forward_hook(lambda module, inputs, output: output * 0.9)
    vision[0].mlp.register_forward_hook(lambda module, inputs, output: output + 0.01)
    vision[1].mlp.c_fc.register_forward_hook(lambda module, inputs, output: output.clamp(max=1))
    vision[2].mlp.gelu.register_forward_hook(lambda module, inputs, output: output.abs())
    vision[1].attn.register_forward_hook(lambda m, inputs, output: (output[0] * 1.1, output[1]))
    text[0].ln_2.register_forward_pre_hook(lambda module, inputs: (inputs[0] - 0.05,))
    model.ln_final.register_forward_hook(lambda module, inputs, output: output + 0.02)
    model.visual.register_forward_hook(lambda module, inputs, output: output * 2)
    return {"logits": model(kit.pixels(2), clip.tokenize(["a cat", "a dog"]))[0]}


def backward_hooks(clip, kit):
    """Full backward hooks on blocks, attention and the linears of the MLP."""
    model, _ = clip.load(kit.vit, device="cpu")
    norms = {}
    for name, module in model.visual.transformer.named_modules():
        if name.endswith((".0", ".attn", "c_fc", "c_proj", "ln_2")):
            module.register_full_backward_hook(
                lambda module, given, taken, name=name: norms.update({name: taken[0].norm()})
            )
    model.encode_image(kit.pixels(2)).pow(2).sum().backward()
    return {"names": list(norms), "norms": torch.stack(list(norms.values()))}
