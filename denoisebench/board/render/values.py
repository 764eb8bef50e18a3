"""Boards as CSV and JSON: every number as it was measured, for machines."""

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from denoisebench.board.board import Board, Row
from denoisebench.board.render.plain import plain
from denoisebench.scoring.result import Result

LONGEST = 10_000
"""Characters of a text; a spreadsheet holds 32,767."""

# What a spreadsheet takes for a formula, also behind blanks and quotes, in the width of East Asian
# letters, and at the start of a cell where it cuts lines at semicolons.
_FORMULA = re.compile(r"(^|;)(?=[\s\"'`]*[-=+@|%＝＋－＠])")


def as_rows(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """Return all rows as plain values: rank, the board's number, the run's folder, the result.

    Of the result, the fields that it is known to have: one more, called `rank`, would be believed.
    """
    return [
        {
            "rank": row.rank,
            "ranks": list(row.ranks) if row.ranks else None,
            "board": number,
            "run": row.entry.folder,
            "versus": {name: asdict(found) for name, found in row.versus.items()},
            **({"twin_by_seed": row.twin_by_seed} if row.twin_by_seed else {}),
            **_beside(row),
            **row.result.model_dump(mode="json", include=set(Result.model_fields)),
        }
        for number, board in enumerate(boards, 1)
        for row in board.rows
    ]


def _beside(row: Row) -> dict[str, Any]:
    """What is known of a row beside its result; curves and places stay in the run's folder."""
    entry = row.entry
    found: dict[str, Any] = {"apart": entry.apart} if entry.apart else {}
    if entry.members:
        found["spread"] = entry.spread
        found["runs"] = [member.folder for member in entry.members]
    if entry.verification:
        found["verification"] = entry.verification.model_dump(mode="json")
    for kind, finding in (("audit", entry.audit), ("physics", entry.physics)):
        if finding:
            found[kind] = {n: value.model_dump(mode="json") for n, value in finding.columns.items()}
    return found


def as_json(boards: Sequence[Board], problems: Sequence[str] = ()) -> str:
    """Render all rows as JSON: {"rows": [...], "problems": [...]}.

    ASCII without a < in it, so that it may stand in a page and be printed to a terminal; what is no
    number is null.
    """
    values = _finite({"rows": as_rows(boards), "problems": list(problems)})
    return _embeddable(json.dumps(values, indent=1, allow_nan=False)) + "\n"


def _embeddable(text: str) -> str:
    """Write JSON so that it ends no script element it stands in, and no terminal acts on it."""
    for letter in "<>&\x7f":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def as_csv(boards: Sequence[Board]) -> str:
    """Render all rows as one CSV, a column a number, unrounded."""
    rows = [_flat(_finite(row)) for row in as_rows(boards)]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    nested = {column.rpartition(".")[0] for column in columns}
    columns = [column for column in columns if column not in nested]  # null here, filled elsewhere
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(cell, columns))
    writer.writerows([cell(row.get(column)) for column in columns] for row in rows)
    return text.getvalue()


def cell(value: object) -> object:
    """Keep a number; write text so that no spreadsheet runs it."""
    if isinstance(value, list | dict):
        value = " ".join(map(str, value)) if value else ""
    return _FORMULA.sub(r"\1'", plain(value, LONGEST)) if isinstance(value, str) else value


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, found in values.items():
        measured = isinstance(found, list) and any(isinstance(one, float) for one in found)
        value = {str(place): one for place, one in enumerate(found)} if measured else found
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _finite(value: Any) -> Any:
    """Put null where a number is none."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
