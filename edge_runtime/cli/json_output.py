"""Answers as JSON on standard output, for programs."""

from __future__ import annotations

import json
import sys
from typing import Any


def print_json(answer: Any, **layout: Any) -> None:
    r"""Print ``answer``, by default on one line, in the ``layout`` that ``json.dumps`` takes.

    Text that standard output cannot carry is escaped, and whoever reads the JSON has it back: the byte ff of a
    file's name becomes ``\udcff``, which ``os.fsencode`` turns back.
    """
    text = json.dumps(answer, ensure_ascii=False, **layout)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(answer, **layout)
    print(text, flush=True)
