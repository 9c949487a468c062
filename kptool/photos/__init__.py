"""Pictures on disk: their names, headers and pixels. Everything is read right or refused by name."""

from kptool.photos.folder import digest_files, open_photos
from kptool.photos.header import MOST_PIXELS, Header, read_header
from kptool.photos.names import SUFFIXES, inside
from kptool.photos.pixels import Decoded, decode, decoded

__all__ = [
    "MOST_PIXELS",
    "SUFFIXES",
    "Decoded",
    "Header",
    "decode",
    "decoded",
    "digest_files",
    "inside",
    "open_photos",
    "read_header",
]
