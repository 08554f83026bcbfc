"""A report that leaves the house: secrets are masked again, as an earlier version may have written them, and what looks
like one in the packed texts of prompts and models too."""

import base64
import csv
import gzip
import html
import io
import json
import re

from openrlhf_unlearn.masking import mask_shapes, mask_text
from openrlhf_unlearn.report.browser import pack

TABLE = re.compile(r'(id="table-data">)([^<]*)(</script>)')
DETAILS = re.compile(r'(id="details-data">)([^<]*)(</script>)')
MARKUP = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>|[^<]+", re.DOTALL)
SAID = re.compile(r'(\s(?:title|aria-label)=")([^"]*)')  # of attributes, those that are shown or read out


def sealed(page: str) -> str:
    """The page with such texts masked; all else, its scripts and their digests, stays as it is."""
    page = MARKUP.sub(lambda found: found[0] if found[1] else _markup(found[0]), page)
    page = TABLE.sub(lambda found: found[1] + repacked(found[2]) + found[3], page, count=1)
    blocks = DETAILS.search(page)
    if blocks is None:
        return page
    masked = json.dumps([repacked(block) for block in json.loads(blocks[2])], separators=(",", ":"))
    return page[: blocks.start(2)] + masked + page[blocks.end(2) :]


def sealed_csv(text: str) -> str:
    lines = io.StringIO()
    csv.writer(lines).writerows([mask_text(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline="")))
    return lines.getvalue()


def _markup(piece: str) -> str:
    """A tag, or the text between two."""
    if piece.startswith("<"):
        return SAID.sub(lambda found: found[1] + _escaped(found[2]), piece)
    return _escaped(piece)


def _escaped(text: str) -> str:
    said = html.unescape(text)
    masked = mask_text(said)
    return text if masked == said else html.escape(masked)


def repacked(packed: str) -> str:
    text = gzip.decompress(base64.b64decode(packed)).decode()
    masked = mask_shapes(text)  # the shapes hold no quote and no backslash, so JSON stays JSON
    return packed if masked == text else pack(json.loads(masked))
