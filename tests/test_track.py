"""Law: a tracker gets every epoch of every fold once, whatever was cut off or switched on late, and never stops one."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kptool.engine.history import Epoch, write_history
from kptool.engine.progress import Doing, Progress
from kptool.errors import DataError, UsageError
from kptool.track import TRACKERS, Begun, Facts, Point, make
from kptool.track.follower import Follower, points
from kptool.track.kept import FILE, Kept, read_kept, write_kept
from kptool.track.words import LONGEST, one_line

HOSTILE = "</script>`rm -rf`[x](javascript:1)\n# big \x1b[31m"


def facts(folder: Path, folds: tuple[int, ...] = (0, 3)) -> Facts:
    recipe: dict[str, str | int | float | bool] = {"train.epochs": 5, "train.lr": 2e-3, "predict.mirror": True}
    recipe |= {"model.weights": HOSTILE, "train.loss": ""}
    digests = {"recipe": "25d66a16b40e", "data": "426a"}
    return Facts("20260131-default", folder, "own-faces", recipe, digests, {"torch": "2.6", "cores": 2}, folds)


def row(epoch: int) -> Epoch:
    """Values that no float32 holds exactly; every other epoch was evaluated."""
    return Epoch(epoch, 8.1 / epoch, 2.3 + 1 / epoch if epoch % 2 else None, 0.7 * epoch, 641.7 + epoch)


def trained(folder: Path, fold: int, epochs: int) -> Progress:
    """Write a fold's history up to an epoch; the news that its worker then sends."""
    write_history(folder / f"fold-{fold}" / "history.csv", [row(epoch) for epoch in range(1, epochs + 1)])
    return news(fold, epochs)


def news(fold: int, epoch: int, state: Doing = "training") -> Progress:
    one = row(epoch)
    return Progress(fold, epoch, 5, one.loss, one.heldout, 3.5, one.images_per_second, one.seconds, state)


class Recorder:
    """A tracker that remembers, over sittings too."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.calls: list[str] = []

    def begin(self, facts: Facts) -> Begun:
        self.calls.append("begin")
        return Begun({fold: len(self.of(fold)) for fold in facts.folds}, "here")

    def epoch(self, point: Point) -> None:
        self.points.append(point)

    def finish(self, scores: Mapping[str, float]) -> None:
        self.calls.append(f"finish {dict(scores)}")

    def close(self) -> None:
        self.calls.append("close")

    def of(self, fold: int) -> list[int]:
        return [point.epoch for point in self.points if point.fold == fold]


class Broken(Recorder):
    """A tracker whose methods of one name fail."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method = method

    def _fail(self, method: str) -> None:
        if method == self.method:
            raise ConnectionError("the server\n\x1b[31mis gone: http://me:secret@host/x")

    def begin(self, facts: Facts) -> Begun:
        self._fail("begin")
        return super().begin(facts)

    def epoch(self, point: Point) -> None:
        super().epoch(point)
        self._fail("epoch")

    def finish(self, scores: Mapping[str, float]) -> None:
        self._fail("finish")
        super().finish(scores)

    def close(self) -> None:
        super().close()
        self._fail("close")


class Stopping(Recorder):
    """Ctrl-C comes while it begins."""

    def begin(self, _: Facts, /) -> Begun:
        raise KeyboardInterrupt


def quiet(_: str) -> None:
    return


# --- following ---


def test_each_epoch_comes_once_whatever_the_news_repeats(tmp_path: Path) -> None:
    seen = Recorder()
    with Follower({"seen": seen}, facts(tmp_path), quiet) as follower:
        follower.begin()
        for epoch in (1, 2):
            follower.update(trained(tmp_path, 0, epoch))
            follower.update(trained(tmp_path, 3, epoch))
        for state in ("waiting", "training", "predicting", "done"):
            follower.update(news(0, 2, state))
        follower.finish({"rmse_px": 2.5})
    assert [(p.fold, p.epoch) for p in seen.points] == [(0, 1), (3, 1), (0, 2), (3, 2)]
    assert seen.calls == ["begin", "finish {'rmse_px': 2.5}", "close"]
    assert seen.points[0].values == {"loss": 8.1, "images_per_second": 642.7, "heldout_rmse_px": 3.3}
    assert seen.points[2].values == {"loss": 4.05, "images_per_second": 643.7}, "an epoch that was not evaluated"


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_cut_off_the_curves_have_no_seam(tmp_path: Path, seed: int) -> None:
    """Sittings of random length; news is lost to kills, comes late, or tells of an epoch again that was torn."""
    generator, seen, reached = np.random.default_rng(seed), Recorder(), {0: 0, 3: 0}
    while min(reached.values()) < 9:
        watched = generator.random() < 0.7  # else a sitting without --track
        follower = Follower({"seen": seen} if watched else {}, facts(tmp_path), quiet)
        follower.begin()
        if generator.random() < 0.3:  # the newest checkpoint was torn: an epoch is trained again
            reached = {fold: max(0, epoch - 1) for fold, epoch in reached.items()}
        for _ in range(int(generator.integers(0, 7))):
            fold = int(generator.choice([0, 3]))
            reached[fold] = min(reached[fold] + 1, 9)
            told = trained(tmp_path, fold, reached[fold])
            if generator.random() < 0.8:
                follower.update(told)
    with Follower({"seen": seen}, facts(tmp_path), quiet) as last:
        last.begin()
    assert seen.of(0) == seen.of(3) == list(range(1, 10))


def test_an_epoch_s_time_is_reckoned_back_from_the_file_s(tmp_path: Path) -> None:
    trained(tmp_path, 0, 4)
    written = (tmp_path / "fold-0" / "history.csv").stat().st_mtime
    assert [point.at - written for point in points(tmp_path, 0)] == pytest.approx([-2.1, -1.4, -0.7, 0], abs=1e-5)
    assert points(tmp_path, 3) == []


@pytest.mark.parametrize("method", ["begin", "epoch", "finish", "close"])
def test_a_tracker_that_breaks_is_switched_off_alone_with_one_note(tmp_path: Path, method: str) -> None:
    broken, seen, notes = Broken(method), Recorder(), list[str]()
    with Follower({"broken": broken, "seen": seen}, facts(tmp_path), notes.append) as follower:
        follower.begin()
        for epoch in (1, 2, 3):
            follower.update(trained(tmp_path, 0, epoch))
        follower.finish({"rmse_px": 2.5})
    assert seen.of(0) == [1, 2, 3]
    assert seen.calls == ["begin", "finish {'rmse_px': 2.5}", "close"]
    assert broken.of(0) == {"begin": [], "epoch": [1]}.get(method, [1, 2, 3])
    assert "close" in broken.calls, "it was not let go of"
    (note,) = (note for note in notes if "switched off" in note)
    assert note.startswith("note: broken is switched off, ConnectionError: the server")
    assert "\n" not in note
    assert "secret" not in note
    assert note.endswith(f"kptool cv --resume {tmp_path} --track broken sends what is missing")


def test_a_training_that_stops_closes_the_trackers_and_tells_no_scores(tmp_path: Path) -> None:
    seen = Recorder()
    with pytest.raises(KeyboardInterrupt), Follower({"seen": seen, "stop": Stopping()}, facts(tmp_path), quiet) as one:
        one.begin()
    assert seen.calls == ["begin", "close"]


# --- names ---


def test_an_unknown_name_is_answered_with_the_closest() -> None:
    with pytest.raises(UsageError, match=r"--track tensorbord: no such tracker; did you mean 'tensorboard'\?"):
        make(["tensorbord"])
    with pytest.raises(UsageError, match="known: mlflow, tensorboard, wandb"):
        make(["x"])
    assert make([]) == {}


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_package_is_named_with_what_installs_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError) as caught:
        make([name])
    assert caught.value.message == f"--track {name}: the package {name} is not installed"
    assert caught.value.hint == f'pip install "kptool-cv[{name}]"'


def test_a_package_that_cannot_be_loaded_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> Recorder:
        raise TypeError("Descriptors cannot be created directly.")

    monkeypatch.setattr("kptool.track.making.TRACKERS", {"wandb": load})
    with pytest.raises(UsageError, match="wandb: its package fails with TypeError: Descriptors cannot"):
        make(["wandb"])


def test_a_name_given_twice_is_one_tracker() -> None:
    assert list(make(["tensorboard", "tensorboard"])) == ["tensorboard"]


def test_an_error_is_one_short_line() -> None:
    assert one_line(ValueError("a\n  b")) == "ValueError: a b"
    assert one_line(ValueError()) == "ValueError"
    assert len(one_line(ValueError("x" * 999))) == LONGEST
    assert one_line(OSError("http://a:b@h/x and s3://k@b/y")) == "OSError: http://h/x and s3://b/y"


# --- track.json ---


def test_what_is_kept_comes_back_and_other_trackers_keep_theirs(tmp_path: Path) -> None:
    assert read_kept(tmp_path, "wandb") is None
    write_kept(tmp_path, "wandb", Kept("a1_b-2", {0: 3, 4: 1}))
    write_kept(tmp_path, "mlflow", Kept("f00", {}))
    assert read_kept(tmp_path, "wandb") == Kept("a1_b-2", {0: 3, 4: 1})
    assert read_kept(tmp_path, "mlflow") == Kept("f00", {})


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", '{"wandb": 1}', '{"wandb": {"id": "a"}}', '{"wandb": {"id": "a", "epochs": {"x": 1}}}',
        '{"wandb": {"id": "../../etc", "epochs": {}}}', '{"wandb": {"id": "", "epochs": {}}}', "[" * 100_000,
        '{"wandb": {"id": "a", "epochs": [1]}}',
    ],
)  # fmt: skip
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(DataError, match=r"track\.json is damaged; delete it"):
        read_kept(tmp_path, "wandb")


# --- TensorBoard, its files read back ---


def sitting(folder: Path, names: list[str], epochs: Mapping[int, int], finished: bool = True) -> list[str]:
    """Train folds up to given epochs under the named trackers; what was said."""
    notes: list[str] = []
    with Follower(make(names), facts(folder), notes.append) as follower:
        follower.begin()
        for fold, last in epochs.items():
            for epoch in range(len(points(folder, fold)) + 1, last + 1):
                follower.update(trained(folder, fold, epoch))
        if finished:
            follower.finish({"rmse_px": 2.5, "scheme/4 points/rmse_px": 1.5})
    assert not [note for note in notes if "switched off" in note], notes
    return notes


def curve(folder: Path, tag: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return [(event.step, event.value) for event in found.Scalars(tag)]


def float32(value: float) -> float:
    return float(np.float32(value))


def test_tensorboard_s_files_hold_the_histories_after_any_sittings(tmp_path: Path) -> None:
    trained(tmp_path, 3, 2)  # a sitting without it
    sitting(tmp_path, ["tensorboard"], {0: 3}, finished=False)
    sitting(tmp_path, ["tensorboard"], {0: 5, 3: 5})
    (said,) = sitting(tmp_path, ["tensorboard"], {})
    assert said == f"tensorboard: tensorboard --logdir {tmp_path / 'tensorboard'}"
    for fold in (0, 3):
        place = tmp_path / "tensorboard" / f"fold-{fold}"
        rows = [row(epoch) for epoch in range(1, 6)]
        assert curve(place, "loss") == [(r.epoch, float32(r.loss)) for r in rows]
        assert curve(place, "images_per_second") == [(r.epoch, float32(r.images_per_second)) for r in rows]
        evaluated = [(r.epoch, float32(r.heldout)) for r in rows if r.heldout is not None]
        assert curve(place, "heldout_rmse_px") == evaluated
    assert curve(tmp_path / "tensorboard", "rmse_px") == [(0, 2.5)]
    assert curve(tmp_path / "tensorboard", "scheme/4 points/rmse_px") == [(0, 1.5)]


def test_an_open_tensorboard_sees_no_epoch_twice(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    shown = EventMultiplexer(size_guidance={"scalars": 0})
    for last in (2, 4):
        time.sleep(1.0)  # as a rule sittings are that far apart, and names of event files sort by the second
        sitting(tmp_path, ["tensorboard"], {0: last}, finished=False)
        shown.AddRunsFromDirectory(str(tmp_path / "tensorboard"))
        shown.Reload()
        assert [event.step for event in shown.Scalars("fold-0", "loss")] == list(range(1, last + 1))


def test_tensorboard_gets_settings_as_they_are_and_as_a_table(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    sitting(tmp_path, ["tensorboard"], {0: 1})
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    text = found.Tensors("recipe/text_summary")[0].tensor_proto.string_val[0].decode()
    assert all(line.startswith("    ") for line in text.splitlines()), "only code blocks are shown as they are"
    assert f"    model.weights = {json.dumps(HOSTILE)}" in text.splitlines()
    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"train.lr" in content


@pytest.mark.parametrize("link", ["tensorboard", "tensorboard/fold-0", "tensorboard/events.out.tfevents.1.a"])
def test_tensorboard_empties_no_file_outside_the_run(tmp_path: Path, link: str) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    other.mkdir()
    file = other / "events.out.tfevents.1.a"
    file.write_text("not ours")
    (run / link).parent.mkdir(parents=True)
    (run / link).symlink_to(file if link.endswith(file.name) else other)
    with pytest.raises(DataError, match=r"leads out of the run; remove the link"):
        make(["tensorboard"])["tensorboard"].begin(facts(run))
    assert [one.read_text() for one in other.iterdir()] == ["not ours"]


# --- MLflow and Weights & Biases, for real where they are installed ---


def test_mlflow_s_run_has_each_epoch_once_after_any_sittings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # ready in no time, where a database takes seconds
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    MlflowClient = pytest.importorskip("mlflow").MlflowClient

    sitting(tmp_path, ["mlflow"], {0: 2}, finished=False)
    client, run = MlflowClient(), json.loads((tmp_path / FILE).read_text())["mlflow"]["id"]
    assert client.get_run(run).info.status == "KILLED"
    (tmp_path / FILE).rename(tmp_path / "aside")
    trained(tmp_path, 0, 3)  # a sitting without it
    (tmp_path / "aside").rename(tmp_path / FILE)
    sitting(tmp_path, ["mlflow"], {0: 4, 3: 4})
    for fold in (0, 3):
        assert [(m.step, m.value) for m in client.get_metric_history(run, f"fold_{fold}/loss")] == [
            (epoch, row(epoch).loss) for epoch in range(1, 5)
        ]
    found = client.get_run(run)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "20260131-default")
    assert found.data.metrics["scheme/4 points/rmse_px"] == 1.5
    assert found.data.params["train.lr"] == "0.002"
    assert found.data.tags["kptool.recipe_digest"] == "25d66a16b40e"
    client.delete_run(run)
    sitting(tmp_path, ["mlflow"], {})
    again = json.loads((tmp_path / FILE).read_text())["mlflow"]["id"]
    assert again != run, "a run that was deleted there is begun anew"
    assert len(client.get_metric_history(again, "fold_0/loss")) == 4


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wandb_writes_an_offline_run_and_goes_on_under_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_DIR", raising=False)
    sitting(tmp_path, ["wandb"], {0: 2}, finished=False)
    kept = read_kept(tmp_path, "wandb")
    assert kept is not None
    assert kept.epochs == {0: 2}
    (said,) = sitting(tmp_path, ["wandb"], {0: 3})
    assert said.startswith(f"wandb: wandb sync {tmp_path / 'wandb' / 'offline-run-'}")
    assert read_kept(tmp_path, "wandb") == Kept(kept.id, {0: 3})
    files = list((tmp_path / "wandb").glob(f"offline-run-*-{kept.id}/run-{kept.id}.wandb"))
    assert b"fold_0/loss" in b"".join(file.read_bytes() for file in files)


# --- what the adapters call, whether or not the packages are there ---


class Calls:
    """Stands for any object of a package: notes what is called on it."""

    def __init__(self) -> None:
        self.all: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def note(self, name: str, answer: Any = None) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            self.all.append((name, args, named))
            return answer

        return call

    def of(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        return [(args, named) for called, args, named in self.all if called == name]


def module(monkeypatch: pytest.MonkeyPatch, name: str, **contents: Any) -> None:
    made = ModuleType(name)
    vars(made).update(contents)
    monkeypatch.setitem(sys.modules, name, made)


def test_mlflow_is_told_metrics_by_step_in_one_request_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls()
    client = SimpleNamespace(
        get_experiment_by_name=calls.note("find"),
        create_experiment=calls.note("create_experiment", "7"),
        create_run=calls.note("create_run", SimpleNamespace(info=SimpleNamespace(run_id="f00"))),
        get_metric_history=calls.note("history", []),
        log_batch=calls.note("log"),
        set_terminated=calls.note("end"),
    )
    entities = SimpleNamespace(Metric=lambda *values: values, Param=lambda *values: values)
    module(monkeypatch, "mlflow.entities", **vars(entities))
    module(
        monkeypatch,
        "mlflow",
        MlflowClient=lambda: client,
        entities=entities,
        get_tracking_uri=lambda: "https://me:secret@host/x",
    )
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    assert sitting(tmp_path, ["mlflow"], {3: 2}) == [
        "mlflow: run 20260131-default of experiment mine, in https://host/x"
    ]
    assert calls.of("create_experiment") == [(("mine",), {})]
    params, first, second, scores = calls.of("log")
    assert ("train.epochs", "5") in params[1]["params"]
    for (args, named), epoch in ((first, 1), (second, 2)):
        assert args == ("f00",)
        assert {(name, step) for name, _, _, step in named["metrics"]} >= {("fold_3/loss", epoch)}
        assert {value for name, value, _, _ in named["metrics"] if name == "fold_3/loss"} == {8.1 / epoch}
    assert {name for name, *_ in second[1]["metrics"]} == {"fold_3/loss", "fold_3/images_per_second"}
    assert {name for name, *_ in scores[1]["metrics"]} == {"rmse_px", "scheme/4 points/rmse_px"}
    assert calls.of("end") == [(("f00", "FINISHED"), {})]


def test_wandb_is_told_curves_over_the_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    run = SimpleNamespace(
        url="https://host/run",
        define_metric=calls.note("define"),
        log=calls.note("log"),
        summary=SimpleNamespace(update=calls.note("summary")),
        finish=calls.note("finish"),
    )
    module(monkeypatch, "wandb", init=calls.note("init", run), Settings=lambda **named: named)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    assert sitting(tmp_path, ["wandb"], {3: 1}, finished=False) == ["wandb: https://host/run"]
    sitting(tmp_path, ["wandb"], {3: 2})
    (_, first), (_, again) = calls.of("init")
    assert first["id"] == again["id"]
    assert (first["project"], first["name"], first["resume"]) == ("own-faces", "20260131-default", "allow")
    assert first["config"]["train.epochs"] == 5
    assert first["config"]["digest.recipe"] == "25d66a16b40e"
    assert (("fold_3/*",), {"step_metric": "epoch"}) in calls.of("define")
    logged = [args[0] for args, _ in calls.of("log")]
    assert [(one["epoch"], one["fold_3/loss"]) for one in logged] == [(1, 8.1), (2, 4.05)]
    assert "fold_3/heldout_rmse_px" not in logged[1]
    assert calls.of("summary") == [(({"rmse_px": 2.5, "scheme/4 points/rmse_px": 1.5},), {})]
    assert calls.of("finish") == [((), {"exit_code": 1}), ((), {"exit_code": 0})]
