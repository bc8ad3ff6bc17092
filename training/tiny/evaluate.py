"""stub"""
import torch
import pictures, words
from augment import on_white
def validation(clip, vocabulary):
    listed, pixels = pictures.load(pictures.VALIDATION_FAMILY)
    keep=[i for i,p in enumerate(listed) if p.split=="kept out"]
    names=[c for c in words.concepts() if not c.left_out and c.group!=10]
    idx={c.name:i for i,c in enumerate(names)}
    with torch.no_grad():
        f=torch.nn.functional.normalize(clip.encode_image(on_white(pixels[keep])),dim=-1)
        rows,end=vocabulary.encode([f"a photo of a {c.name}" for c in names],20)
        t=torch.nn.functional.normalize(clip.encode_text(rows,end),dim=-1)
    target=torch.tensor([idx[words.concepts()[listed[i].concept].name] for i in keep])
    top=(f@t.T).topk(5).indices
    return f"top-1 {(top[:,0]==target).float().mean():.3f} top-5 {(top==target[:,None]).any(1).float().mean():.3f}"
