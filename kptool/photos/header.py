"""What a picture's file says of it before a pixel is decoded: format, size, orientation."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from kptool.errors import DataError, MissingFileError
from kptool.photos.orientation import orientation_of, turned_size

MOST_PIXELS: Final = 256_000_000
"""A picture with more is refused."""

# Formats are told apart here and not by Image.open: that would also try formats that run other programs (EPS), and
# turn pictures of 89 to 178 megapixels into warnings and larger ones into its own error.
READERS: Final[dict[bytes, Callable[[IO[bytes]], ImageFile.ImageFile]]] = {
    b"\xff\xd8\xff": JpegImagePlugin.jpeg_factory,
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
    b"II*\0": TiffImagePlugin.TiffImageFile,
    b"MM\0*": TiffImagePlugin.TiffImageFile,
    b"II+\0": TiffImagePlugin.TiffImageFile,
    b"MM\0+": TiffImagePlugin.TiffImageFile,
    b"RIFF": WebPImagePlugin.WebPImageFile,
    b"GIF8": GifImagePlugin.GifImageFile,
    **dict.fromkeys((b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf"), PpmImagePlugin.PpmImageFile),
}
MODES: Final = frozenset(
    ["1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "LA", "La", "PA", "RGBA", "RGBa", "I;16", "I;16B", "I;16L", "I;16N"]
)
RESAVE: Final = "save it as an 8-bit PNG or JPEG"
REPLACE: Final = "replace the file or leave the picture out"
WIDTH, HEIGHT, BITS, PHOTOMETRIC = 256, 257, 258, 262  # tags of TIFF 6.0
ALONE: Final = threading.RLock()
"""Held by whoever needs much memory."""

# Pillow reads EXIF and TIFF metadata with one module, which warns where they are damaged; the pixels may be sound.
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")


class Header(NamedTuple):
    """What read_header finds.

    Attributes:
        size: (W, H) px of the upright picture, its EXIF orientation applied.
        orientation: EXIF's, 1 to 8; 1 where the file has none that makes sense.
        mode: Pillow's name of the kind of pixels, as in "RGB".
    """

    size: tuple[int, int]
    orientation: int
    mode: str


class Opened(NamedTuple):
    """A picture whose header has been read: Pillow's object, its header, and (W, H) px as the file stores it."""

    image: ImageFile.ImageFile
    header: Header
    stored: tuple[int, int]


def read_header(path: Path) -> Header:
    """A picture's size, orientation and mode, without decoding it.

    Raises:
        MissingFileError: there is no such file.
        DataError: it is no picture, is damaged, has more than 256 megapixels, or a kind of pixels that is not read.
    """
    with opened(path) as picture:
        return picture.header


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """A picture, its file open for as long as the context lasts. Raises what read_header does."""
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFileError(f"{path}: there is no such picture", "put it there or correct its name") from None
    except (OSError, ValueError) as error:  # ValueError: the name cannot be written in the file system's encoding
        raise DataError(f"{path}: cannot be opened ({why(error)})", "mend its permissions or its name") from None
    with file:
        try:
            picture = _opened(file)
        except Exception as error:
            raise DataError(f"{path}: cannot be read as a picture ({why(error)})", REPLACE) from None
        if fault := _fault(picture):
            raise DataError(f"{path}: {fault}", RESAVE)
        yield picture


def _opened(file: IO[bytes]) -> Opened:
    start = file.read(16)
    file.seek(0)
    if not start:
        raise ValueError("the file is empty")
    reader = next((reader for magic, reader in READERS.items() if start.startswith(magic)), None)
    if reader is None:
        raise ValueError("it is no JPEG, PNG, BMP, TIFF, WebP, GIF, PGM or PPM")
    with ExitStack() as stack:
        if reader is GifImagePlugin.GifImageFile:
            stack.enter_context(alone())  # it looks at its first frame already, and warns of a large one
        image = reader(file)
    width, height = image.size
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        width, height = image.tag_v2[WIDTH], image.tag_v2[HEIGHT]  # image.size is turned in some versions of Pillow
        image.info.pop("xmp", None)  # newer versions would turn the pixels by it, older ones would not
        image.info.pop("XML:com.adobe.xmp", None)
    clear = image.info.get("transparency")
    if isinstance(clear, int) and isinstance(image, PngImagePlugin.PngImageFile) and image.tile:
        # Pillow widens grey of 2 and 4 bits to 8, but not its transparent value.
        image.info["transparency"] = clear * {"L;2": 85, "L;4": 17}.get(str(image.tile[0][3]), 1)
    orientation = orientation_of(image, file)
    upright = turned_size((width, height), orientation)
    return Opened(image, Header(upright, orientation, image.mode), (width, height))


def _fault(picture: Opened) -> str:
    image, (width, height) = picture.image, picture.stored
    if width * height > MOST_PIXELS:
        return f"{width} x {height} px are more than the {MOST_PIXELS // 1_000_000} megapixels that are read"
    if image.mode not in MODES and not (image.mode == "I" and image.format in ("PNG", "PPM")):  # those are 16-bit
        return f"its pixels are of kind '{image.mode}', which is not read"
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.mode.startswith("I;16"):
        bits, meaning = image.tag_v2.get(BITS, (1,)), image.tag_v2.get(PHOTOMETRIC)
        if tuple(bits) != (16,) or meaning != 1:  # Pillow hands out both as they are stored
            return f"its pixels have {bits[0]} bits" + ("" if meaning == 1 else ", 0 is white") + ", which is not read"
    clear = image.info.get("transparency")
    if isinstance(clear, tuple) and max(clear) > 255:
        return "its transparent colour has 16 bits, which is not read"
    return ""


@contextmanager
def alone() -> Iterator[None]:
    """One thread at a time, and no warning of Pillow's about large pictures: kptool has a limit of its own."""
    with ALONE, warnings.catch_warnings():  # changes the whole process; the lock keeps our threads from mixing it up
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def why(error: BaseException) -> str:
    """An error of Pillow's in one line."""
    return " ".join(str(error).split()) or type(error).__name__
