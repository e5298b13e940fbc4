"""For every test: hypothesis without deadlines (in CI always the same examples), torch on one thread."""

import os

import torch
from hypothesis import settings

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

torch.set_num_threads(1)  # tiny networks gain nothing from more, and several sessions share a machine
