r"""Find: where the answer stands in a response. Text only: no mathematics, nothing that can hang.

In `auto` an answer is, in this order: what the last `\boxed{…}` holds; what `<answer>` tags hold; what follows "the
answer is" or `####`; the formula or bold text that ends the last line; or a response so short that it is nothing but an
answer. A number in passing is none: math-verify takes it, and rewards a derivation that was cut off at a lucky place.
"""

import re
from dataclasses import dataclass

SHORT = 400  # characters of a response that may be an answer without any mark
MAX_ANSWER = 2_000


@dataclass(frozen=True)
class Found:
    """An answer and the rule that found it: box, answer tag, anchor, last formula, bold, short."""

    answer: str
    rule: str


_TOKEN = re.compile(r"\\.|[{}]", re.DOTALL)
_BOX = re.compile(r"\\(?:boxed|fbox)(?:\s*\{|(?![A-Za-z])\s*(?=[^\s{$]))")
_BARE_BOX = re.compile(r"[^\s$\\]+|\\[A-Za-z]+")
_NEAR = 40  # characters, at most, between answers that belong together
_BETWEEN = re.compile(r"[\s$]*(?:[,;]|[,;]?\s*(?:\\(?:text|mathrm)\s*\{)?\s*(?:and|or)\b\s*\}?)[\s$]*")
_TURN = re.compile(
    r"<(?:eos|pad|/s|end_of_turn|start_of_turn)>|<[|｜][^<>|｜\s]{1,24}[|｜]>|\n\s{0,8}(?:Human|User|Question|Q) ?:"
)
_THOUGHTS = "think|thinking|thought|thoughts|reasoning|reflection|scratchpad|seed:think"
_THOUGHT = re.compile(
    rf"<(/?)(?:{_THOUGHTS})>|\[(/?)THINK\]|◁(/?)think▷|<[|]?(begin|end)_of_thought[|]?>", re.IGNORECASE
)
_TAG = re.compile(r"<answer>([^<]*(?:<(?!/?answer>)[^<]*)*)(?:</answer>|\Z)", re.IGNORECASE)
_ANSWER_WORDS = r"answers?|ans|(?:correct|right|best) (?:option|choice)s?|final (?:result|value|solution)s?"
_ANCHOR = re.compile(
    rf"(?<!this )(?<!that )(?<!each )(?<!an )\b(?:{_ANSWER_WORDS})\b"
    r"[^.\n:=]{0,80}?(?:\bis\b|\bare\b|\bwould be\b|\bmust be\b|:|=)"
    r"|####|(?:最终答案|答案|结果)(?:应该)?(?:是|为)?[:：]?|(?:故选|应选|选择?)[:：]?(?=\s*[(（]?[A-J])",
    re.IGNORECASE,
)
_HEADING = re.compile(rf"^[\s#*_]{{0,20}}(?:the )?(?:final )?(?:{_ANSWER_WORDS})[\s*_:：]{{0,8}}$", re.IGNORECASE)
_MARKUP = re.compile(r"\*\*|__|`+|^[#\s]+|^[*_](?=\S)|(?<=\S)[*_]$")
_OPENING = re.compile(r"\\.|\$\$|\$(?!\s)|\$(?=\s*\n)", re.DOTALL)
_CLOSINGS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}
_DOLLARS = re.compile(r"((?:\\.|[^$\\\n])+)\$")
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_SENTENCE_END = re.compile(r"[.。](?=\s|\Z)")
_REASON = re.compile(
    r"\b(?:because|since|as (?:we|the|it)|where|which|so that|for which|by the|due to|after|when|given|hence)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z']{3,}|\bI\b")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[a-z*]+\}")
_LEAD = re.compile(
    r"\b(?:so|thus|hence|therefore|finally|then|we|gets?|ha(?:ve|s)|find|obtain|is|are|be|equals?|gives?|yields?)\b[\s,:]*"
    r"|(?<=[A-Za-z]):\s+",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(r"\s*(?:so|thus|hence|therefore|finally|in total|altogether)\b", re.IGNORECASE)
# What takes a value back or names another: a response that says so in passing gives no answer.
_HEDGE = re.compile(
    r"\b(?:not|n't|never|or|either|perhaps|maybe|might|may|could|possibly|probably|likely|unless|wrong|incorrect|if|"
    r"assum\w{0,6}|suppose|guess|neither|nor|except|between|about|around|approximately|roughly|at least|at most|"
    r"more than|less than|fewer than)\b|n't\b|\?",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\s{0,3},?\s{0,3}(?:/|\b(?:or|and|perhaps|maybe|possibly|but|unless|if|is not|is wrong)\b)",
    re.IGNORECASE,
)
NUMBER = re.compile(r"(?<![\w.])-?(?:[0-9][0-9,]*(?:\.[0-9]+)?(?:/[0-9]+)?|\.[0-9]+)")
_CHOICE = re.compile(r"(?<![A-Za-z0-9'])([A-J])(?![A-Za-z0-9'])|\(([a-j])\)")


def around_the_answer(response: str, limit: int, box: bool = True) -> str:
    """At most `limit` characters: the end, or, with `box`, the last box and what follows it if it stands earlier."""
    start = max(len(response) - limit, 0)
    if start and box and "\\boxed" not in response[start:]:
        earlier = response.rfind("\\boxed")
        start = start if earlier < 0 else earlier
    return response[start : start + limit]


def said(response: str) -> str:
    """What the response says: without the thoughts before it, and up to its end-of-text token or the next turn.

    Empty for a response that was cut off within its thoughts.
    """
    if thoughts := list(_THOUGHT.finditer(response)):
        last = thoughts[-1]
        closes = "/" in last.groups() or (last[4] or "").lower() == "end"
        response = response[last.end() :] if closes else ""
    start = 0
    for turn in _TURN.finditer(response):
        if response[start : turn.start()].strip():
            return response[start : turn.start()].strip()
        start = turn.end()
    return response[start:].strip()


def _closing(text: str, start: int) -> int | None:
    """The index of the brace that closes the one before `start`; None if the text ends first."""
    depth = 1
    for token in _TOKEN.finditer(text, start):
        depth += (token[0] == "{") - (token[0] == "}")
        if depth == 0:
            return token.start()
    return None


def boxed_answer(text: str) -> str | None:
    r"""What the last \boxed{…} holds, or the last boxes, joined by what stands between, where that is only "and".

    None if there is no box, it is empty, or the text ends within it. \boxed 7 holds what TeX gives it and its word.
    """
    boxes: list[tuple[int, int, str]] = []
    for opening in _BOX.finditer(text):
        if boxes and opening.start() < boxes[-1][1]:
            continue  # a box in a box
        boxes.append(_box(text, opening))
    if not boxes or not boxes[-1][2]:
        return None
    pieces = [boxes[-1][2]]
    for (_, end, earlier), (start, _, _) in zip(reversed(boxes[:-1]), reversed(boxes), strict=False):
        if not earlier or not _joined(text, end, start):
            break
        pieces += [_joint(text[end:start]), earlier]
    return "".join(reversed(pieces))


def _box(text: str, opening: re.Match) -> tuple[int, int, str]:
    """(start, end, inside), the inside empty where the text ends within it."""
    if not opening[0].endswith("{"):
        bare = _BARE_BOX.match(text, opening.end())
        return (opening.start(), bare.end(), bare[0].rstrip(".,;")) if bare else (opening.start(), opening.end(), "")
    end = _closing(text, opening.end())
    if end is None:
        return opening.start(), len(text), ""
    return opening.start(), end + 1, text[opening.end() : end].strip()


def has_box(text: str) -> bool:
    return bool(_BOX.search(text)) or "\\boxed" in text


def _joined(text: str, end: int, start: int) -> bool:
    """Whether nothing but a comma, "and" or "or" stands between two answers."""
    return start - end <= _NEAR and bool(_BETWEEN.fullmatch(text, end, start))


def _joint(between: str) -> str:
    return r" \text{ or } " if re.search(r"\bor\b", between) else ", "


def _formulas(text: str) -> list[tuple[int, int, str]]:
    r"""(start, end, inside) of each $…$, $$…$$, \[…\] and \(…\), in time linear in the text."""
    found, never, at = [], set(), 0
    while opening := _OPENING.search(text, at):
        mark, at = opening[0], opening.end()
        if mark == "$" and (dollars := _DOLLARS.match(text, at)):
            found.append((opening.start(), dollars.end(), dollars[1].strip()))
            at = dollars.end()
        elif mark in _CLOSINGS and mark not in never:
            end = text.find(_CLOSINGS[mark], at + 1)
            if end < 0:
                never.add(mark)
                continue
            found.append((opening.start(), end + 2, text[at:end].strip()))
            at = end + 2
    return found


def _last_formulas(text: str) -> tuple[int, int, str] | None:
    """(start, end, inside) of the last formula of a text, with those that only commas, "and" or "or" join to it."""
    found = _formulas(text)
    if not found:
        return None
    start, end, inside = found[-1]
    pieces = [inside]
    for formula in reversed(found[:-1]):
        if not _joined(text, formula[1], start):
            break
        pieces += [_joint(text[formula[1] : start]), formula[2]]
        start = formula[0]
    return start, end, "".join(reversed(pieces))


def _first_formulas(text: str) -> tuple[int, str] | None:
    """(end, inside) of a text's first formulas, if it begins with them."""
    found = _formulas(text)
    if not found or text[: found[0][0]].strip(" \n\t*_`("):
        return None
    _, end, inside = found[0]
    pieces = [inside]
    for formula in found[1:]:
        if not _joined(text, end, formula[0]):
            break
        pieces += [_joint(text[end : formula[0]]), formula[2]]
        end = formula[1]
    return end, "".join(pieces)


def anchored_answer(text: str) -> str | None:
    """What follows the last "answer is", "answer:" or ####, on its line or, if that is empty, the next."""
    anchors = list(_ANCHOR.finditer(text))
    last = anchors[-1] if anchors else None
    heading = _last_heading(text)
    hashes = text.rfind("####")
    start = hashes + 4 if hashes >= 0 else max(last.end() if last else -1, heading)
    if start < 0:
        return None
    rest = text[start:].lstrip(" \t*_:：`\r\n")
    return _answer_at(rest, hashes >= 0)


def _last_heading(text: str) -> int:
    """Where the last line that says nothing but "Final Answer" ends; -1 if there is none."""
    end = len(text)
    for line in reversed(text[-4 * MAX_ANSWER :].split("\n")):
        if len(line) < 60 and _HEADING.match(line):
            return end
        end -= len(line) + 1
    return -1


def _answer_at(rest: str, gsm: bool = False) -> str | None:
    """The answer that a text begins with: its first formula, else its first sentence, without markup and reasons.

    What the sentence goes on to say of it, "or perhaps 43", stays: it then is no value.
    """
    rest = rest[:MAX_ANSWER]
    if first := _first_formulas(rest):
        end, inside = first
        after = rest[end:].lstrip("*_`").partition("\n")[0]
        unit = re.match(r"\s{0,3}([a-z]{1,12}|°)\s{0,3}[.*]{0,3}$", after)
        if _OTHER.match(after) or re.match(r"\s{0,3}[-+*/^=<>]\s{0,3}[$\\0-9A-Za-z]", after):
            return inside + _SENTENCE_END.split(after, maxsplit=1)[0]
        return f"{inside} \\text{{ {unit[1]} }}" if unit else inside
    line = rest.partition("\n")[0]
    if gsm and (number := re.match(r"\s*(\S+)\s+(?=[A-Z][a-z])", line)):
        line = number[1]
    line = _SENTENCE_END.split(line, maxsplit=1)[0]
    if reason := _REASON.search(line):
        line = line[: reason.start()].rstrip(" ,;(")
    return plain(line) or None


def plain(text: str) -> str:
    """Without Markdown: bold, code, headings, quotes."""
    return _MARKUP.sub("", text.strip()).strip().strip("`").strip()


def last_formula(text: str) -> Found | None:
    """The formula, or what stands in bold, that ends the last line; none that a hedge precedes."""
    line = text.rpartition("\n\n")[2] if text.endswith(("\\]", "$$")) else text.rpartition("\n")[2]
    if text.endswith(("\\]", "$$", "\\].", "$$.")):
        line = text[-MAX_ANSWER:]
    found, rule = _last_formulas(line), "last formula"
    if not found and (bold := list(_BOLD.finditer(line))):
        found, rule = (bold[-1].start(), bold[-1].end(), bold[-1][1]), "bold"
    if not found:
        return None
    start, end, inside = found
    before, after = line[:start].rpartition("\n")[2], line[end:].strip(" .*_`\n,;:!")
    before = _SENTENCE_END.split(before)[-1]
    if _words(after) > 2 or NUMBER.search(after) or _HEDGE.search(before) or _HEDGE.search(after) or "?" in line[end:]:
        return None
    if rule == "bold" and _words(inside):
        inside = short_answer(inside) or inside
    unit = re.match(r"[a-z]{1,12}$", after)
    return Found(f"{inside} \\text{{ {after} }}" if unit and rule == "last formula" else inside, rule)


def short_answer(text: str) -> str | None:
    """A short response that is nothing but an answer, or a sentence that ends in one; None else."""
    if len(text) > SHORT or "#" in text:  # a heading, or working that was cut off
        return None
    text = plain(text)
    if not text:
        return None
    sentence = _last_sentence(text)
    leads = list(_LEAD.finditer(sentence))
    if leads and not _HEDGE.search(sentence):
        rest = sentence[leads[-1].end() :].strip()
        if rest and _words(rest) < 3 and not re.match(r"[A-Za-z]{3,}", rest):
            return rest
        numbers = NUMBER.findall(sentence)
        if _CONCLUDES.match(sentence) and len(numbers) == 1 and "\\" not in sentence:
            return numbers[0].rstrip(",")
    return None if leads and _words(text) >= 3 or "?" in text else _bare(text)


def _bare(text: str) -> str | None:
    """The text, unless it is prose: at most two words, a value first if there is one."""
    return text if _words(text) < 3 else None


def _last_sentence(text: str) -> str:
    text = text.rstrip()
    text = text[:-1] if text.endswith((".", "。")) else text
    return _SENTENCE_END.split(text)[-1].rpartition("\n")[2].strip()


def _words(text: str) -> int:
    return len(_WORD.findall(_ENVIRONMENT.sub("", text)))


def last_number(text: str) -> str | None:
    found = NUMBER.findall(text.replace("\N{MINUS SIGN}", "-"))
    return found[-1].rstrip(",") if found else None


def last_choice(text: str) -> str | None:
    """The last letter A to J that stands alone: a capital, (b), or any that is the whole text; "A" as a word counts."""
    alone = text.strip(" ().$*")
    if len(alone) == 1 and alone.upper() in "ABCDEFGHIJ":
        return alone.upper()
    found = _CHOICE.findall(text)
    return (found[-1][0] or found[-1][1].upper()) if found else None


def locate(response: str) -> Found | None:
    """The answer of format `auto` and where it was found; None if the response has none."""
    return _locate(said(response))


def _locate(text: str) -> Found | None:
    if has_box(text):
        answer = boxed_answer(text)
        return Found(answer, "box") if answer else None
    if tags := _TAG.findall(text):
        inside = _locate(tags[-1].strip())
        return Found(inside.answer if inside else tags[-1].strip(), "answer tag") if tags[-1].strip() else None
    if answer := anchored_answer(text):
        return Found(answer[:MAX_ANSWER], "anchor")
    if found := last_formula(text):
        return Found(found.answer[:MAX_ANSWER], found.rule)
    last = text.rpartition("\n")[2]
    answer = short_answer(text) or (
        short_answer(last) if _CONCLUDES.match(last) and last.endswith((".", "!")) else None
    )
    return Found(answer, "short") if answer else None


def find_answer(response: str) -> str | None:
    """The answer of format `auto`; None if the response has none."""
    found = locate(response)
    return found.answer if found else None


def missing(response: str) -> str:
    """Why a response has no answer."""
    text = said(response)
    if not text:
        return "cut off within its thoughts, or nothing after them" if response.strip() else "an empty response"
    return "the last box is empty or open" if has_box(text) else "no box, no answer sentence, no final formula"
