"""`python -m denoisebench`."""

import os
import sys

# -m looks for modules in the current folder first: a file among somebody's data is no library.
if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
    del sys.path[0]

from denoisebench.cli.main import main

if __name__ == "__main__":
    main()
