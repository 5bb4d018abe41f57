"""Run the command as `python -m usine_ci`."""

import sys

from usine_ci.cli import main

sys.exit(main())
