"""Tests of boards share their readers of formats."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
