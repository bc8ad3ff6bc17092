"""The module tree: names, order, types, dtypes, signatures, initial values, the mask."""

from __future__ import annotations

import inspect

import torch
from torch import nn

VIT = (64, 64, 3, 128, 16, 77, 600, 128, 2, 3)
RESNET = (64, 96, (1, 2, 1, 1), 8, None, 77, 600, 128, 2, 3)
MODEL_NAMES = [
    "CLIP", "VisionTransformer", "ModifiedResNet", "AttentionPool2d", "Bottleneck", "Transformer",
    "ResidualAttentionBlock", "LayerNorm", "QuickGELU", "build_model", "convert_weights",
]  # fmt: skip


def _described(model):
    return {
        "keys": [[key, str(t.dtype), *t.shape] for key, t in model.state_dict().items()],
        "parameters": [[n, str(p.dtype), p.requires_grad] for n, p in model.named_parameters()],
        "buffers": [[name, str(b.dtype)] for name, b in model.named_buffers()],
        "modules": [
            [n, type(m).__module__, type(m).__qualname__] for n, m in model.named_modules()
        ],
        "training": sorted({module.training for module in model.modules()}),
    }


def names_and_types(clip, kit):
    """Every name, type, shape and dtype of loaded models, and of one in the original's fp16."""
    results = {}
    for kind, path in (("vit", kit.vit), ("resnet", kit.resnet)):
        model, _ = clip.load(path, device="cpu")
        results |= {f"{kind} {name}": value for name, value in _described(model).items()}
        clip.model.convert_weights(model)
        results |= {f"{kind} half {name}": value for name, value in _described(model).items()}
    return results


def exact_types(clip, kit):
    """The layers that callers compare by exact type."""
    model, _ = clip.load(kit.vit, device="cpu")
    block = model.transformer.resblocks[0]
    deep, _ = clip.load(kit.resnet, device="cpu")
    shortcut = deep.visual.layer2[0].downsample
    return {
        "attn": type(block.attn) is nn.MultiheadAttention,
        "linears": [type(block.mlp.c_fc) is nn.Linear, type(block.mlp.c_proj) is nn.Linear],
        "blocks": [
            type(model.transformer.resblocks) is nn.Sequential,
            type(block.mlp) is nn.Sequential,
        ],
        "mlp": list(block.mlp._modules),
        "pool": [type(getattr(deep.visual.attnpool, f"{n}_proj")) is nn.Linear for n in "qkvc"],
        "shortcut": [type(shortcut) is nn.Sequential, list(shortcut._modules)],
        "first": deep.visual.layer1[0].downsample is None,
        "second": deep.visual.layer2[1].downsample is None,
        "expansion": clip.model.Bottleneck.expansion,
        "batch_first": block.attn.batch_first,
        "bias": [block.attn.bias_k is None, block.attn._qkv_same_embed_dim, block.attn.dropout],
        "bases": [
            [base.__name__ for base in getattr(clip.model, name).__mro__[1:-1]]
            for name in MODEL_NAMES[:9]
        ],
    }


def attributes(clip, kit):
    """The attributes that callers read, and their Python types."""
    model, _ = clip.load(kit.vit, device="cpu")
    deep, _ = clip.load(kit.resnet, device="cpu")
    return {
        "clip": [model.context_length, model.vocab_size, str(model.dtype), model.logit_scale.ndim],
        "vit": [
            model.visual.input_resolution,
            model.visual.output_dim,
            model.visual.conv1.stride[0],
        ],
        "resnet": [deep.visual.input_resolution, deep.visual.output_dim, deep.visual._inplanes],
        "pool": deep.visual.attnpool.num_heads,
        "transformer": [model.transformer.width, model.transformer.layers],
        "vision": [model.visual.transformer.width, model.visual.transformer.layers],
        "heads": [
            tower.resblocks[0].attn.num_heads
            for tower in (model.transformer, model.visual.transformer)
        ],
        "types": [
            type(value).__name__
            for value in (
                model.context_length,
                model.vocab_size,
                model.visual.input_resolution,
                model.visual.output_dim,
                model.transformer.width,
                model.transformer.layers,
                deep.visual.input_resolution,
                deep.visual.output_dim,
            )
        ],
        "strides": [block[0].stride for block in (deep.visual.layer1, deep.visual.layer2)],
    }


def instance_attributes(clip, kit):
    """What each instance holds: the original's pickles carry no more and no less."""
    results = {}
    for path in (kit.vit, kit.resnet):
        model, _ = clip.load(path, device="cpu")
        for module in model.modules():
            if type(module).__module__ == "clip.model":
                results.setdefault(type(module).__qualname__, sorted(vars(module)))
    return results


def reset_weights(clip, kit):
    """FiftyOne-like users: `reset_parameters` of every layer, then `initialize_parameters`."""
    model, _ = clip.load(kit.vit, device="cpu")
    torch.manual_seed(5)
    model.apply(lambda m: m.reset_parameters() if hasattr(m, "reset_parameters") else None)
    model.initialize_parameters()
    return {
        "next": torch.rand(2),
        "text": model.encode_text(clip.tokenize("a cat")),
        **{name: _moments(weight) for name, weight in model.state_dict().items()},
    }


def star_import(clip, kit):
    """`from clip.model import *` as forks of towers begin: torch's names come along."""
    names = {}
    exec("from clip.model import *", names)
    expected = [*MODEL_NAMES, "torch", "nn", "F", "np", "OrderedDict"]
    return {name: name in names for name in expected}


def signatures(clip, kit):
    """Names, order, kinds and defaults of the arguments; ours may only add keywords to `load`."""
    functions = {name: getattr(clip.model, name) for name in MODEL_NAMES}
    functions |= {
        "_make_layer": clip.model.ModifiedResNet._make_layer,
        "encode_image": clip.model.CLIP.encode_image,
        "encode_text": clip.model.CLIP.encode_text,
        "forward": clip.model.CLIP.forward,
        "attention": clip.model.ResidualAttentionBlock.attention,
        "block": clip.model.ResidualAttentionBlock.forward,
        "mask": clip.model.CLIP.build_attention_mask,
        "initialise": clip.model.CLIP.initialize_parameters,
        "load": clip.load,
        "tokenize": clip.tokenize,
        "available_models": clip.available_models,
        "_transform": clip.clip._transform,
        "_convert_image_to_rgb": clip.clip._convert_image_to_rgb,
        "get_pairs": clip.simple_tokenizer.get_pairs,
        "basic_clean": clip.simple_tokenizer.basic_clean,
        "whitespace_clean": clip.simple_tokenizer.whitespace_clean,
        "bpe": clip.simple_tokenizer.SimpleTokenizer.bpe,
        "encode": clip.simple_tokenizer.SimpleTokenizer.encode,
    }
    functions.pop("LayerNorm")  # torch's own, inherited
    return {name: _arguments(function) for name, function in functions.items()}


def _arguments(function):
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        [name, argument.default if argument.default is not inspect.Parameter.empty else "required"]
        for name, argument in inspect.signature(function).parameters.items()
        if argument.kind in positional
    ]


def called_by_keyword(clip, kit):
    """All constructors and functions called with the original's argument names."""
    m = clip.model
    parts = [
        m.VisionTransformer(
            input_resolution=32, patch_size=16, width=64, layers=1, heads=1, output_dim=8
        ),
        m.ModifiedResNet(layers=(1, 1, 1, 1), output_dim=8, heads=1, input_resolution=64, width=2),
        m.AttentionPool2d(spacial_dim=2, embed_dim=64, num_heads=1, output_dim=None),
        m.Bottleneck(inplanes=4, planes=2, stride=2),
        m.Transformer(width=64, layers=1, heads=1, attn_mask=None),
        m.ResidualAttentionBlock(d_model=64, n_head=1, attn_mask=None),
    ]
    model, _ = clip.load(name=kit.vit, device="cpu", jit=False, download_root=None)
    text = clip.tokenize(texts="a cat", context_length=77, truncate=False)
    by_image, by_text = model(image=kit.pixels(1), text=text)
    return {
        "counts": [sum(weight.numel() for weight in part.parameters()) for part in parts],
        "default_pool": m.AttentionPool2d(2, 64, 1).c_proj.out_features,
        "default_resnet": [m.ModifiedResNet((1, 1, 1, 1), 8, 32).input_resolution],
        "logits": [list(by_image.shape), list(by_text.shape)],
        "image": model.encode_image(image=kit.pixels(1)),
        "text": model.encode_text(text=text),
    }


def seeded_construction(clip, kit):
    """`CLIP(...)` after a seed: equal values of every weight, and an equal stream afterwards."""
    results = {}
    for kind, sizes in (("vit", VIT), ("resnet", RESNET)):
        torch.manual_seed(42)
        model = clip.model.CLIP(*sizes)
        results[f"{kind} next"] = torch.rand(3)
        results |= {f"{kind} {name}": _moments(w) for name, w in model.state_dict().items()}
        results[f"{kind} training"] = model.training
        torch.manual_seed(1)
        model.initialize_parameters()
        results[f"{kind} again next"] = torch.rand(3)
        results |= {f"{kind} again {n}": _moments(w) for n, w in model.state_dict().items()}
    return results


def seeded_parts(clip, kit):
    """The other constructors draw in the original's order, too."""
    m, results = clip.model, {}
    parts = {
        "block": lambda: m.ResidualAttentionBlock(64, 1),
        "pool": lambda: m.AttentionPool2d(2, 64, 1, 8),
        "bottleneck": lambda: m.Bottleneck(8, 4, 2),
        "vision": lambda: m.VisionTransformer(32, 16, 64, 1, 1, 8),
        "resnet": lambda: m.ModifiedResNet((1, 1, 1, 1), 8, 1, 64, 2),
    }
    for name, make in parts.items():
        torch.manual_seed(7)
        part = make()
        results[f"{name} next"] = torch.rand(2)
        results |= {f"{name} {key}": _moments(w) for key, w in part.state_dict().items()}
    return results


def _moments(weight):
    values = weight.double().flatten()
    return torch.stack([values.mean(), values.abs().mean(), values[0], values[-1]]).float()


def attention_mask(clip, kit):
    """One plain causal tensor for all text blocks; none for pictures; nothing in the state."""
    model, _ = clip.load(kit.vit, device="cpu")
    texts, pictures = model.transformer.resblocks, model.visual.transformer.resblocks
    mask = texts[0].attn_mask
    state = [key for key in model.state_dict() if "mask" in key]
    registered = [name for name, _ in (*model.named_buffers(), *model.named_parameters())]
    model.context_length = 5
    return {
        "mask": mask,
        "shared": [block.attn_mask is mask for block in texts],
        "type": type(mask).__name__,
        "pictures": [block.attn_mask is None for block in pictures],
        "registered": state + [name for name in registered if "mask" in name],
        "shorter": model.build_attention_mask(),
        "in_vars": ["attn_mask" in vars(block) for block in texts],
    }


def own_mask(clip, kit):
    """A mask that the caller writes: shared edits, a block's own mask, none, and another dtype."""
    model, _ = clip.load(kit.vit, device="cpu")
    blocks, results = model.transformer.resblocks, {}
    text = clip.tokenize(["a cat and a dog"])
    blocks[0].attn_mask[:, 3] = float("-inf")
    blocks[0].attn_mask[3, 3] = 0
    results["edited"] = model.encode_text(text)
    blocks[1].attn_mask = torch.zeros(77, 77, dtype=torch.float64)
    results["own"] = model.encode_text(text)
    blocks[2].attn_mask = None
    results["none"] = model.encode_text(text)
    model.visual.transformer.resblocks[0].attn_mask = kit.noise(17, 17)
    results["pictures"] = model.encode_image(kit.pixels(1))
    return results


def transformer_on_its_own(clip, kit):
    """`Transformer` used as a part of other models: sequence first, masks of any kind."""
    torch.manual_seed(3)
    mask = torch.triu(torch.full((6, 6), float("-inf")), diagonal=1)
    plain = clip.model.Transformer(width=64, layers=2, heads=4)
    masked = clip.model.Transformer(64, 2, 4, mask)
    masked.load_state_dict(plain.state_dict())
    x = kit.noise(6, 3, 64)
    one = masked.resblocks[0](x)
    return {
        "plain": plain(x),
        "masked": masked(x),
        "one": one,
        "attention": masked.resblocks[0].attention(x),
    }
