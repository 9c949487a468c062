"""What all tables of settings have in common: frozen, and strict about what they are given."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
FileName = Annotated[str, Field(pattern=r"^\w[\w .+=,@()-]*$", max_length=100)]  # it becomes a folder's name


class Strict(BaseModel):
    """A frozen table that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Settings(Strict):
    """A table of a recipe: `true` is no number and `"3"` neither."""

    model_config = ConfigDict(strict=True)
