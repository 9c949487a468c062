"""`kptool cv`: cross-validate a recipe, or go on with a run that was cut off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kptool.errors import UsageError


def cv(
    competition: Annotated[
        str | None,
        typer.Argument(
            metavar="COMPETITION", help="A competition's name (kptool list), or a folder with a competition.toml."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Folder, zip or CSV with the competition's data.")
    ] = None,
    recipe: Annotated[str, typer.Option(metavar="NAME", help="A recipe's name, or a .toml file.")] = "default",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Short for --set train.epochs=N.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Short for --set seed=N.")] = None,
    folds: Annotated[str | None, typer.Option(metavar="LIST", help="Train only these folds, as in 0,2.")] = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Start a timm backbone from the hub's weights.")
    ] = False,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Start a timm backbone from a .safetensors file.")
    ] = None,
    on_bad: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT", help="Pictures that cannot be used: fail or skip. Short for --set data.on_bad=WHAT."
        ),
    ] = None,
    pairs_from: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT", help="Of verification: file or identities (a folder a person). Short for data.pairs_from."
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N.")] = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Folds side by side; default: one a core, one on a GPU.")
    ] = None,
    runs: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = Path("runs"),
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with this run.")] = None,
    track: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Send the curves to tensorboard, mlflow or wandb as well; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Cross-validate a recipe: train every fold, report the out-of-fold errors.

    Example: kptool cv facial-keypoints-detection --data ~/data/fkd --epochs 8
    """
    from kptool.competitions import find, read_recipe
    from kptool.track import make

    if resume is None and competition is None:
        raise UsageError("kptool cv needs a competition or --resume RUN", "kptool list names the competitions")
    changes = [*_changes(settings, epochs, seed, pretrained, weights), *_data_changes(on_bad, pairs_from)]
    if competition is not None:  # before torch is loaded, so that a slip of the pen is answered at once
        read_recipe(find(competition), recipe, changes)
    trackers = make(track or [])

    from kptool.cli.sitting import Wish, begin, finish, followed, resume_run, train
    from kptool.cli.terminal import make_console

    console = make_console(stderr=as_json)
    wish = Wish(competition, data, recipe, tuple(changes), folds, device, runs)
    run, intake = resume_run(console, wish, resume) if resume else begin(console, wish)
    with followed(console, run, trackers) as follower:
        train(console, run, intake, workers, follower)
        finish(console, run, as_json, follower)


def _changes(
    settings: list[str] | None,
    epochs: int | None,
    seed: int | None,
    pretrained: bool,
    weights: Path | None,
) -> list[str]:
    out = list(settings or [])
    if epochs is not None:
        out.append(f"train.epochs={epochs}")
    if seed is not None:
        out.append(f"seed={seed}")
    if pretrained:
        out.append("model.pretrained=true")
    if weights is not None:
        if not weights.is_file():
            raise UsageError(f"--weights {weights}: no such file", "name a .safetensors file")
        out.append(f"model.weights={json.dumps(str(weights.resolve()))}")  # a JSON string is a TOML string
    return out


def _data_changes(on_bad: str | None, pairs_from: str | None) -> list[str]:
    words = {"on_bad": on_bad, "pairs_from": pairs_from}
    return [f"data.{key}={json.dumps(word)}" for key, word in words.items() if word is not None]
