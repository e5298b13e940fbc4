"""What a measurement ran on."""

import os
import platform
import resource
import sys

import torch

from spadework import __version__
from spadework.bench.maps import data_folder


def machine() -> dict[str, str | int | float]:
    """Processor, threads, versions, the load beside us, and the most memory this process has held."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit),
        "torch": torch.__version__,
        "spadework": __version__,
        "maps": "real and example maps" if data_folder() else "example sketches only",
    }
