"""What is written beside fetched slices: their licences, whom to cite, and the manifest."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from denoisebench.atomic import write_text
from denoisebench.data.fetch.known import LICENCES, Known, Row, citations
from denoisebench.data.fetch.ledger import Entry
from denoisebench.data.intake import manifest


def write_terms(folder: Path, facts: Known) -> None:
    """Write LICENCES.md and CITATION.bib; before the first slice, so that none is without them."""
    lines = [
        f"# {facts.name}: licences",
        "",
        facts.summary + ".",
        "",
        "| collection | licence | DOI |",
        "|---|---|---|",
        *(
            f"| {item.name} | [{item.licence}]({LICENCES[item.licence]}) "
            f"| [{item.doi}](https://doi.org/{item.doi}) |"
            for item in facts.collections
        ),
        "",
        "Share it with attribution: cite each collection you use, and the archive (CITATION.bib). "
        "The archive's data usage policy forbids to try to identify a patient.",
        "",
        f"Split: {facts.split}.",
        "",
    ]
    write_text(folder / "LICENCES.md", "\n".join(lines))
    write_text(folder / "CITATION.bib", citations_of(facts))


def citations_of(facts: Known) -> str:
    """Return the BibTeX entries of a data set's collections, and of the archive's own paper."""
    entries = citations().read_text(encoding="utf-8").split("\n\n")
    dois = {item.doi for item in facts.collections} | {"10.1007/s10278-013-9622-7"}
    return "\n\n".join(
        entry.strip() for entry in entries if any(f"doi = {{{doi}}}" in entry for doi in dois)
    ) + "\n"  # fmt: skip


def write_manifest(folder: Path, facts: Known, held: Iterable[tuple[Row, Sequence[Entry]]]) -> None:
    """Write manifest.csv as `open_folder` reads it: a line for each slice that stands there.

    Args:
        folder, facts: of the data set.
        held: each row with what stands in its place, sorted; what was set aside is left out.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "split", "patient", "pixel_sha256", "licence"])
    licence_of = {item.name: item.licence for item in facts.collections}
    for row, entries in held:
        for entry in entries:
            if not entry.set_aside:
                licence = licence_of[row.collection]
                writer.writerow([entry.path, row.split, row.patient, entry.pixel_sha256, licence])
    write_text(folder / manifest.NAME, text.getvalue())
