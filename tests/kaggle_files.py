"""Small files in the shape of Kaggle's, for the tests of the reader."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

from kptool.schema import make_schema

SCHEMA = make_schema("three", ["left_eye", "nose", "chin"])
PIXELS = 96 * 96
ROWS = 7


def image_text(rng: random.Random, pixels: int = PIXELS) -> str:
    return " ".join(str(v) for v in rng.choices(range(256), k=pixels))


def faces(rows: int = ROWS, seed: int = 0) -> list[list[str]]:
    """A header and rows as cells; some points blank."""
    rng = random.Random(seed)
    table = [[*SCHEMA.columns, "Image"]]
    for _ in range(rows):
        points = [[f"{rng.uniform(0, 96):.10f}" for _ in "xy"] if rng.random() < 0.7 else ["", ""] for _ in range(3)]
        table.append([*(cell for point in points for cell in point), image_text(rng)])
    return table


def as_csv(table: list[list[str]], end: str = "\n") -> bytes:
    return "".join(",".join(row) + end for row in table).encode()


def write_faces(folder: Path, table: list[list[str]] | None = None) -> Path:
    """All four files; the test images are the training images under ids 10, 20, ..."""
    folder.mkdir(exist_ok=True)
    table = faces() if table is None else table
    (folder / "training.csv").write_bytes(as_csv(table))
    ids = [["ImageId", "Image"], *([str(10 * i), row[-1]] for i, row in enumerate(table[1:], 1))]
    (folder / "test.csv").write_bytes(as_csv(ids))
    lookup = "RowId,ImageId,FeatureName,Location\n1,20,nose_y,\n2,10,left_eye_x\n5,30,chin_x,\n"
    (folder / "IdLookupTable.csv").write_text(lookup)
    (folder / "SampleSubmission.csv").write_text("RowId,Location\n1,0\n2,0\n5,0\n")
    return folder


def zip_of(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def kaggle_zip(folder: Path, out: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """The competition zip as Kaggle serves it: two members are zips themselves."""
    members = {}
    for stem in ("training", "test"):
        inner = zip_of(out.parent / f"{stem}-inner.zip", {f"{stem}.csv": (folder / f"{stem}.csv").read_bytes()})
        members[f"{stem}.zip"] = inner.read_bytes()
        inner.unlink()
    for name in ("IdLookupTable.csv", "SampleSubmission.csv"):
        members[name] = (folder / name).read_bytes()
    return zip_of(out, members, method)
