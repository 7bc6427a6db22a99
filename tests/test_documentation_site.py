"""The documentation as a site: built without a network, every link and anchor there, drawn at any width."""

import html.parser
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from chromium import CHROMIUM, Chromium
from conftest import ROOT

pytest.importorskip("material")

NARROW = 390  # pixels, a telephone
# How wide each formula is, and how far to the right its parts reach.
FORMULAS = """[...document.querySelectorAll("math")].map(formula => [
    formula.getBoundingClientRect().width,
    Math.max(...[...formula.querySelectorAll("*")].map(part => part.getBoundingClientRect().right)),
])"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; --strict makes a warning an error, and a proxy that refuses stands for no network."""
    folder = tmp_path_factory.mktemp("site")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    environment = {**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


class Links(html.parser.HTMLParser):
    """What a page refers to, and what can be referred to in it."""

    def __init__(self, page: Path):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(page.read_text())

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors |= {values.get("id"), values.get("name") if tag == "a" else None}
        key = {"a": "href", "img": "src", "script": "src", "link": "href", "source": "src"}.get(tag)
        if key and values.get(key):
            self.links.append((tag, values[key]))


def pages_of(site: Path) -> list[Path]:
    """All but the one for addresses that do not exist, which a server shows and whose links are absolute."""
    return sorted(path for path in site.rglob("*.html") if path.name != "404.html")


@pytest.mark.long
def test_every_link_leads_somewhere(site):
    pages = {path: Links(path) for path in pages_of(site)}
    assert len(pages) > 25
    for page, found in pages.items():
        for tag, link in found.links:
            parts = urlparse(link)
            if parts.scheme or parts.netloc:
                assert tag == "a", f"{page}: {link} would be fetched from elsewhere"
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{page}: {link}"
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in pages[target].anchors, f"{page}: {link}"


@pytest.mark.long
def test_nothing_is_left_to_be_made(site):
    for page in pages_of(site):
        assert "<!-- made:" not in page.read_text()


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_a_browser_shows_every_page(site, tmp_path):
    """No error, nothing asked of a network, pictures and formulas drawn, and a narrow window need not be scrolled."""
    browser = Chromium(tmp_path)
    try:
        for page in pages_of(site):
            browser.open(page, NARROW)
            name = page.relative_to(site)
            assert browser.console == [], name
            assert [url for url in browser.requests if not url.startswith(site.as_uri())] == [], name
            loaded = "Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))"
            assert all(width > 0 for width in browser.run(loaded)), name
            assert browser.run("document.scrollingElement.scrollWidth") <= NARROW, name
            for width, right in browser.run(FORMULAS):
                assert width > 0 and right <= NARROW, f"{name}: a formula as far as {right:.0f} pixels"
            browser.requests.clear()
    finally:
        browser.close()
