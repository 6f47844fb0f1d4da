"""Messages as bytes: a dictionary that JSON knows, and buffers behind it."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

__all__ = ["pack", "unpack"]

HEAD = struct.Struct("<II")  # bytes of the text, and of all that follows the head


def pack(message: Any, buffers: Sequence[bytes] = ()) -> bytes:
    """One message: its sizes, the text, and the buffers.

    Examples
    --------
    >>> unpack(pack({"say": "tile"}, [b"abc", b""]))
    ({'say': 'tile'}, [b'abc', b''])
    """
    text = json.dumps({"message": message, "sizes": [len(each) for each in buffers]}).encode()
    body = b"".join([text, *buffers])
    return HEAD.pack(len(text), len(body)) + body


def unpack(data: bytes) -> tuple[Any, list[bytes]]:
    """The message and its buffers.

    Raises
    ------
    ValueError
        If the bytes are no message.
    """
    try:
        length, total = HEAD.unpack_from(data)
        body = memoryview(data)[HEAD.size :]
        content = json.loads(bytes(body[:length]))
        sizes = content["sizes"]
        if len(body) != total or length + sum(sizes) != total or not all(type(n) is int and n >= 0 for n in sizes):
            raise ValueError("sizes")
        buffers = []
        for size in sizes:
            buffers.append(bytes(body[length : length + size]))
            length += size
        return content["message"], buffers
    except (struct.error, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError("These bytes are no message.") from error
