"""Save pictures in three formats: SVG inside the page, PNG and PDF as files."""

import base64
import functools
import html
import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from sweep.names import folder_name, plain, short
from sweep.registry import families

OTHER = "#555555"  # colour of a family that is not registered
# Fonts with scripts that Matplotlib's own font lacks, which are asked in this order where they are installed.
_FALLBACKS = (
    "Noto Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Source Han Sans",
    "Droid Sans Fallback", "WenQuanYi Zen Hei", "Hiragino Sans", "PingFang SC", "Yu Gothic", "Microsoft YaHei",
    "Malgun Gothic", "Apple SD Gothic Neo", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari",
    "Noto Sans Thai", "Noto Sans Symbols", "Noto Sans Symbols2", "Noto Emoji", "Symbola", "Segoe UI Symbol",
    "Arial Unicode MS",
)  # fmt: skip
STYLE = {
    "font.family": ["sans-serif", *sorted({*_FALLBACKS} & {*get_font_names()}, key=_FALLBACKS.index)],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "image.composite_image": False,
    "text.parse_math": False,  # a name may hold dollar signs
    "text.usetex": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "sweep",  # the same picture is the same file
    "pdf.fonttype": 42,
}
DPI = 150
_TAG = re.compile(r"<[^<>]*>")  # in the text between them, Matplotlib writes < and > as &lt; and &gt;
_SMALLEST = 0.8  # smallest scale to which a narrow window shrinks a picture, before it scrolls
_COLOURS_OF_AN_IMAGE = 64
_LONGEST_NAME = 48  # characters of a name in a picture


@dataclass(frozen=True)
class Picture:
    """A figure with its title and caption.

    Attributes:
        name: stem of its files' names, as `stem` writes it.
        title: title above the figure.
        caption: caption below the figure.
        figure: Matplotlib figure; None if there is nothing to draw, and the caption then says what is missing.
        labels: tooltips by the gid of the artist.
    """

    name: str
    title: str
    caption: str
    figure: Figure | None
    labels: dict[str, str] = field(default_factory=dict, repr=False)

    def _repr_png_(self) -> bytes | None:
        """Encode the figure for a notebook."""
        return png(self.figure) if self.figure else None


def new_figure(width: float, height: float) -> Figure:
    """Create an empty figure; draw on it within `matplotlib.rc_context(STYLE)`.

    Args:
        width, height: size in inches.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def makers(picture: Picture) -> dict[str, Callable[[], bytes]]:
    """Return functions that encode a picture as <name>.png and <name>.pdf; none if it has no figure."""
    if picture.figure is None:
        return {}
    options = {"metadata": {"CreationDate": None}, "dpi": DPI}
    return {
        f"{picture.name}.png": functools.partial(png, picture.figure),
        f"{picture.name}.pdf": functools.partial(_saved, picture.figure, "pdf", **options),
    }


def files(picture: Picture) -> dict[str, bytes]:
    """Encode a picture as <name>.png and <name>.pdf; return no files if it has no figure."""
    return {name: make() for name, make in makers(picture).items()}


def png(figure: Figure) -> bytes:
    """Encode a figure as PNG."""
    return _saved(figure, "png", dpi=DPI)


def label(name: str) -> str:
    """Format the name of a row or recording for a picture: on one line, and cut in the middle if it is long."""
    return short(plain(name), _LONGEST_NAME)


def colour_of(family: str) -> str:
    """Return the colour of a family's rows; families that are not known here share one."""
    cls = families.importable([family]).get(family)
    return cls.COLOUR if cls else OTHER


def marker_of(family: str) -> str:
    """Return the marker of a family's rows, which tells them apart without colour."""
    cls = families.importable([family]).get(family)
    return cls.MARKER if cls else "x"


def stem(name: str) -> str:
    """Format a name as that of a file on any system; two names differ in it too.

    >>> stem("run-mel-512-128+f_min=440/16")
    'run-mel-512-128+f_min=440%2F16'
    """
    return folder_name(*name.split("+"))


def anchor(title: str) -> str:
    """Make an HTML id from a title; two titles have two.

    >>> anchor("mel-512-128+f_min=55 (cnn)")
    'mel-512-128_2b_f_5f_min=55_20__28_cnn_29_'
    """
    return "".join(c if c.isalnum() or c in "-=." else f"_{ord(c):x}_" for c in title)


def svg(picture: Picture) -> str:
    """Encode a picture as a self-contained <svg> element whose ids are unique within a page of several."""
    none = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    text = _saved(picture.figure, "svg", metadata=none).decode()
    text = text[text.index("<svg") :]
    head, rest = text.split(">", 1)
    view = re.search(r'viewBox="[^"]+"', head)[0]
    width = float(re.search(r'width="([\d.]+)pt"', head)[1]) * 4 / 3
    size = f"width:{width:.0f}px;min-width:{_SMALLEST * width:.0f}px"
    head = f'<svg {view} style="{size}" role="img" aria-label="{html.escape(plain(picture.title))}"'
    # Matplotlib's ids are unique within a picture only, and a page has several pictures.
    prefix = anchor(picture.name)
    rest = _TAG.sub(lambda tag: re.sub(r'(\bid="|href="#|url\(#)', rf"\1{prefix}-", tag[0]), rest)
    rest = re.sub(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)", _smaller, rest)
    for gid, label in picture.labels.items():
        opening = f'<g id="{prefix}-{gid}">'
        rest = rest.replace(opening, f"{opening}<title>{html.escape(plain(label))}</title>")
    return f"{head}>{rest}".strip()


def _saved(figure: Figure, form: str, **options) -> bytes:
    file = io.BytesIO()
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # No font has the script of a name, or the names are wide; the picture is drawn all the same.
        warnings.filterwarnings("ignore", message="Glyph .* missing|constrained_layout not applied")
        if figure.get_layout_engine() is not None:  # lay out once for all formats
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            for axes in figure.axes:  # round, because the solver's last digits differ from call to call
                axes.set_position([round(part, 5) for part in axes.get_position(original=True).bounds])
        figure.savefig(file, format=form, **options)
    return file.getvalue()


def _smaller(found: re.Match) -> str:
    """Re-encode an image embedded in an SVG with a palette, which takes a third of the bytes."""
    from PIL import Image

    file = io.BytesIO()
    image = Image.open(io.BytesIO(base64.b64decode(found[1])))
    if image.mode == "RGBA" and image.getextrema()[3][0] == 255:
        image.convert("RGB").quantize(_COLOURS_OF_AN_IMAGE).save(file, "png", optimize=True)
    else:
        image.save(file, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
