"""Text from results as a reader may safely have it: one line, nothing that acts on a terminal.

Names, reasons, licences and devices come from files that anybody may have written. Each format
escapes what is special to it; what is special to a screen is taken out here, for all of them.
"""

import unicodedata

LONGEST = 300
"""Characters of one cell or note."""

STAND_IN = "\ufffd"


def plain(text: str, longest: int = LONGEST) -> str:
    """Return a line of text without control and format characters.

    Blanks of all kinds become single spaces. Escape sequences lose their escape character; marks
    that turn the direction of writing, hidden characters and halves of surrogates are shown as �.
    """
    line = " ".join("".join(map(_shown, text)).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _shown(letter: str) -> str:
    if letter.isspace():
        return " "
    return STAND_IN if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn") else letter
