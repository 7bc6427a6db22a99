"""MkDocs' hooks: pages of the repository's own files, and pieces that are made when the site is built.

A number stands in one place. So READMEs become pages as they are, and where a page says

    <!-- made: NAME ARGUMENT ... -->

`pieces.py` puts a table from an experiment's results there, or a section of another file. Figures are drawn by
`figures.py` from the code that they show.
"""

import posixpath
import re
import sys
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import figures  # noqa: E402
import pieces  # noqa: E402

# Pages of the site that are files of the repository.
PAGES = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
    "data.md": "data/README.md",
    **{
        f"experiments/{path.parent.name}.md": path.relative_to(ROOT).as_posix()
        for path in sorted(ROOT.glob("experiments/*/README.md"))
    },
}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_MADE = re.compile(r"^<!-- made: (.+?) -->$", flags=re.M)
_PICTURES = (".png", ".svg")


def on_config(config):
    """Put every experiment into the navigation: those that mkdocs.yml does not name under their folder's name."""
    (science,) = (part["Science"] for part in config.nav if isinstance(part, dict) and "Science" in part)
    named = {page for part in science for page in part.values()}
    for page in PAGES:
        if page.startswith("experiments/") and page not in named:
            science.append({Path(page).stem.replace("_", " ").capitalize(): page})
    return config


def on_files(files, config):
    """Add the pages of the repository's files, their pictures, and the figures."""
    for page, source in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
        for path in (ROOT / source).parent.glob("*.png"):
            picture = f"experiments/{path.parent.name}/{path.name}"
            files.append(File.generated(config, picture, abs_src_path=str(path)))
    for name, content in figures.draw().items():
        files.append(File.generated(config, f"figures/{name}", content=content))
    return files


def on_page_markdown(markdown, page, config, files):
    """Make what is to be made, and turn links to the repository's files into links to their pages."""
    here = page.file.src_uri

    def made(found: re.Match) -> str:
        source, text = pieces.make(*found[1].split())
        return relink(text, source, here) if source else text

    markdown = _MADE.sub(made, markdown)
    return relink(markdown, PAGES[here], here) if here in PAGES else markdown


def relink(markdown: str, source: str, here: str) -> str:
    """The text of a file of the repository with links that hold on a page of the site.

    Args:
        markdown: of the file.
        source: its path in the repository.
        here: the page's.
    """

    def link(found: re.Match) -> str:
        picture, text, target = found.groups()
        path, hash_, anchor = target.partition("#")
        if "://" in target or not path:
            return found[0]
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        page = next((page for page, file in PAGES.items() if inside in (file, posixpath.dirname(file))), None)
        if inside.startswith("docs/"):
            page = inside.removeprefix("docs/")
        if inside.endswith(_PICTURES):
            page = "/".join(inside.split("/")[-3:])
        if page is None:  # a source file, which the site does not show
            return text if text.startswith("`") else f"`{inside}`" if text == path else f"{text} (`{inside}`)"
        return f"{picture}[{text}]({posixpath.relpath(page, posixpath.dirname(here) or '.')}{hash_}{anchor})"

    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.M | re.S)  # what is fenced stays as it is
    return "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in parts)
