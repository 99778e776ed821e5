"""The site as it was built: ``python -m tests.site FOLDER`` names its dead links, and what its pages would fetch."""

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src"}


class Page(HTMLParser):
    """What a page links to, fetches, and can be linked at."""

    def __init__(self, path):
        super().__init__()
        self.links, self.fetched, self.anchors = [], [], {"", "top"}
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        told = {name: value for name, value in attrs if value}
        self.anchors |= {told[name] for name in ("id", "name") if name in told}
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        if tag in FETCHED and told.get("rel") != "canonical" and FETCHED[tag] in told:
            self.fetched.append(told[FETCHED[tag]])


page = cache(Page)


def is_foreign(link):
    return bool(urlsplit(link).scheme or urlsplit(link).netloc)


def leads_somewhere(link, path):
    """Whether there is a file behind a link of the site, and in a page the anchor."""
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        return False
    return target.suffix != ".html" or unquote(parts.fragment) in page(target).anchors


def faults(folder):
    """Yield each fault of a site: page and link."""
    for path in sorted(Path(folder).rglob("*.html")):
        if "_static" in path.parts or "_downloads" in path.parts:
            continue
        found = page(path)
        yield from (f"{path}: fetches {link}" for link in found.fetched if is_foreign(link) and link[:5] != "data:")
        here = [link for link in [*found.links, *found.fetched] if not is_foreign(link)]
        yield from (f"{path}: {link} leads nowhere" for link in here if not leads_somewhere(link, path))


if __name__ == "__main__":
    told = list(faults(sys.argv[1]))
    sys.exit("\n".join(told) if told else 0)
