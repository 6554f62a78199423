"""The manifest's JSON schema, and what a manifest has against it, in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

FILE = Path(__file__).with_name("bundle.schema.json")
LONGEST = 160
"""Characters of a message; a message may quote what it is about, which may be a whole manifest."""


def faults(manifest: Any) -> list[str]:
    """Return where ``manifest`` departs from the schema and how, a line for each; [] if it does not."""
    validator = Draft202012Validator(json.loads(FILE.read_text(encoding="utf-8")))
    errors = sorted(validator.iter_errors(manifest), key=lambda error: error.json_path)
    return list(dict.fromkeys(f"{error.json_path.removeprefix('$.')}: {_said(error)}" for error in errors))


def _said(error: ValidationError) -> str:
    if error.validator == "anyOf":
        return "needs " + " or ".join(name for choice in error.validator_value for name in choice["required"])
    if error.validator == "contains":
        name = error.validator_value["properties"]["name"]
        return f"{name.get('const') or name['pattern']!r} is not among them with the dtype and shape that it must have"
    if error.validator == "required" and error.instance == {}:
        return f"{error.message} (it is empty)"
    message = " ".join(error.message.split())
    return message if len(message) <= LONGEST else f"{message[: LONGEST // 2]} … {message[-LONGEST // 2 :]}"
