"""What a submission may hold, and what it says of itself."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from denoisebench.errors import UsageError

SCHEMA_VERSION = 1
CARD = "submission.json"
MIB = 1 << 20

LIMITS = {
    CARD: MIB,
    "result.json": MIB,
    "scores.csv": 16 * MIB,
    "recipe.toml": MIB,
    "environment.json": MIB,
    "log.jsonl": 32 * MIB,
    "verification.json": MIB,
    "audit.json": 4 * MIB,
    "physics.json": 4 * MIB,
    "model.safetensors": 1024 * MIB,
}
"""Files that a submission may hold, and how many bytes of each; plug-ins are named below."""

CLAIMS = ("verification.json", "audit.json", "physics.json")
"""What a maintainer measures again rather than believes: packed to be read, never unpacked."""

PLUGIN = re.compile(r"plugins/[A-Za-z0-9_]{1,80}\.py")
PLUGIN_LIMIT = 200_000  # as plugins.source has it
MOST_FILES = 40


class File(BaseModel):
    """A file's digest (SHA-256, hex) and size in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Submission(BaseModel):
    """submission.json.

    Attributes:
        run: name of its folder.
        method, recipe, task, data: as in result.json.
        versions: of what packed it.
        name, url, note: who submits, where to read more, and what a reader should know.
        files: all others, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    run: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+.-]{0,99}$")
    method: str = Field(max_length=1000)
    recipe: str = Field(pattern=r"^[0-9a-f]{64}$")
    task: str
    data: str
    versions: dict[str, Any]
    name: str | None = Field(default=None, max_length=200)
    url: str | None = Field(default=None, max_length=500, pattern=r"^https?://\S+$")
    note: str | None = Field(default=None, max_length=2000)
    files: dict[str, File]


def limit(name: str) -> int:
    """Return how many bytes a file of a submission may have.

    Raises:
        UsageError: no submission has a file of that name.
    """
    if PLUGIN.fullmatch(name):
        return PLUGIN_LIMIT
    if name not in LIMITS:
        raise UsageError(f"a submission holds no file {name!r:.100}; pack one with submit RUN")
    return LIMITS[name]
