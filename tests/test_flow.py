"""Law: data flows one way; a room imports only the rooms before it, and asking for help loads nothing heavy."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kptool

PACKAGE = Path(kptool.__file__).parent

# A room is a module, or a folder of them, right under kptool; each may import those before it.
ROOMS = [
    "errors",
    "machine",
    "files",
    "geometry",
    "drawn",
    "schema",
    "dataset",
    "pairs",
    "annotations",
    "photos",
    "predictions",
    "pair_files",
    "schemes",
    "soft_labels",
    "metrics",
    "config",
    "edits",
    "competitions",
    "formats",
    "crop",
    "resample",
    "contrast",
    "detector",
    "drawing",
    "pixels",
    "alignment",
    "lookalikes",
    "duplicates",
    "folds",
    "pair_folds",
    "intake",
    "own_photos",
    "members",
    "runs",
    "pair_intake",
    "pictures",
    "device",
    "augment",
    "losses",
    "pair_losses",
    "models",
    "whitening",
    "classical",
    "views",
    "tasks",
    "engine",
    "predict",
    "pair_predict",
    "saliency",
    "calibration",
    "report",
    "verification",
    "ensemble",
    "compare",
    "page",
    "provenance",
    "submit",
    "check",
    "audit",
    "relabel",
    "track",
    "cli",
    "__main__",
]
HEAVY = [
    "torch", "torchvision", "timm", "cv2", "pandas", "sklearn", "scipy", "pyarrow", "pydantic", "numpy", "PIL", "yaml",
    "matplotlib", "jinja2", "tensorboard", "mlflow", "wandb",
]  # fmt: skip


def room_of(module: str) -> str:
    """The room of a dotted module name; a name of kptool/__init__.py belongs to no room."""
    parts = module.split(".")
    found = parts[1] if len(parts) > 1 else ""
    return found if (PACKAGE / found).is_dir() or (PACKAGE / f"{found}.py").is_file() else ""


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Every kptool module that a file imports, at the top, inside a function or for type checking, with its line."""
    package = ["kptool", *file.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            named = [f"{module}.{alias.name}" for alias in node.names] if module == "kptool" else [module]
        else:
            continue
        yield from ((node.lineno, name) for name in named if name.split(".")[0] == "kptool")


def files() -> list[Path]:
    return sorted(file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py")


def test_every_module_has_its_room() -> None:
    found = {room_of(".".join(["kptool", *file.relative_to(PACKAGE).with_suffix("").parts])) for file in files()}
    new = found - set(ROOMS)
    assert not new, f"{sorted(new)}: give each a place in ROOMS of {Path(__file__).name}, after all that it imports"
    assert len(set(ROOMS)) == len(ROOMS)


def test_no_room_imports_a_later_one() -> None:
    wrong = []
    for file in files():
        own = room_of(".".join(["kptool", *file.relative_to(PACKAGE).with_suffix("").parts]))
        for line, module in imports(file):
            room = room_of(module)
            if room and room != own and ROOMS.index(room) > ROOMS.index(own):
                wrong.append(f"{file.relative_to(PACKAGE)}:{line}: {own} imports {module}, which comes after it")
    assert not wrong, "\n".join(wrong)


def test_the_package_itself_imports_nothing() -> None:
    assert list(imports(PACKAGE / "__init__.py")) == []


def test_the_reader_of_imports_sees_all_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "tasks").mkdir()
    file = tmp_path / "tasks" / "keypoints.py"
    file.write_text(
        "import kptool.cli\n"
        "from kptool import engine, __version__\n"
        "from kptool.report.build import build\n"
        "from .contract import Task\n"
        "from ..submit import write\n"
        "import numpy\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import kptool.predict as p\n"
        "def late():\n    from kptool.runs import Run\n"
    )
    assert list(imports(file)) == [
        (1, "kptool.cli"),
        (2, "kptool.engine"),
        (2, "kptool.__version__"),
        (3, "kptool.report.build"),
        (4, "kptool.tasks.contract"),
        (5, "kptool.submit"),
        (9, "kptool.predict"),
        (11, "kptool.runs"),
    ]


@pytest.mark.skipif(importlib.util.find_spec("kptool.cli") is None, reason="there is no kptool.cli yet")
def test_importing_the_command_line_loads_nothing_heavy() -> None:
    probe = f"import sys, kptool.cli; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
