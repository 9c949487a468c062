"""Law: README.md says what the code does: its commands parse, its tables are the code's own."""

from __future__ import annotations

import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from test_flow import ROOMS
from typer.main import get_command
from typer.testing import CliRunner

from kptool import errors, runs
from kptool.cli import STOPPED, app
from kptool.competitions import find, names, read_recipe
from kptool.config import Competition, Recipe, flat, parse

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GROUP: Any = get_command(app)
COMMANDS: dict[str, Any] = GROUP.commands
# Settings whose names say it all; every other one has a description that `kptool show` prints.
PLAIN = {"name", "seed", "epochs", "batch_size", "weight_decay", "loss", "count", "mirror"}


def section(title: str) -> str:
    """The text under a heading, up to the next heading of its level or above."""
    found = re.findall(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,6}} |\Z)", README, flags=re.M | re.S)
    assert len(found) == 1, f"README.md has {len(found)} sections '{title}'"
    return str(found[0][1])


def table(text: str) -> list[list[str]]:
    """The rows of the first Markdown table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def block(kind: str, title: str) -> str:
    """The one block of a kind under a heading."""
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", section(title), flags=re.M | re.S)
    return str(found)


def command_lines() -> Iterator[str]:
    """Every line of README.md and of a command's help that starts kptool, as a shell reads it."""
    for text in re.findall(r"^```(?:bash|text)\n(.*?)^```$", README, flags=re.M | re.S):
        for line in text.splitlines():
            yield from re.findall(r"(?:^|&& |\$ |next: )(kptool(?: .*)?)$", line)
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.M | re.S)
    yield from re.findall(r"`(kptool [^`]+)`", prose)
    for command in COMMANDS.values():
        yield from re.findall(r"Example: (kptool .+)", command.help)


LINES = sorted(set(command_lines()))


def parameters(command: Any) -> list[list[str]]:
    """What README's table of a command must hold: name, default, help."""
    rows = []
    for one in command.params:
        words = [] if one.param_type_name == "argument" else [" / ".join([*one.opts, *one.secondary_opts])]
        default = "" if one.default in (None, False, "") else f"`{one.default}`"
        rows.append([f"`{' '.join([*words, *filter(None, [one.metavar])])}`", default, one.help])
    return rows


# --- commands ---


def test_there_are_command_lines_of_every_command() -> None:
    assert {line.split()[1] for line in LINES if len(line.split()) > 1} >= set(COMMANDS)
    assert "kptool cv demo" in LINES


@pytest.mark.parametrize("line", LINES)
def test_every_command_line_parses(line: str) -> None:
    _, *words = shlex.split(line.split(" > ")[0], comments=True)
    if not words or words[0].startswith("--") or words[0].isupper():
        return
    command = COMMANDS[words[0]]
    if words[1:] in ([], ["--help"]):
        return  # only spoken of
    given = command.make_context(words[0], words[1:]).params
    name = given.get("competition")
    if name in names():
        recipe = given["recipe"]
        read_recipe(find(name), "default" if recipe.endswith(".toml") else recipe, given["settings"])


@pytest.mark.parametrize("name", COMMANDS)
def test_option_tables_are_the_commands_own(name: str) -> None:
    assert table(section(f"`kptool {name}`")) == parameters(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_what_the_tables_say(name: str) -> None:
    shown = " ".join(CliRunner().invoke(app, [name, "--help"]).output.split())
    for words, default, text in table(section(f"`kptool {name}`")):
        assert words.strip("`") in shown
        assert text in shown
        assert not default or f"[default: {default.strip('`')}]" in shown


def test_no_command_is_left_out_and_none_invented() -> None:
    assert re.findall(r"^### `kptool (\w+)`$", README, flags=re.M) == list(COMMANDS)
    assert [option for one in GROUP.params for option in one.opts] == ["--version"]
    assert "`--version`" in section("Commands")


@pytest.mark.parametrize("mark", ["first run", "tests"])
def test_ci_finds_its_two_blocks(mark: str) -> None:
    assert README.count(f"# {mark}\n") == 1
    (commands,) = re.findall(rf"```bash\n# {mark}\n(.+?)```", README, flags=re.S)
    assert len(commands.strip().splitlines()) == 1
    assert 'rf"```bash\\n# {mark}\\n(.+?)```"' in (ROOT / ".ci" / "run").read_text()


# --- tables ---


def test_exit_codes_are_those_of_the_errors() -> None:
    tree = re.findall(r"(\w+Error) +exit code (\d) +(.+)", errors.__doc__ or "")
    kinds = {k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.KptoolError)}
    assert {(kind.__name__, str(kind.exit_code)) for kind in kinds} == {(name, code) for name, code, _ in tree}
    told = {int(code): text for code, text in table(section("Exit codes"))}
    assert set(told) == {0, STOPPED, *(kind.exit_code for kind in kinds)}
    words = {int(code): text for _, code, text in reversed(tree)}  # of the kinds with one code, the first
    assert [code for code, text in words.items() if not told[code].startswith(text)] == []


def test_every_key_of_a_competition_is_in_its_table() -> None:
    keys = [row[0].strip("`") for row in table(section("Your own competition"))]
    assert keys[: len(Competition.model_fields)] == list(Competition.model_fields)


def test_the_example_of_a_competition_is_one() -> None:
    made = parse(Competition, tomllib.loads(block("toml", "Your own competition")), "README.md")
    assert made.schema_of_points.mirror == (1, 0, 2, 3)


def test_the_folder_of_a_run_is_as_documented() -> None:
    tree = textwrap.dedent((runs.__doc__ or "").partition("::\n")[2]).strip("\n")
    assert block("text", "A run's folder") == f"{tree}\n"


def test_the_map_shows_every_room_in_order() -> None:
    named = [line.split()[0] for line in block("text", "Map of the code").splitlines()]
    assert named == [room for room in ROOMS if room != "__main__"]


def test_every_setting_explains_itself() -> None:
    for section_name, field in Recipe.model_fields.items():
        kind = field.annotation
        inner = kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {section_name: field}
        for name, setting in inner.items():
            assert setting.description or name in PLAIN, f"{section_name}.{name} has no description"


def test_every_setting_that_is_spoken_of_exists() -> None:
    sections = "|".join(name for name, field in Recipe.model_fields.items() if field.annotation not in (str, int))
    spoken = set(re.findall(rf"`((?:{sections})\.(?!parquet)\w+)", README))
    assert {"data.outside", "train.keep"} <= spoken
    assert spoken <= set(flat(Recipe()))


def test_links_lead_to_files() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).is_file(), target


# --- changes ---


def test_the_changelog_has_an_unreleased_section() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.startswith("# Changelog\n")
    assert "keepachangelog.com" in text
    unreleased = re.findall(r"^## \[Unreleased\]\n(.+?)(?=^## |\Z)", text, flags=re.M | re.S)
    assert len(unreleased) == 1
    kinds = re.findall(r"^### (\w+)$", text, flags=re.M)
    assert kinds
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
