"""Images, compared pixel by pixel where Pillow is installed, else by their bytes. The only door to Pillow."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

Image: Any = None
ImageChops: Any = None
with contextlib.suppress(ImportError):  # no dependency: matplotlib brings it
    from PIL import Image, ImageChops

_SUFFIXES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"}
_MOST = 50_000_000  # pixels of an image that is compared so


def is_image(path: Path) -> bool:
    """Whether a file is an image, by its name."""
    return path.suffix.lower() in _SUFFIXES and path.is_file()


def share_of_pixels(before: Path, after: Path) -> float:
    """The share of pixels that differ, from 0 to 1; 1 where the sizes differ, or one cannot be read as an image."""
    return share_of(before.read_bytes(), after.read_bytes())


def share_of(before: bytes, after: bytes) -> float:
    """As `share_of_pixels`, of the bytes of two files."""
    if before == after:
        return 0.0
    if Image is None:
        return 1.0
    try:
        with Image.open(io.BytesIO(before)) as one, Image.open(io.BytesIO(after)) as two:
            if one.size != two.size or one.width * one.height > _MOST:
                return 1.0
            difference = ImageChops.difference(one.convert("RGBA"), two.convert("RGBA"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 1.0
    # Of the four channels the largest difference of each pixel.
    largest = None
    for channel in difference.split():
        largest = channel if largest is None else ImageChops.lighter(largest, channel)
    same = int(largest.histogram()[0]) if largest is not None else 0
    pixels = int(one.width * one.height)
    return (pixels - same) / pixels
