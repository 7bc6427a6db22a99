"""An HTML page taken apart, for tests of what it holds."""

from html.parser import HTMLParser

VOID = {"meta", "br", "img", "input", "hr", "link"}
ADDRESSES = {"href", "xlink:href", "src", "srcset", "action", "formaction", "data", "poster", "background", "ping"}


class Page(HTMLParser):
    """What a page holds: addresses, texts, the first table's cells, embedded images; open and closed elements match."""

    def __init__(self, text: str):
        super().__init__()
        self.addresses, self.ids, self.styles, self.open = [], [], [], []
        self.texts, self.table, self.keys, self.tags = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        attributes = dict(attributes)
        self.addresses += [value for name, value in attributes.items() if name in ADDRESSES]
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.styles += [attributes["style"]] if "style" in attributes else []
        if tag == "tr":
            self.table.append([])
            self.keys.append([])
        if tag in ("td", "th"):
            self.table[-1].append("")
            self.keys[-1].append(attributes.get("data-sort"))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] == "style":
            self.styles.append(text)
        elif "td" in self.open or "th" in self.open:
            self.table[-1][-1] += text
        self.texts.append(text)
