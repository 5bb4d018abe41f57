"""Entry point of `python -m usine`."""

import sys

from usine.cli import main

sys.exit(main())
