"""``python -m sigraph``."""

import sys

from sigraph.cli import main

sys.exit(main())
