"""The server that everybody writes around openai/CLIP: a route, a thread for each request.

    python serving_peer.py MODEL PORT

Runs in the peers' environment. It takes the requests that ours takes, one text or picture in each.
"""

from __future__ import annotations

import base64
import io
import sys
from typing import Any

from contenders import prepare


def main() -> None:
    prepare("openai/CLIP")
    import torch
    import uvicorn
    from fastapi import FastAPI
    from PIL import Image

    import clip

    model, preprocess = clip.load(sys.argv[1], device="cpu")
    app = FastAPI()

    @app.post("/v1/embeddings")
    def embed(body: dict[str, Any]) -> dict[str, Any]:
        wanted = body["input"]
        with torch.no_grad():
            if isinstance(wanted, str):
                features = model.encode_text(clip.tokenize([wanted]))
            else:
                content = base64.b64decode(wanted[0]["image_url"]["url"].partition(",")[2])
                picture = Image.open(io.BytesIO(content))
                features = model.encode_image(preprocess(picture).unsqueeze(0))
            features /= features.norm(dim=-1, keepdim=True)
        return {"data": [{"index": 0, "embedding": features[0].tolist()}]}

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")


if __name__ == "__main__":
    main()
