"""Whether ONNX's `Resize` gives the pixels that Pillow gives: what decides if resizing can be a part of an export.

Photographs and noise are brought to the sizes that networks take, by Pillow's antialiased bilinear filter, as in
training, and by `Resize` of opset 18 in ONNX Runtime (linear, antialias, half_pixel), with weights that reach beyond
the edge left out or not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from _common import Bench, Json, data_root, open_bench

Array = np.ndarray[Any, Any]
_SIDES = (64, 96, 224)
_PHOTOGRAPHS = 60
#: Height and width of pictures of noise, the hardest for a filter.
_NOISE = ((100, 80), (333, 500), (480, 640), (37, 91), (20, 20))


def noise() -> Iterator[Array]:
    """Pictures of which no pixel follows from another."""
    random = np.random.default_rng(0)
    for shape in _NOISE:
        yield random.integers(0, 256, (*shape, 3), dtype=np.uint8)


def photographs() -> Iterator[Array]:
    """Photographs of road signs, in their own sizes."""
    from PIL import Image

    files = sorted((data_root() / "road_signs").rglob("*.jpg"))
    if not files:
        raise SystemExit(f"{data_root()} holds no road_signs: set ASSAY_DATA to the folder that does")
    for file in files[:_PHOTOGRAPHS]:
        with Image.open(file) as picture:
            yield np.asarray(picture.convert("RGB"))


def session(side: int, exclude: int) -> Any:
    """What brings pictures (1, 3, H, W) uint8 to a side."""
    from onnx import TensorProto, helper, numpy_helper

    from assay.serving.onnx_runtime import onnx_runtime

    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode="linear", antialias=1, axes=[2, 3],
                            coordinate_transformation_mode="half_pixel", exclude_outside=exclude)  # fmt: skip
    given, found = (helper.make_tensor_value_info(name, TensorProto.UINT8, ["b", 3, f"h{name}", f"w{name}"])
                    for name in "xy")  # fmt: skip
    sizes = numpy_helper.from_array(np.asarray([side, side], np.int64), "sizes")
    graph = helper.make_graph([node], "resize", [given], [found], [sizes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def compared(kind: str, larger: bool, exclude: int) -> Json:
    """Values that differ, by how much at most, and milliseconds of both, of pictures made larger or smaller."""
    from assay.sources.decode import resize

    differ, values, most, seconds = 0, 0, 0, [0.0, 0.0]
    for side in _SIDES:
        graph = session(side, exclude)
        for picture in noise() if kind == "noise" else photographs():
            if (min(picture.shape[:2]) < side) != larger:
                continue
            begun = time.perf_counter()
            ours = resize(picture, side, side)
            middle = time.perf_counter()
            (theirs,) = graph.run(None, {"x": np.ascontiguousarray(picture.transpose(2, 0, 1)[None])})
            seconds = [seconds[0] + middle - begun, seconds[1] + time.perf_counter() - middle]
            apart = np.abs(ours.astype(np.int64) - theirs[0].transpose(1, 2, 0))
            differ, values, most = differ + int((apart > 0).sum()), values + apart.size, max(most, int(apart.max()))
    return {"share_of_values_that_differ": differ / max(1, values), "levels_of_255_at_most": most, "values": values,
            "pillow_ms": 1000 * seconds[0], "onnx_ms": 1000 * seconds[1]}  # fmt: skip


def main() -> None:
    bench: Bench = open_bench("resize_in_graph", __doc__)
    summary: Json = {}
    for kind in ("noise",) if bench.smoke else ("noise", "photographs"):
        for size, larger in (("smaller", False), ("larger", True)):
            for exclude in (0, 1):
                key = f"{kind}-made-{size}-exclude_outside-{exclude}"
                found = bench.piece(key, partial(compared, kind, larger, exclude))
                summary[key] = {name: found[name] for name in ("share_of_values_that_differ", "levels_of_255_at_most")}
    bench.finish(summary, packages=["onnx", "onnxruntime", "pillow"])


if __name__ == "__main__":
    main()
