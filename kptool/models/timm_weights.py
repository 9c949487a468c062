"""Where a timm backbone's first weights come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from kptool.config import ModelOptions
from kptool.errors import UsageError


def weights_of(options: ModelOptions) -> dict[str, Any]:
    """What timm.create_model must be told to start from a recipe's weights: the hub's, a file's, or none.

    Raises:
        UsageError: a file that is not there, not safetensors, not readable, or not of this backbone.
    """
    if not options.weights:
        return {"pretrained": options.pretrained}
    file = Path(options.weights)
    if file.suffix != ".safetensors":
        raise UsageError(f"--weights {file}: only .safetensors is read (a pickle can run code)", "convert it first")
    if not file.is_file():
        raise UsageError(f"--weights {file}: no such file", "name a .safetensors file with the backbone's weights")
    _refuse_unfit(options, file)
    # timm adapts the first convolution to the number of channels and drops the classifier by itself.
    return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(file), "hf_hub_id": None, "url": ""}}


def _refuse_unfit(options: ModelOptions, file: Path) -> None:
    """timm loads what it finds and says nothing of the rest, so a file of another model would leave random weights."""
    import timm

    try:
        with safe_open(file, framework="pt") as opened:
            given = set(opened.keys())
    except SafetensorError as error:
        raise UsageError(f"--weights {file}: not readable ({error})", "fetch it again") from None
    wanted = timm.create_model(options.backbone, in_chans=options.channels, num_classes=0).state_dict()
    missing = sorted(name for name in wanted if name not in given and not name.endswith("num_batches_tracked"))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UsageError(
            f"--weights {file}: lacks {missing[0]}{more} of {options.backbone}", "name a file in timm's names"
        )
