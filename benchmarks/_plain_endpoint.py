"""What one writes without Assay's server: a FastAPI endpoint that decodes a picture and calls the eager network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI, UploadFile


def make(run: Path) -> FastAPI:
    """An endpoint `/predict` that takes one picture."""
    import torch

    import assay
    from assay.samples.image_form import bring
    from assay.sources.decode import decode_image

    model = assay.load(run)
    spec, network = model.spec, model.network.eval()
    classes = spec.target.classes
    app = FastAPI()

    @app.post("/predict")
    def predict(files: UploadFile) -> dict[str, Any]:
        image = bring(decode_image(files.file.read(), least_side=max(spec.height, spec.width)), spec)
        with torch.inference_mode():
            (row,) = torch.softmax(network(torch.from_numpy(image[None])), 1).tolist()
        best = max(range(len(row)), key=row.__getitem__)
        return {"answers": [{"label": classes[best], "confidence": row[best]}]}

    @app.get("/ready")
    def ready() -> dict[str, str]:
        return {"status": "ready"}

    return app


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(make(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="error")
