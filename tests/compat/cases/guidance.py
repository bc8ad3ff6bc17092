"""Pictures steered by CLIP: gradients to pixels (StyleCLIP, VQGAN-CLIP, CLIPDraw, point-e, ...)."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel


def styleclip(clip, kit):
    """StyleCLIP's loss: a generated picture pooled to CLIP's size, 1 - logit / 100."""
    model, _ = clip.load(kit.vit, device="cpu")
    upsample, pool = nn.Upsample(scale_factor=7), nn.AvgPool2d(kernel_size=14)
    picture = kit.pixels(1, 128).requires_grad_()
    similarity = 1 - model(pool(upsample(picture)), clip.tokenize(["a face"]))[0] / 100
    similarity.sum().backward()
    return {"similarity": similarity, "gradient": picture.grad[..., ::8, ::8]}


def stylegan_nada(clip, kit):
    """StyleGAN-NADA: a direction in CLIP's space, preprocessing by slices of `transforms`."""
    from torchvision import transforms

    model, preprocess = clip.load(kit.vit, device="cpu")
    unnormalise = transforms.Normalize(mean=[-1.0, -1.0, -1.0], std=[2.0, 2.0, 2.0])
    steps = preprocess.transforms[:2] + preprocess.transforms[4:]
    chain = transforms.Compose([unnormalise, *steps])
    source, target = kit.pixels(2, 90, seed=4), kit.pixels(2, 90, seed=5).requires_grad_()
    texts = model.encode_text(clip.tokenize(["photo", "sketch"]))
    direction = F.normalize(texts[1:] - texts[:1], dim=-1)
    edit = model.encode_image(chain(target)) - model.encode_image(chain(source))
    loss = (1 - F.cosine_similarity(F.normalize(edit, dim=-1), direction)).mean()
    loss.backward()
    return {"loss": loss, "gradient": target.grad[..., ::9, ::9], "steps": len(steps)}


def normalise_in_a_compose(clip, kit):
    """CLIPasso: single steps of `preprocess` inside torchvision's Compose, on tensors."""
    from torchvision import transforms

    _, preprocess = clip.load(kit.vit, device="cpu")
    last = transforms.Compose([preprocess.transforms[-1]])
    three = transforms.Compose([preprocess.transforms[0], preprocess.transforms[1],
                                preprocess.transforms[-1]])  # fmt: skip
    pixels = kit.noise(2, 3, 100, 80, seed=3).sigmoid()
    return {"last": last(pixels)[:, :, ::7, ::7], "three": three(pixels)[:, :, ::5, ::5]}


def vqgan_clip(clip, kit):
    """Cutouts of a picture that learns, spherical distance to prompts, grad set in place."""
    model, _ = clip.load(kit.vit, device="cpu", jit=False)
    perceptor = model.eval().requires_grad_(False)
    side = perceptor.visual.input_resolution
    picture = kit.pixels(1, 96).sigmoid().requires_grad_()
    optimizer = torch.optim.Adam([picture], lr=0.05)
    prompt = perceptor.encode_text(clip.tokenize("a sunset")).float()
    losses = []
    for _ in range(2):
        corners = ((0, 0, 96), (10, 20, 70), (30, 5, 64))
        cuts = [F.adaptive_avg_pool2d(picture[:, :, y : y + n, x : x + n], side)
                for y, x, n in corners]  # fmt: skip
        features = perceptor.encode_image(torch.cat(cuts)).float()
        gap = F.normalize(features.unsqueeze(1), dim=2) - F.normalize(prompt.unsqueeze(0), dim=2)
        loss = gap.norm(dim=2).div(2).arcsin().pow(2).mul(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return {"losses": torch.stack(losses), "gradient": picture.grad[..., ::6, ::6]}


def clipdraw(clip, kit):
    """CLIPDraw: strokes scaled to pixels, loss over augmented copies and negative prompts."""
    model, _ = clip.load(kit.resnet, device="cpu", jit=False)
    with torch.no_grad():
        wanted = model.encode_text(clip.tokenize("a cat"))
        unwanted = model.encode_text(clip.tokenize("text"))
    points = kit.noise(6, 2, scale=0.3).requires_grad_()
    axis = torch.linspace(-1, 1, 96)
    field = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1)
    strokes = (-30 * (field.unsqueeze(2) - points).pow(2).sum(-1)).exp().sum(-1)
    picture = strokes.expand(1, 3, -1, -1)
    features = model.encode_image(torch.cat([picture, picture.flip(-1), 1 - picture]))
    loss = -F.cosine_similarity(wanted, features).sum()
    loss = loss + 0.3 * F.cosine_similarity(unwanted, features).sum()
    loss.backward()
    return {"loss": loss, "gradient": points.grad}


def gradient_penalty(clip, kit):
    """The gradient of a gradient: both towers can be differentiated twice."""
    model, _ = clip.load(kit.vit, device="cpu")
    picture = kit.pixels(1).requires_grad_()
    with sdpa_kernel(SDPBackend.MATH):  # torch differentiates no other kernel twice
        pictures = model.encode_image(picture)
        texts = model.encode_text(clip.tokenize(["a cat"]))
        score = F.cosine_similarity(pictures, texts).sum()
        (first,) = torch.autograd.grad(score, picture, create_graph=True)
        first.pow(2).sum().backward()
    return {"first": first[..., ::8, ::8], "second": picture.grad[..., ::8, ::8]}


def functional_transforms(clip, kit):
    """`torch.func` over both towers: per-sample gradients and a directional derivative."""
    results = {}
    for kind, path, size in (("vit", kit.vit, 64), ("resnet", kit.resnet, 96)):
        model, _ = clip.load(path, device="cpu")
        model.requires_grad_(False)
        pixels = kit.pixels(2, size)

        def score(picture, model=model):
            return model.encode_image(picture.unsqueeze(0)).norm()

        with sdpa_kernel(SDPBackend.MATH):
            gradients = torch.func.vmap(torch.func.grad(score))(pixels)
            _, along = torch.func.jvp(score, (pixels[0],), (pixels[1],))
        results |= {f"{kind}_gradients": gradients[..., ::12, ::12], f"{kind}_along": along}
    return results


def adversarial_pictures(clip, kit):
    """PGD on a zero-shot classifier, both towers in evaluation."""
    model, _ = clip.load(kit.vit, device="cpu")
    clean = kit.pixels(2)
    texts = F.normalize(model.encode_text(clip.tokenize(["cat", "dog"])), dim=-1).detach()
    noise = torch.zeros_like(clean)
    for _ in range(2):
        noise.requires_grad_()
        logits = 100 * F.normalize(model.encode_image(clean + noise), dim=-1) @ texts.t()
        loss = F.cross_entropy(logits, torch.tensor([0, 1]))
        (gradient,) = torch.autograd.grad(loss, noise)
        noise = (noise + 0.01 * gradient / gradient.abs().amax()).clamp(-0.03, 0.03).detach()
    return {"loss": loss, "noise": noise[..., ::8, ::8]}


def point_e(clip, kit):
    """point-e's wrapper: tokens and grids without gradient, features scaled to unit variance."""
    model, preprocess = clip.load(kit.vit, device="cpu", download_root=None)

    def embed(pictures):
        with torch.no_grad():
            batch = torch.stack([preprocess(picture) for picture in pictures])
            features = model.encode_image(batch).float()
        return features / torch.linalg.norm(features, dim=-1, keepdim=True) * 8

    def grid(pictures):
        visual = model.visual
        x = torch.stack([preprocess(picture) for picture in pictures])
        x = visual.conv1(x).flatten(2).permute(0, 2, 1)
        whole = visual.class_embedding.to(x.dtype).view(1, 1, -1).expand(x.shape[0], -1, -1)
        x = visual.ln_pre(torch.cat([whole, x], dim=1) + visual.positional_embedding.to(x.dtype))
        x = visual.transformer(x.permute(1, 0, 2)).permute(1, 2, 0)
        return x[..., 1:].contiguous().float()

    with torch.inference_mode():
        texts = model.encode_text(clip.tokenize(["a red chair"], truncate=True)).float()
    pictures = [kit.picture("RGBA"), kit.picture("L", (70, 200))]
    return {"pictures": embed(pictures), "grid": grid(pictures)[:, ::8], "text": texts}


def dalle2(clip, kit):
    """DALLE2-pytorch's adapter: sequence-wise text encodings kept by a hook on `ln_final`."""
    model, preprocess = clip.load(kit.vit, device="cpu")
    kept = []
    model.ln_final.register_forward_hook(lambda module, inputs, output: kept.append(output))
    text = clip.tokenize(["a red apple", "x"])
    # The adapter allows for texts whose end-of-text id occurs twice.
    is_end = text == 49407
    mask = (text != 0) & ~is_end
    features = model.encode_text(text)
    encodings = kept.pop().masked_fill(~mask.unsqueeze(-1), 0.0)
    normalise = preprocess.transforms[-1]
    pixels = kit.noise(2, 3, 64, 64, seed=1).sigmoid()
    pictures = model.encode_image(normalise(pixels))
    sizes = [model.visual.input_resolution, model.context_length, model.vocab_size,
             model.text_projection.shape[-1], model.logit_scale.ndim]  # fmt: skip
    return {
        "text": F.normalize(features.float(), dim=-1),
        "encodings": encodings[:, :6],
        "pictures": F.normalize(pictures.float(), dim=-1),
        "sizes": sizes,
    }


def zero_shot_imagenet(clip, kit):
    """The notebook's loop: prompt templates averaged, top-k of the similarities."""
    model, preprocess = clip.load(kit.resnet, device="cpu")
    templates = ["a photo of a {}.", "a bad photo of the {}.", "a {} in a video game."]
    with torch.no_grad():
        weights = []
        for name in ("tench", "goldfish", "great white shark"):
            texts = model.encode_text(clip.tokenize([t.format(name) for t in templates]))
            texts /= texts.norm(dim=-1, keepdim=True)
            mean = texts.mean(dim=0)
            mean /= mean.norm()
            weights.append(mean)
        classifier = torch.stack(weights, dim=1)
        pictures = model.encode_image(preprocess(kit.picture()).unsqueeze(0))
        pictures /= pictures.norm(dim=-1, keepdim=True)
        logits = 100.0 * pictures @ classifier
    values, order = logits.softmax(dim=-1)[0].topk(3)
    return {"logits": logits, "values": values, "order": order}
