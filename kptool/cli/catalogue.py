"""`kptool list` and `kptool show`: which competitions and recipes there are, and what a recipe sets."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def list_competitions(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """List the competitions and their recipes.

    Example: kptool list
    """
    from kptool.competitions import find, names

    found = [find(name) for name in names()]
    if as_json:
        rows = [{"slug": f.competition.slug, "title": f.competition.title, "recipes": f.recipes} for f in found]
        typer.echo(json.dumps(rows, indent=2))
        return
    for f in found:
        typer.echo(f"{f.competition.slug:<28} {f.competition.title}; recipes: {', '.join(f.recipes)}")


def show(
    competition: Annotated[
        str,
        typer.Argument(
            metavar="COMPETITION", help="A competition's name (kptool list), or a folder with a competition.toml."
        ),
    ],
    recipe: Annotated[str, typer.Option(metavar="NAME", help="A recipe's name, or a .toml file.")] = "default",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of TOML.")] = False,
) -> None:
    """Show every setting of a recipe, with what it means, as a TOML file that --recipe takes.

    Example: kptool show facial-keypoints-detection --set train.epochs=30
    """
    from pydantic import BaseModel

    from kptool.competitions import find, read_recipe
    from kptool.edits import edits_text

    found = read_recipe(find(competition), recipe, settings)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    typer.echo(f"# {found.name}, digest {found.digest}\nseed = {found.seed}")
    for section in type(found).model_fields:
        table = getattr(found, section)
        if not isinstance(table, BaseModel):
            continue
        typer.echo(f"\n[{section}]")
        for key, field in type(table).model_fields.items():
            if (section, key) == ("data", "edits") and found.data.edits:
                continue
            line = f"{key} = {json.dumps(getattr(table, key))}"
            typer.echo(f"{line:<27} # {field.description}" if field.description else line)
        if section == "data" and found.data.edits:  # last of the section: in TOML all keys come before tables
            typer.echo(f"\n{edits_text(found.data.edits, 'data.edits')}", nl=False)
