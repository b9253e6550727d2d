"""Check the links of a built site: every local page, anchor and file exists; nothing is loaded from elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Paths that the service answers besides the site.
SERVED = ("/api/openapi.json", "/docs/http")


class Page(HTMLParser):
    """The anchors and links of a page, and what it loads or runs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.inline = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the references of a tag."""
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") in ("stylesheet", "shortcut icon", "prefetch"):
            self.loaded.append(values["href"])
        elif "src" in values:
            self.loaded.append(values["src"])
        self.inline += (tag == "script" and "src" not in values) or any(name.startswith("on") for name in values)


def problems_of(folder: Path) -> Iterator[str]:
    """Yield a line for each broken link, each external resource, each inline script."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(folder)
        if page.inline:
            yield f"{name}: {page.inline} scripts stand in the page, which the service does not allow"
        for target in page.loaded:
            if urlsplit(target).scheme not in ("", "data") or not target:
                yield f"{name}: loads {target}"
        for target in (*page.links, *(address for address in page.loaded if not address.startswith("data:"))):
            link = urlsplit(target)
            if link.scheme or link.netloc or target in SERVED:
                continue
            file = (path.parent / unquote(link.path)).resolve() if link.path else path
            if not file.is_file():
                yield f"{name}: {target} does not exist"
            elif link.fragment and file in pages and unquote(link.fragment) not in pages[file].anchors:
                yield f"{name}: {target} has no such anchor"


if __name__ == "__main__":
    found = list(problems_of(Path(sys.argv[1]).resolve()))
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)
