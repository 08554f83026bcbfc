"""A page that leaves the house: what looks like a secret is masked in the packed texts of prompts and models too."""

import base64
import gzip
import json
import re

from openrlhf_unlearn.masking import mask_shapes
from openrlhf_unlearn.report.browser import pack

TABLE = re.compile(r'(id="table-data">)([^<]*)(</script>)')
DETAILS = re.compile(r'(id="details-data">)([^<]*)(</script>)')


def sealed(html: str) -> str:
    """The page with such texts masked; all else, its scripts and their digests, stays as it is."""
    html = TABLE.sub(lambda found: found[1] + repacked(found[2]) + found[3], html, count=1)
    blocks = DETAILS.search(html)
    if blocks is None:
        return html
    masked = json.dumps([repacked(block) for block in json.loads(blocks[2])], separators=(",", ":"))
    return html[: blocks.start(2)] + masked + html[blocks.end(2) :]


def repacked(packed: str) -> str:
    text = gzip.decompress(base64.b64decode(packed)).decode()
    masked = mask_shapes(text)  # the shapes hold no quote and no backslash, so JSON stays JSON
    return packed if masked == text else pack(json.loads(masked))
