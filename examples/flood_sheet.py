"""Every class of the shipped model alone: four draws in one style, four moods. Nothing is selected.

Type: python examples/flood_sheet.py docs/flood.jpg
"""

import sys
from pathlib import Path

from spadework import Engine
from spadework.evaluation.canvases import paint_canvas, write_sheet

if __name__ == "__main__":
    engine = Engine.load(sys.argv[2] if len(sys.argv) > 2 else "landscape")
    write_sheet(Path(sys.argv[1]), [paint_canvas(engine, c.name) for c in engine.palette.classes])
