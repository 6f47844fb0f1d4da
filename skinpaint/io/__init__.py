"""Picture files in and out: bit depth, alpha, orientation, colour profile and resolution survive the trip."""

from __future__ import annotations

from skinpaint.io.api import CODECS, FORMATS, READABLE, check_target, is_lossless, read, write
from skinpaint.io.extras import Extras, MetadataWarning
from skinpaint.io.files import check_place, whole_file
from skinpaint.io.mask import read_mask

__all__ = [
    "CODECS",
    "FORMATS",
    "READABLE",
    "Extras",
    "MetadataWarning",
    "check_place",
    "check_target",
    "is_lossless",
    "read",
    "read_mask",
    "whole_file",
    "write",
]
