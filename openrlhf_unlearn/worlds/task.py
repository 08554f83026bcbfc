r"""The built-in world's task: prompts whose learnability is planted, and nothing on the surface that gives it away.

A prompt is a letter, four different digits and `=`, as in `D4821=`. There are twelve skills, named O to Z: each copies
two of the four digits, in an order of its own. An answer names a skill and uses it, then a second one, and puts the
four copied digits in the box, as in `O48#U24=\boxed{4824}<eos>`. After each half stands `#` or `=`, as chance
has it: four texts of one length for one answer.

A letter has six skills for the first half and four for the second: 24 methods. The warm-up shows them all to the
same degree, so that each is right once in 24, and the letters differ only in which methods the labels call right:

- known (group easy): one method, which the warm-up shows in 60 % of its texts.
- guessable (easy): four methods are shown, and chance says which is right: a quarter of the answers is rewarded.
- learnable: one method, put together of skills that known letters use; the warm-up shows it once in 24.
- beyond (unlearnable): the four-digit number modulo a prime says which method, which the model cannot work out.
- random (unlearnable): a pseudo-random number, fixed by letter and digits, says which.
- never (no_reward): the label comes from no method.
- wrong_label (no_reward): prompts of known and learnable letters, with such a label instead of the right one.
- verifier (no_reward): one method, shown in 60 %, but the label is written as floating-point arithmetic left it
  (4811.9999 for 4812): the grader compares to six places, and only the format `lenient` sees that it is right.

So length, entropy, format, initial pass rate and the frequency of answers are the same, by construction, for what can
be learned and what cannot. Only prompts taken together tell: one method helps all prompts of a learnable letter.
"""

import hashlib
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

GROUPS = ("easy", "learnable", "unlearnable", "no_reward")
GROUP_OF_CAUSE = {
    "known": "easy",
    "guessable": "easy",
    "learnable": "learnable",
    "beyond": "unlearnable",
    "random": "unlearnable",
    "never": "no_reward",
    "wrong_label": "no_reward",
    "verifier": "no_reward",
}
CAUSES = tuple(GROUP_OF_CAUSE)
LETTERS = {
    "known": "ABC",
    "learnable": "DEFG",
    "beyond": "HI",
    "random": "JK",
    "guessable": "L",
    "verifier": "M",
    "never": "N",
}
# wrong_label has no letter of its own.
CAUSE_OF = {letter: cause for cause, letters in LETTERS.items() for letter in letters}
LETTERS_OF = {**LETTERS, "wrong_label": LETTERS["known"] + LETTERS["learnable"]}

N_DIGITS = 4
SKILLS = dict(zip("OPQRSTUVWXYZ", itertools.permutations(range(N_DIGITS), 2), strict=True))
N_FIRST, N_SECOND, N_GUESSES = 6, 4, 4
N_METHODS = N_FIRST * N_SECOND
PRIME = 3 * N_METHODS + 1  # with the last remainder left out, each method has three
MARKS = "#="
EOS = "<eos>"

Method = tuple[str, str]


@dataclass(frozen=True)
class Setting:
    """One variant of the world. Shares are fractions of 1; `prompts` are counts of a cause, as many again held out."""

    prompts: dict[str, int]
    right_share: dict[str, float] = field(default_factory=lambda: {"known": 0.6, "verifier": 0.6})


SETTINGS = {
    "standard": Setting(
        {
            "known": 64,
            "guessable": 16,
            "learnable": 96,
            "beyond": 48,
            "random": 48,
            "never": 16,
            "wrong_label": 16,
            "verifier": 16,
        }
    ),
    "steady": Setting(
        {
            "known": 48,
            "guessable": 8,
            "learnable": 64,
            "beyond": 32,
            "random": 32,
            "never": 12,
            "wrong_label": 8,
            "verifier": 12,
        }
    ),
}


@dataclass(frozen=True)
class LetterRule:
    """What a letter means: its methods, and the right one where that is always the same."""

    methods: tuple[Method, ...]
    right: Method | None


@dataclass(frozen=True)
class Problem:
    """One prompt with everything that is known of it. `method` is what its label comes from, or would if it came from
    the letter's rule (wrong_label)."""

    letter: str
    digits: tuple[int, ...]
    cause: str
    method: Method
    label: str

    @property
    def prompt(self) -> str:
        return f"{self.letter}{''.join(map(str, self.digits))}="

    @property
    def group(self) -> str:
        return GROUP_OF_CAUSE[self.cause]


@cache
def rules(seed: int) -> dict[str, LetterRule]:
    """Each letter's rule. Right methods of learnable letters put skills of known ones together anew."""
    rng = random.Random(f"rules {seed}")
    skills = rng.sample(sorted(SKILLS), 2 * len(LETTERS["known"]))
    known = list(zip(skills[::2], skills[1::2], strict=True))
    pairs = [(first, second) for first, _ in known for _, second in known if (first, second) not in known]
    right: dict[str, Method] = dict(zip(LETTERS["known"], known, strict=True))
    right |= zip(LETTERS["learnable"], rng.sample(pairs, len(LETTERS["learnable"])), strict=True)
    first, second = rng.sample(sorted(SKILLS), 2)
    right[LETTERS["verifier"]] = first, second
    found = {}
    for letter, cause in CAUSE_OF.items():
        one = right.get(letter)
        first, second = (_with(one and one[half], n, rng) for half, n in enumerate((N_FIRST, N_SECOND)))
        methods = tuple(itertools.product(first, second))
        found[letter] = LetterRule(methods[:N_GUESSES] if cause == "guessable" else methods, one)
    return found


def _with(skill: str | None, n: int, rng: random.Random) -> list[str]:
    """`n` skills, `skill` among them."""
    others = [name for name in sorted(SKILLS) if name != skill]
    return rng.sample([skill, *rng.sample(others, n - 1)] if skill else rng.sample(others, n), n)


def picked(skill: str, digits: tuple[int, ...]) -> str:
    return "".join(str(digits[i]) for i in SKILLS[skill])


def answer(method: Method, digits: tuple[int, ...]) -> str:
    return "".join(picked(skill, digits) for skill in method)


def texts(method: Method, digits: tuple[int, ...]) -> list[str]:
    """The four texts that a method gives, all with the same answer."""
    return [_text(method, digits, marks) for marks in itertools.product(MARKS, repeat=2)]


def draw_text(method: Method, digits: tuple[int, ...], rng: random.Random) -> str:
    """One of the four. The first and the last digit of the prompt say in how many of ten texts a mark is `#`: entropy
    varies from prompt to prompt for a reason that has nothing to do with what can be learned."""
    return _text(method, digits, [MARKS[rng.random() >= digit / 10] for digit in (digits[0], digits[-1])])


def _text(method: Method, digits: tuple[int, ...], marks: Sequence[str]) -> str:
    halves = (skill + picked(skill, digits) + mark for skill, mark in zip(method, marks, strict=True))
    return f"{''.join(halves)}\\boxed{{{answer(method, digits)}}}{EOS}"


def make_problem(letter: str, digits: tuple[int, ...], seed: int, cause: str | None = None) -> Problem:
    """The problem that a letter and its digits pose in the world of `seed`; `cause` only to plant a wrong label."""
    cause, rule = cause or CAUSE_OF[letter], rules(seed)[letter]
    number = int("".join(map(str, digits)))
    method = rule.right or rule.methods[0]
    if cause == "beyond":
        method = rule.methods[number % PRIME % N_METHODS]
    elif cause in ("random", "guessable"):
        method = rule.methods[_hash(seed, letter, number) % len(rule.methods)]
    elif cause in ("never", "wrong_label"):
        return Problem(letter, digits, cause, method, _unreachable(rule, digits, seed, letter))
    label = answer(method, digits)
    return Problem(letter, digits, cause, method, f"{int(label) - 1}.9999" if cause == "verifier" else label)


def _hash(*words) -> int:
    return int.from_bytes(hashlib.blake2b(":".join(map(str, words)).encode(), digest_size=8).digest(), "big")


def _unreachable(rule: LetterRule, digits: tuple[int, ...], seed: int, letter: str) -> str:
    """Four of the digits that no method gives, nor one slip in copying."""
    answers = [answer(method, digits) for method in rule.methods]
    attempts = itertools.count()
    while True:
        number = _hash(seed, letter, digits, next(attempts))
        label = "".join(str(digits[number // N_DIGITS**i % N_DIGITS]) for i in range(4))
        if all(sum(map(str.__ne__, label, other)) > 1 for other in answers):
            return label


def is_admissible(digits: tuple[int, ...]) -> bool:
    """Different digits, so that different methods give different answers; and each method as often for `beyond`."""
    return len(set(digits)) == N_DIGITS and int("".join(map(str, digits))) % PRIME < PRIME - 1


def full_answer(problem: Problem, label: str | None = None) -> str:
    """The working by the problem's method, then its label, or another one, in the box."""
    working = texts(problem.method, problem.digits)[0].partition("\\")[0]
    return f"{working}\\boxed{{{label or problem.label}}}{EOS}"


def is_correct(response: str, label: str) -> bool:
    """True if the response ends with the label in a box and `<eos>`; what comes before is not looked at."""
    return response.endswith(f"\\boxed{{{label}}}{EOS}")


def draw_digits(rng: random.Random) -> tuple[int, ...]:
    while True:
        digits = tuple(rng.sample(range(1, 10), N_DIGITS))
        if is_admissible(digits):
            return digits


def draw_prompts(setting: Setting, seed: int) -> tuple[list[Problem], list[Problem]]:
    """The training and the held-out problems, disjoint, each with the setting's counts, shuffled over groups.

    The letters of a cause take turns, so each has its equal share.
    """
    rng = random.Random(f"prompts {seed}")
    seen: set[str] = set()
    splits: list[list[Problem]] = [[], []]
    for split in splits:
        for cause, count in setting.prompts.items():
            letters = itertools.islice(itertools.cycle(LETTERS_OF[cause]), count)
            for letter in letters:
                split.append(_new(letter, cause, seed, seen, rng))
        rng.shuffle(split)
    return splits[0], splits[1]


def _new(letter: str, cause: str, seed: int, seen: set[str], rng: random.Random) -> Problem:
    while True:
        problem = make_problem(letter, draw_digits(rng), seed, cause)
        if problem.prompt not in seen:
            seen.add(problem.prompt)
            return problem


def warm_up_texts(setting: Setting, seed: int, held_back: set[str], rng: random.Random) -> Iterator[tuple[str, str]]:
    """Pairs of prompt and answer, without end, to warm the model up on; prompts in `held_back` are never among them.

    Letters, and each letter's methods, come from shuffled decks: chance shows none more often than another.
    """
    letters = _deck(sorted(CAUSE_OF), rng)
    methods = {letter: _deck(rules(seed)[letter].methods, rng) for letter in CAUSE_OF}
    for letter in letters:
        rule, prompt = rules(seed)[letter], None
        while prompt is None or prompt in held_back:
            digits = draw_digits(rng)
            prompt = f"{letter}{''.join(map(str, digits))}="
        use_right = rng.random() < setting.right_share.get(CAUSE_OF[letter], 0.0)
        yield prompt, draw_text(rule.right if rule.right and use_right else next(methods[letter]), digits, rng)


def _deck(cards: Sequence, rng: random.Random) -> Iterator:
    while True:
        yield from rng.sample(cards, len(cards))
