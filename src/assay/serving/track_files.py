"""Tracks as files: CSV, GeoJSON, and the rows of the TUM and KITTI benchmarks."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.errors import DataError


def track_csv(answer: Mapping[str, Any]) -> str:
    """A row a pose: time, east, north, heading in degrees, deviations; degrees on the ground where they are known."""
    poses = answer["poses"]
    names = ["time", "east", "north", "heading", "sigma_m", "sigma_deg"]
    if poses and poses[0].get("latitude") is not None:
        names += ["latitude", "longitude"]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(poses)
    return text.getvalue()


def track_geojson(answer: Mapping[str, Any]) -> str:
    """A line for maps, in degrees as RFC 7946 has it; raises `DataError` where only metres are known.

    Metres would lie in the sea off Africa.
    """
    poses = answer["poses"]
    if not poses or poses[0].get("latitude") is None:
        raise DataError(
            "nothing tells where on the Earth this drive is, so it has no place on a map",
            "Write its metres, --out track.csv, or log GNSS or the reference with lat and lon.",
        )
    line = [[pose["longitude"], pose["latitude"]] for pose in poses]
    about = {key: answer[key] for key in ("seconds", "metres", "anchored", "sigma_m")}
    feature = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": line},
               "properties": {**about, "times": [pose["time"] for pose in poses]}}  # fmt: skip
    return json.dumps({"type": "FeatureCollection", "features": [feature]}) + "\n"


def track_tum(answer: Mapping[str, Any]) -> str:
    """A row a pose: time tx ty tz qx qy qz qw, as the tools of TUM's benchmark read them."""
    rows = []
    for pose in answer["poses"]:
        half = np.radians(pose["heading"]) / 2
        rows.append(
            f"{pose['time']:.4f} {pose['east']:.4f} {pose['north']:.4f} 0 0 0 {np.sin(half):.8f} {np.cos(half):.8f}"
        )
    return "\n".join(rows) + "\n"


def track_kitti(answer: Mapping[str, Any]) -> str:
    """A row a pose: the upper three rows of its matrix, of a camera that looks ahead, as KITTI writes them."""
    rows = []
    for pose in answer["poses"]:
        angle = np.radians(pose["heading"])
        cosine, sine = float(np.cos(angle)), float(np.sin(angle))
        # x to the right is minus north, z ahead is east.
        matrix = [cosine, 0, -sine, -pose["north"], 0, 1, 0, 0, sine, 0, cosine, pose["east"]]
        rows.append(" ".join(f"{value:.9g}" for value in matrix))
    return "\n".join(rows) + "\n"
