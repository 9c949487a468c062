"""TensorBoard: event files under RUN/tensorboard, one folder a fold."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kptool.errors import DataError
from kptool.track.contract import Begun, Facts, Plain, Point

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER: Final = "tensorboard"
EVENTS: Final = "events.out.tfevents.*"


class TensorBoard:
    """Writes a fold's curves into RUN/tensorboard/fold-K, the recipe and the scores into RUN/tensorboard.

    A sitting writes the curves anew, whole, from the histories, and empties the event files of earlier ones: what of a
    file a kill has left cannot be told, and of two files begun in one second either may be read first. They are emptied
    and not removed, since a TensorBoard that is open would look for them for ever. A fold's new file begins with the
    mark of a restart, at which it drops what it had read of the fold.
    """

    def __init__(self) -> None:
        import tensorboard  # noqa: F401 - so that what is missing is told by its own name
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        self._open, self._hparams = SummaryWriter, hparams
        self._writers: dict[str, SummaryWriter] = {}

    def begin(self, facts: Facts) -> Begun:
        """Empty an earlier sitting's event files; write the recipe, the environment and the digests as texts.

        Raises:
            DataError: a link leads out of the run.
        """
        self._facts = facts
        root = facts.folder / FOLDER
        for folder in [root, *sorted(root.glob("fold-*"))]:
            for file in folder.glob(EVENTS):
                _refuse_link(file, facts.folder)
                file.write_bytes(b"")
        for name, table in _texts(facts):
            self._writer("").add_text(name, _as_code(table))
        self._writer("").flush()
        return Begun({}, shlex.join(["tensorboard", "--logdir", str(root)]))

    def epoch(self, point: Point) -> None:
        """Write the scalars, by epoch."""
        writer = self._writer(f"fold-{point.fold}")
        for name, value in point.values.items():
            writer.add_scalar(name, value, point.epoch, walltime=point.at)
        writer.flush()

    def finish(self, scores: Mapping[str, float]) -> None:
        """Write the scores beside the settings, as TensorBoard's table of hyperparameters and as scalars."""
        # Not by add_hparams, which opens a file of its own: of two begun in one second either may be read first.
        writer, files = self._writer(""), self._writer("").file_writer
        assert files is not None, "the texts have been written"
        for summary in self._hparams(dict(self._facts.recipe), dict(scores)):
            files.add_summary(summary, 0)
        for name, value in scores.items():
            writer.add_scalar(name, value, 0)
        writer.flush()

    def close(self) -> None:
        """Write out what is left and close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _writer(self, name: str) -> SummaryWriter:
        if name not in self._writers:
            folder = self._facts.folder / FOLDER / name
            _refuse_link(folder, self._facts.folder)
            self._writers[name] = self._open(str(folder), purge_step=0)
        return self._writers[name]


def _refuse_link(path: Path, run: Path) -> None:
    if not path.resolve().is_relative_to(run.resolve()):
        raise DataError(f"{path} leads out of the run", "remove the link")


def _texts(facts: Facts) -> Iterator[tuple[str, Mapping[str, Plain]]]:
    yield "recipe", facts.recipe
    yield "digests", facts.digests
    yield "environment", facts.environment


def _as_code(table: Mapping[str, Plain]) -> str:
    """Markdown that shows every value as it is, whatever it holds."""
    return "\n".join(f"    {key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items())
