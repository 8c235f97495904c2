"""Looks at every link of built pages: `python docs/check_links.py [DIR]` lists those that lead nowhere, and exits 1.

Links to other sites are only listed by --elsewhere, not followed.
"""

import argparse
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SITE = Path(__file__).resolve().parent / "_build" / "html"
WHERE = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src", "iframe": "src"}


class Links(HTMLParser):
    """Holds the links of a page and the places in it that links may lead to."""

    def __init__(self, page: Path):
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the link and the id of an element."""
        found = dict(attrs)
        self.places.update(filter(None, [found.get("id"), found.get("name") if tag == "a" else None]))
        link = found.get(WHERE.get(tag, ""))
        if link:
            self.links.append(link)


def pages_of(site: Path) -> list[Path]:
    """Return the pages; what lies in `_static` are the theme's own files."""
    return [page for page in sorted(site.rglob("*.html")) if "_static" not in page.relative_to(site).parts]


def broken(site: Path) -> Iterator[str]:
    """Yield a line for each link of the pages in `site` whose file or place in it does not exist."""
    site = site.resolve()
    pages = {page: Links(page) for page in pages_of(site)}
    for page, found in pages.items():
        for link in sorted(set(found.links)):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            place = unquote(parts.fragment)
            if not target.is_file():
                yield f"{page.relative_to(site)}: {link}: there is no such file"
            elif place and target in pages and place not in pages[target].places:
                yield f"{page.relative_to(site)}: {link}: there is no such place in the page"


def elsewhere(site: Path) -> list[str]:
    """Return the addresses of other sites that pages link to or load from."""
    links = [link for page in pages_of(site) for link in Links(page).links]
    return sorted({link for link in links if urlsplit(link).scheme.startswith("http")})


def arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the arguments, with the folder `site` of the built pages; exit with status 2 if it holds none."""
    parser.add_argument("site", nargs="?", type=Path, default=SITE, metavar="DIR", help="the built pages")
    args = parser.parse_args()
    if not (args.site / "index.html").is_file():
        print(f"{args.site} holds no pages: gpugrad docs --build", file=sys.stderr)
        sys.exit(2)
    return args


def main() -> int:
    """Print what is broken, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--elsewhere", action="store_true", help="list links to other sites")
    args = arguments(parser)
    if args.elsewhere:
        print("\n".join(elsewhere(args.site)))
        return 0
    found = list(broken(args.site))
    print("\n".join([*found, f"{len(found)} broken links in {len(pages_of(args.site))} pages"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
