"""``python -m skinpaint`` is the command line."""

import sys

from skinpaint.cli import main

if __name__ == "__main__":
    sys.exit(main())
