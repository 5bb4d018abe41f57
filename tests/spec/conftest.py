"""Property tests on a machine that does other things meanwhile: an example may take as long as it takes."""

import hypothesis

hypothesis.settings.register_profile("usine", deadline=None)
hypothesis.settings.load_profile("usine")
