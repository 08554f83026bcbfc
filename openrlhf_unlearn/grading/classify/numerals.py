"""Mixed numbers, digits in a base, times."""

from openrlhf_unlearn.grading.classify.shapes import Based, Clock, Of
from openrlhf_unlearn.grading.classify.split import split
from openrlhf_unlearn.grading.formula.nodes import Node, Nodes

_BASES = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
          "ten": "10", "eleven": "11", "twelve": "12", "sixteen": "16"}  # fmt: skip


def mixed(found: Nodes) -> Nodes:
    """5 1/2 as a mixed number, where it is all there is."""
    start = 1 if found[0] in (Node("op", "-"), Node("op", "+")) else 0
    if [node.kind for node in found[start : start + 4]] != ["num", "num", "op", "num"] or found[start + 2].text != "/":
        return found
    whole, top, _, bottom = found[start : start + 4]
    if not (whole.text.isdigit() and top.text.isdigit() and bottom.text.isdigit() and int(top.text) < int(bottom.text)):
        return found
    return (*found[:start], whole, Node("frac", "frac", ((top,), (bottom,))), *found[start + 4 :])


def based(found: Nodes, of: Of) -> Based | None:
    """1347_8, (1347)_{(8)}, 1347_{\\text{eight}}."""
    if len(found) > 3 and found[0] == Node("open", "(") and found[-2] == Node("close", ")"):
        found = (*found[1:-2], found[-1])
    if len(found) < 2 or found[-1].kind != "sub" or not all(map(_is_digit, found[:-1])):
        return None
    if found[0].kind != "num" and len(found) < 3:
        return None
    inner: Nodes = tuple(node for node in found[-1].args[0] if node.kind not in ("open", "close"))
    named = _BASES.get(inner[0].text.casefold()) if len(inner) == 1 and inner[0].kind == "word" else None
    base = named or (inner[0].text if len(inner) == 1 and inner[0].kind == "num" else None)
    return Based("".join(node.text for node in found[:-1]), base) if base else None


def _is_digit(node: Node) -> bool:
    return node.kind in ("num", "let") or node.kind == "word" and set(node.text) <= set("ABCDEF")


def clock(found: Nodes, of: Of) -> Clock | None:
    """10:30, 9:05 a.m., 11 pm."""
    parts, _ = split(found, lambda node: node.kind == "colon")
    letters = "".join(node.text for node in parts[-1][1:] if node.kind in ("let", "word", "mark")).casefold()
    half = letters.replace(".", "")
    if half not in ("", "am", "pm") or not all(part and part[0].kind == "num" for part in parts):
        return None
    if any(len(part) > 1 for part in parts[:-1]) or len(parts) > 3 or len(parts) == 1 and not half:
        return None
    if not half and len(parts[-1]) > 1 or any(node.kind not in ("num", "let", "word", "mark") for node in parts[-1]):
        return None
    numbers = [part[0].text for part in parts] + ["00"] * (len(parts) == 1)
    if not all(number.isdigit() for number in numbers) or not half and len(numbers[1]) != 2:
        return None
    return Clock(tuple(map(int, numbers)), half) if len(numbers[1]) == 2 else None
