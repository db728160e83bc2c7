"""What a prepared set says of itself, looked at before it is believed: it may be damaged, or somebody else's."""

from __future__ import annotations

from typing import Any

import numpy as np

KEYS = {"version": int, "settings": dict, "class_names": list, "files": dict, "origin": str, "skipped": int}
MAX_ARRAY_BYTES = 8 << 30  # of an index, which is read whole: a hundred million images
SETTINGS = {"format": str, "size": int, "channels": int, "dataset": str}


def check_manifest(manifest: Any) -> None:
    """Raises ValueError that says what of a manifest cannot be."""
    for data, kinds in ((manifest, KEYS), (manifest["settings"], SETTINGS)):
        if wrong := [key for key, kind in kinds.items() if type(data.get(key)) is not kind]:
            raise ValueError(f"{wrong[0]} is {str(data.get(wrong[0]))[:80]!r}")
    settings, names = manifest["settings"], manifest["class_names"]
    if settings["format"] not in ("raw", "jpeg") or settings["size"] < 1 or settings["channels"] not in (1, 3):
        raise ValueError(f"its settings are {str(settings)[:80]}")
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError(f"its class names are {str(names)[:80]}")
    for name, written in manifest["files"].items():
        if not isinstance(written, dict) or any(type(written.get(key)) is not int for key in ("bytes", "crc32")):
            raise ValueError(f"of {name[:80]!r} it has {str(written)[:80]!r}")
        if name.endswith(".npy") and written["bytes"] > MAX_ARRAY_BYTES:
            raise ValueError(f"{name[:80]} has {written['bytes']:,} bytes, and may have {MAX_ARRAY_BYTES:,}")


def check_index(index: np.ndarray, split: str, manifest: dict, sizes: list[int]) -> None:
    """Raises ValueError where a row of an index cannot be. sizes: bytes of each shard, by number."""
    fields = {name: index[name] for name in ("label", "shard", "offset", "size")}
    canvas = manifest["settings"]["size"] ** 2 * manifest["settings"]["channels"]
    known = np.asarray(sizes, np.int64)
    inside = (fields["shard"] >= 0) & (fields["shard"] < len(known))
    if not inside.all():
        raise ValueError(f"record {np.argmin(inside)} is in shard {fields['shard'][np.argmin(inside)]}")
    good = {
        "label": (fields["label"] >= 0) & (fields["label"] < len(manifest["class_names"])),
        "offset": (fields["offset"] >= 0) & (fields["offset"] <= known[fields["shard"]] - fields["size"]),
        "size": fields["size"] == canvas if manifest["settings"]["format"] == "raw" else fields["size"] > 0,
    }
    for name, right in good.items():
        if not right.all():
            raise ValueError(f"record {np.argmin(right)} of {split} has the {name} {fields[name][np.argmin(right)]}")
