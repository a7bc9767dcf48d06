"""An image for a request, made of random dots, so that no server has it in a cache."""

import base64
import secrets
import struct
import zlib

PIXELS = 64
"""Width and height."""


def data_url() -> str:
    """Returns a PNG of eight-bit colors as a `data:` URL (https://www.w3.org/TR/png-3/)."""
    rows = b"".join(b"\x00" + secrets.token_bytes(3 * PIXELS) for _ in range(PIXELS))
    header = struct.pack(">IIBBBBB", PIXELS, PIXELS, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    picture = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"
