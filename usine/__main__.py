"""Entry point of `python -m usine`."""

import gc
import sys

# A command imports hundreds of modules, whose objects live until its end, and then runs for some seconds: the search
# for objects without use finds next to nothing.
gc.set_threshold(50_000, 20, 20)

from usine.cli import main  # noqa: E402 - the import, too, is faster with this threshold

sys.exit(main())
