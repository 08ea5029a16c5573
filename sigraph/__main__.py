"""``python -m sigraph``."""

import sys
from pathlib import Path

import sigraph

# Python puts the current folder in front of all that is installed: a torch.py there would be run as PyTorch.
if not sys.flags.safe_path and sys.path[0] == str(Path.cwd()) and Path(sigraph.__file__).parents[1] != Path.cwd():
    del sys.path[0]

from sigraph.cli import main

sys.exit(main())
