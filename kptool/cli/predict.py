"""`kptool predict`: a run's answer to photos of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as kptool cv printed it.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES", help="Pictures, or folders of them.")],
    box: Annotated[
        str | None,
        typer.Option(metavar="X,Y,W,H", help="The face's box in every picture, in px: left, top, width, height."),
    ] = None,
    boxes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Boxes: a CSV of image,x,y,w,h, or annotations with boxes.")
    ] = None,
    detector: Annotated[Path | None, typer.Option(metavar="FILE", help="YuNet's .onnx file; finds the faces.")] = None,
    fetch_detector: Annotated[
        bool, typer.Option("--fetch-detector", help="Download YuNet once (230 kB) and find the faces with it.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="What to write; default: predictions.csv, or as --to has it."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="dlib, pts, asf, coco, wflw, yolo, deeplabcut, csv or csv-long; default: by the ending of --out.",
        ),
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the pictures with their points drawn in.")
    ] = None,
    on_bad: Annotated[
        str, typer.Option(metavar="WHAT", help="Pictures that cannot be used: fail, or skip = list them and go on.")
    ] = "fail",
    force: Annotated[bool, typer.Option("--force", help="Write over what stands in --out and --draw.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the points as JSON as well.")] = False,
) -> None:
    """Find the points in photos of one's own, all folds and views averaged, in each photo's own px.

    Say where the faces are with one of --box, --boxes, --detector and --fetch-detector; else each picture is taken
    whole.

    Example: kptool predict runs/ibug-300w/20260131-120000-default me.jpg --box 120,80,300,300 --draw drawn
    """
    from kptool.runs import open_keypoint_run

    opened = open_keypoint_run(
        run, "kptool predict"
    )  # before torch is loaded, so that a slip of the pen is answered at once

    from kptool.cli.own import Ways, find_faces, plan, run_model
    from kptool.cli.own_results import tell
    from kptool.cli.terminal import make_console

    wish = plan(opened, images, Ways(box, boxes, detector, fetch_detector), (out, to), draw, on_bad, force)
    console = make_console(stderr=as_json)
    faces = find_faces(console, wish)
    tell(console, wish, faces, run_model(console, wish, faces), as_json)
