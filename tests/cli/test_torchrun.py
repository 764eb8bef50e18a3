"""Several processes train one recipe: torchrun starts them, as users would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from denoisebench.training import log
