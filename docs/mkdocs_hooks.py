"""Hooks of mkdocs: README is the site's first page, and links to the code lead to the repository."""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
PAGES = {"index.md": "README.md", "changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}


def on_files(files, config):
    for page, source in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links as the site has them; a page made from a file of the root has links from there, others from docs/."""
    code = f"{config.repo_url}/blob/main/"
    if page.file.src_uri not in PAGES:
        return re.sub(r"\]\(\.\./", f"]({code}", markdown)
    made = {source: name for name, source in PAGES.items()}

    def link(match) -> str:
        path = match[1]
        return f"]({path.removeprefix('docs/') if path.startswith('docs/') else made.get(path) or code + path})"

    return re.sub(r"\]\((?!https?://|#)([^)]+)\)", link, markdown)
