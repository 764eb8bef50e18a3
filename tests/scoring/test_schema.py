"""docs/result.schema.json says what a result.json holds, for readers without Python."""

import json
from pathlib import Path

from denoisebench.scoring.result import Result

SCHEMA = Path(__file__).parents[2] / "docs" / "result.schema.json"


def written() -> str:
    values = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Result.model_json_schema(),
    }
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def test_the_exported_schema_is_that_of_the_model():
    known = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert known == json.loads(written()), f"python {Path(__file__).name} writes it again"


if __name__ == "__main__":
    SCHEMA.write_text(written(), encoding="utf-8")
