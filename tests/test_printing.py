"""Tables on a console and as Markdown: every text is literal."""

import io
from html.parser import HTMLParser

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from sweep.report.printing import markdown, print_cells

ODD = [
    "R&D_1: 100 % of $x^2$ \\ {a} ~~b~~ #1 <b>|`c`",
    "*a* _b_ **c** __d__ a_b_c a__b__c",
    "[a](b) ![a](b) [b] &amp; \\| :smile: [/b] <!-- a -->",
    "332,752*",
]


class Texts(HTMLParser):
    """The texts of cells, headings, paragraphs and list items, and which tags stand in them."""

    def __init__(self, source: str):
        super().__init__()
        self.texts, self.tags = [], []
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(source))

    def handle_starttag(self, tag, _):
        self.tags.append(tag)
        if tag in ("th", "td", "h2", "p", "li"):
            self.texts.append("")

    def handle_data(self, text):
        if self.texts:
            self.texts[-1] += text.strip("\n")


@pytest.mark.parametrize("text", [*ODD, "in\ntwo lines\r\nor three"])
def test_markdown_says_every_text_as_it_is(text):
    cells = pd.DataFrame({"representation": [text, f"**{text}**"], text: ["1", ""]})
    written = Texts(markdown(text, cells, [text], text))
    said = " ".join(text.splitlines())
    # Title, lead, two headings, two rows, a remark.
    assert written.texts == [said, said, "representation", said, said, "1", said, "", said]
    assert written.tags.count("strong") == 1 and not {"a", "img", "code", "em", "s", "del", "b"} & set(written.tags)


@pytest.mark.parametrize("text", ODD)
def test_a_console_says_every_text_as_it_is(text):
    console = Console(file=io.StringIO(), width=200)
    print_cells(console, text, pd.DataFrame({"representation": [text], text: ["1"]}), [text], [], text)
    assert console.file.getvalue().count(text) == 5
