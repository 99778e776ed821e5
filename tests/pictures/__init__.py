"""Pictures as tests: what a figure looks like, against the picture that was looked at and kept here.

``DRAW=1 pytest tests/models/test_plots.py`` draws them anew; look at each before it is committed.
"""

import os
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text

KEPT = Path(__file__).parent
RMS = 4  # of 255 grey values: another matplotlib smooths lines otherwise; a point moved by its width gives 6 and more


def same_picture(figure, name, folder):
    """Assert that a figure, without its texts (whose fonts differ by version), looks like the picture of this name."""
    for text in figure.findobj(Text):
        text.set_visible(False)
    FigureCanvasAgg(figure).print_png(folder / f"{name}.png", metadata={"Software": None})
    if os.environ.get("DRAW"):
        (KEPT / f"{name}.png").write_bytes((folder / f"{name}.png").read_bytes())
    differs = compare_images(str(KEPT / f"{name}.png"), str(folder / f"{name}.png"), tol=RMS)
    assert differs is None, differs
