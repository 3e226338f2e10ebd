"""Data of every kind of figure, and labels that try to break out of the page."""

from __future__ import annotations

from typing import Any

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
AUDIO = "data:audio/wav;base64,UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
NASTY = [
    "<script>alert(1)</script>",
    '" onload="alert(1)',
    "' onmouseover='alert(1)",
    "</svg><img src=x onerror=alert(1)>",
    "]]><!-- &amp; {{ 7 * 7 }}",
    "null \x00 bell \x07 surrogate \udcff override \u202e",
    "猫" * 90,
    "",
]


def data_of(kind: str, label: str = "a label", value: Any = 1.5) -> dict[str, Any]:
    """Data of a kind with `label` wherever a text may stand and `value` in place of one number."""
    return {
        "bars": {"rows": [{"label": label, "value": value}, {"label": "b", "value": -2.0}], "x": label, "unit": label},
        "gallery": {
            "items": [
                {
                    "image": PIXEL,
                    "beside": PIXEL,
                    "title": label,
                    "lines": [label, f"{label}: {label}"],
                    "wrong": True,
                    "audio": AUDIO,
                },
                {"audio": label, "image": label, "title": label, "lines": [label]},
            ]
        },
        "heat": {
            "rows": [label, "b"],
            "x": [0, 10],
            "values": [[value, 2.0], [None, 3.0]],
            "x_label": label,
            "log": True,
        },
        "intervals": {
            "rows": [
                {"label": label, "value": value, "low": value, "high": 90.0, "group": label},
                {"label": "b", "value": 80.0, "low": None, "high": None, "series": 1},
            ],
            "x": label,
            "unit": "%",
            "reference": {"label": label, "value": value},
        },
        "layers": {
            "layers": [
                {"name": label, "kind": label, "shape": label, "parameters": 10, "dead": value, "activations": [PIXEL]},
                {"name": "b", "kind": "linear", "shape": "10", "parameters": 10, "dead": None, "norm": value},
            ],
            "input": label,
        },
        "lines": {
            "series": [
                {"label": label, "x": [1, 2, 3], "y": [value, None, 3], "low": [1, 1, value], "high": [4, None, 5]},
                {"label": "b", "x": [1, 2], "y": [2, 1], "dashed": True},
            ],
            "x": label,
            "y": label,
            "log_x": True,
            "marks": [{"x": value, "label": label}],
        },
        "matrix": {
            "rows": [label, "b"],
            "columns": [label, "b"],
            "counts": [[value, 2], [1, 4]],
            "x": label,
            "y": label,
        },
        "paths": {"paths": [{"label": label, "x": [0, value, 2], "y": [1, 2, value]}], "x": label, "y": label},
        "scatter": {"x": [1, value, 3], "y": [2, 1, value], "x_label": label, "y_label": label, "diagonal": True},
        "table": {"columns": [label, "n"], "rows": [[label, value], [None, 2]]},
    }[kind]
