"""What a submission answers, and which of its pictures cannot be used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from kptool.competitions import Found
from kptool.config import CropOptions, ImageOptions
from kptool.contrast import AS_IT_IS
from kptool.dataset import Dataset, Ints, Lookup, Photos
from kptool.errors import MissingFileError
from kptool.formats import get
from kptool.pixels import Fault, Tick, prepare
from kptool.schemes import Schemes


@dataclass(frozen=True)
class TestSet:
    """What a submission answers.

    Attributes:
        dataset: the N images, with those that cannot be used.
        lookup: the values asked for.
        sample: row ids of the sample submission, or None.
        bad: rows whose picture is missing, cannot be decoded or has no usable box, each with the reason in one line.
    """

    dataset: Dataset
    lookup: Lookup
    sample: Ints | None
    bad: list[Fault]


def read_test(found: Found, data: Path | None) -> TestSet:
    """Read what a submission must answer, without opening a picture further than its header.

    Raises:
        DataError: a file is missing or cannot be trusted.
    """
    schema = found.competition.schema_of_points
    reader = get(found.competition)
    dataset = reader.read_test(data, schema)
    return TestSet(dataset, reader.read_lookup(data, dataset), reader.read_sample(data), [])


def find_bad(
    test: TestSet, crop: CropOptions, channels: int, tick: Tick | None = None, image: ImageOptions = AS_IT_IS
) -> TestSet:
    """A test set whose pictures have all been opened and cropped as a run does; `bad` lists those that cannot be."""
    if not isinstance(test.dataset.images, Photos):
        return test
    return replace(test, bad=prepare(test.dataset, crop, channels, tick, image).faults)


def test_mix_of(found: Found, data: Path | None, schemes: Schemes, boxed: bool) -> tuple[list[float] | None, list[str]]:
    """Share of the requested values per scheme, None where it is not known; and what to tell of that."""
    if not found.competition.has_test:
        return None, []
    # A folder with training.csv alone must train; a damaged test file is told now and not after an hour of training.
    try:
        test = read_test(found, data)
    except MissingFileError as error:
        return None, [f"the test set's mix of marking schemes is not known ({error.message})"]
    notes = []
    if boxed and test.dataset.boxes is None and isinstance(test.dataset.images, Photos):
        notes = ["the test images have no boxes, and faces are cut out by their boxes: they cannot be answered so"]
    return schemes.share(test.lookup.asked(len(test.dataset), len(test.dataset.schema.points))), notes
