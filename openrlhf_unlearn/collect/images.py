"""What is in a prompt's images, for its id: training and evaluation name the same prompt alike."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.machine.host_functions import host_function


def image_digests(images: Any) -> tuple[bytes, ...]:
    """A digest of the content of each image in a row: one or a list of all that the host loads, empty for None.

    The same file has the same digest as a path, as bytes and as base64, whatever its name. A URL stands for itself.
    An image that the data set decoded (PIL) has the digest of its pixels, which differs from that of its file.
    """
    items = images if isinstance(images, (list, tuple)) else [images]
    return tuple(_digest(item) for item in items if item is not None)


def _digest(image: Any) -> bytes:
    if isinstance(image, dict):  # a `datasets` image that was not decoded
        image = image.get("bytes") or image.get("path")
    if isinstance(image, (bytes, bytearray)):
        return _hashed(bytes(image))
    if isinstance(image, str):
        return _digest_of_text(image)
    if hasattr(image, "tobytes") and hasattr(image, "mode"):
        return _hashed(f"{image.mode}{image.size}".encode(), image.tobytes())
    raise UserError(f"an image of the data set is of the type {type(image).__name__}; give paths, URLs or base64")


def _digest_of_text(image: str) -> bytes:
    if image.startswith(("http://", "https://")):
        return _hashed(image.encode())
    if host_function("_is_base64_image")(image):
        return _hashed(base64.b64decode(image.split(",", 1)[-1] if image.startswith("data:") else image))
    return _digest_of_file(image)


@cache
def _digest_of_file(path: str) -> bytes:
    try:
        return _hashed(Path(path).read_bytes())
    except OSError as error:
        raise UserError(f"image {path} cannot be read ({error.strerror}); give its whole path") from None


def _hashed(*parts: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.digest()
