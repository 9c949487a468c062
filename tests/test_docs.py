"""Law: README.md says what the code does: its commands parse, its tables are the code's own."""

from __future__ import annotations

import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from test_flow import ROOMS
from typer.main import get_command
from typer.testing import CliRunner

from kptool import errors, metrics, runs
from kptool.annotations import Holds
from kptool.cli import STOPPED, app
from kptool.competitions import find, names, read_recipe
from kptool.config import Competition, Recipe, flat, parse
from kptool.formats import table as formats
from kptool.report.scores import THRESHOLDS
from kptool.submit import ENDINGS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GROUP: Any = get_command(app)


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its words, as in "data convert"; a group stands for those in it."""
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, f"{before}{name} ")
        else:
            yield f"{before}{name}", one


COMMANDS: dict[str, Any] = dict(commands(GROUP))
GROUPS = {name.rpartition(" ")[0] for name in COMMANDS} - {""}
# What the columns of the table of formats are called, and the fields of Holds that they show.
HELD = {
    "point names": "names",
    "boxes": "boxes",
    "hidden points": "occluded",
    "missing points": "missing",
    "no points": "empty",
    "no box": "boxless",
    "several faces": "several",
    "sizes": "sizes",
    "edges": "edges",
    "decimals": "digits",
}
# Settings whose names say it all; every other one has a description that `kptool show` prints.
PLAIN = {"name", "seed", "epochs", "batch_size", "weight_decay", "count", "mirror", "reason"}


def section(title: str) -> str:
    """The text under a heading, up to the next heading of its level or above."""
    found = re.findall(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,6}} |\Z)", README, flags=re.M | re.S)
    assert len(found) == 1, f"README.md has {len(found)} sections '{title}'"
    return str(found[0][1])


def table(text: str, number: int = 0) -> list[list[str]]:
    """The rows of the first Markdown table, or of a later one, without its head."""
    return whole_table(text, number)[2:]


def whole_table(text: str, number: int = 0) -> list[list[str]]:
    """The same with its head and the rule below it."""
    lines = re.findall(r"(?:^\|.*\n)+", f"{text}\n", flags=re.M)[number].splitlines()
    return [[cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")] for line in lines]


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
    """What README's table of a command must hold: name, default, help. An argument of several values ends in "..."."""
    rows = []
    for one in command.params:
        words = [] if one.param_type_name == "argument" else [" / ".join([*one.opts, *one.secondary_opts])]
        default = "" if one.default in (None, False, "") else f"`{one.default}`"
        metavar = f"{one.metavar}..." if one.nargs == -1 else one.metavar
        rows.append([f"`{' '.join([*words, *filter(None, [metavar])])}`", default, one.help])
    return rows


def resolve(words: list[str]) -> tuple[str, list[str]]:
    """The command of a line and the words after it; the name of a group where no command of it is named."""
    count = max((n for n in (1, 2) if " ".join(words[:n]) in {*COMMANDS, *GROUPS}), default=1)
    return " ".join(words[:count]), words[count:]


# --- commands ---


def test_there_are_command_lines_of_every_command() -> None:
    assert {resolve(line.split()[1:])[0] for line in LINES if len(line.split()) > 1} >= set(COMMANDS)
    assert "kptool cv demo" in LINES


@pytest.mark.parametrize("line", LINES)
def test_every_command_line_parses(line: str) -> None:
    _, *words = shlex.split(line.split(" > ")[0], comments=True)
    if not words or words[0].startswith("--") or words[0].isupper():
        return
    name, rest = resolve(words)
    assert name in {*COMMANDS, *GROUPS}
    if rest in ([], ["--help"]):
        return  # only spoken of
    given = COMMANDS[name].make_context(name, rest).params
    name = given.get("competition")
    if name in names():
        recipe = given["recipe"]
        read_recipe(find(name), "default" if recipe.endswith(".toml") else recipe, given["settings"])


@pytest.mark.parametrize("name", COMMANDS)
def test_option_tables_are_the_commands_own(name: str) -> None:
    assert table(section(f"`kptool {name}`")) == parameters(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_what_the_tables_say(name: str) -> None:
    help_ = CliRunner().invoke(app, [*name.split(), "--help"]).output
    shown = " ".join(re.sub(r"(?<=\w-)\n\s+", "", help_).split())  # lines may be broken within "csv-long"
    for words, default, text in table(section(f"`kptool {name}`")):
        assert words.strip("`").removesuffix("...") in shown
        assert text in shown
        assert not default or f"[default: {default.strip('`')}" in shown


def test_what_may_be_given_several_times_says_so() -> None:
    several = {
        f"{name} {one.opts[0]}"
        for name, command in COMMANDS.items()
        for one in command.params
        if getattr(one, "multiple", False)
    }
    assert several >= {"cv --set", "show --set", "submit --form"}
    told = {
        f"{name} {words.split()[0].strip('`')}"
        for name in COMMANDS
        for words, _, text in table(section(f"`kptool {name}`"))
        if "may be repeated" in text
    }
    assert told == several


def test_a_group_without_a_command_names_those_it_has() -> None:
    assert sorted(GROUPS) == ["data"]
    for group in GROUPS:
        said = CliRunner().invoke(app, [group])
        assert said.exit_code == 0
        listed = re.findall(r"^  (\w+)  +\S", said.output.partition("Commands:")[2], flags=re.M)
        assert [f"{group} {name}" for name in listed] == [name for name in COMMANDS if name.startswith(f"{group} ")]


def test_no_command_is_left_out_and_none_invented() -> None:
    assert re.findall(r"^### `kptool ([\w ]+)`$", README, flags=re.M) == list(COMMANDS)
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
    assert keys == list(Competition.model_fields)


@pytest.mark.parametrize("key", ["metric", "normaliser", "form"])
def test_every_word_that_a_key_takes_is_told(key: str) -> None:
    (told,) = [text for name, text in table(section("Your own competition")) if name == f"`{key}`"]
    words = get_args(Competition.model_fields[key].annotation)
    assert len(words) > 2
    assert tuple(word for word in re.findall(r"`([\w-]+)`", told) if word in words) == words


def test_a_competition_may_be_in_every_annotation_format() -> None:
    assert set(get_args(Competition.model_fields["format"].annotation)) == {
        "kaggle-faces", "drawn-faces", "lfw-pairs", *formats.NAMES,
    }  # fmt: skip


def test_every_shipped_competition_is_in_the_table() -> None:
    first = README.partition("## A Kaggle competition")[0]
    assert {row[0].strip("`") for row in table(first)} == set(names())


def test_the_table_of_formats_is_what_they_hold() -> None:
    head, _, *rows = whole_table(section("Annotation formats"))
    assert head == ["format", "is", *HELD]
    assert set(HELD.values()) == set(Holds.__dataclass_fields__)
    assert [row[0].strip("`") for row in rows] == [name for name in formats.NAMES if name != "images"]
    for name, kind, *cells in rows:
        known = formats.get(name.strip("`"))
        assert (kind == "folder") == (known.name in formats.FOLDERS), name
        held = dict(zip(HELD.values(), cells, strict=True))
        decimals = held.pop("digits")
        assert decimals == ("all" if known.holds.digits is None else str(known.holds.digits)), name
        assert held == {field: "yes" if getattr(known.holds, field) else "-" for field in held}, name


def test_every_format_has_its_pixels_told() -> None:
    told = section("Pixels")
    assert [name for name in formats.NAMES if name != "images" and f"`{name}`" not in told] == []


def test_metrics_and_normalisers_are_those_of_the_report() -> None:
    text = section("Metrics")
    assert [row[0] for row in table(text)] == ["RMSE", "MAE", "NME", "CED", "AUC@t", "FR@t", "PCK@t"]
    assert [row[0].strip("`") for row in table(text, 1)] == list(metrics.KINDS)
    first, second, last = (f"{threshold:.2f}" for threshold in THRESHOLDS)
    assert f"t is {first}, {second} and {last}." in text


def test_the_forms_of_a_submission_are_in_the_table_of_its_page() -> None:
    page = (ROOT / "submissions" / "README.md").read_text(encoding="utf-8")
    assert {row[0].strip("`"): row[1].strip("`") for row in table(page)} == ENDINGS


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
    for heading in re.findall(r"\]\(#([^)]+)\)", README):
        assert heading in {title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", README, flags=re.M)}


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
