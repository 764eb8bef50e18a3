"""The tests here share a harness that is a package of its own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
