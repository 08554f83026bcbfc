r"""The built-in world's task: prompts of four groups whose learnability is planted, and how an answer is judged.

A prompt is a letter, five digits from 1 to 9 and `=`, as in `C48213=`. A full answer writes `#`, the five running sums
and the answer in a box; a lazy answer only puts the first running sum in the box. The running sum starts at the
letter's own number and adds each digit modulo 10. `<eos>` ends an answer.

- easy (letters A, B): the answer is the last running sum, and the warm-up shows mostly full answers.
- learnable (C, D, F): the same rule, but the warm-up is nearly always lazy: the skill is there, seldom used.
- unlearnable: H asks for the product of the digits modulo a prime, W for a pseudo-random number fixed by the digits.
  The warm-up teaches to guess among the possible numbers: lucky positives, and nothing that can be learned from them.
- no_reward (V): the answer is 1000 + the sum of the digits, which the warm-up never writes.
"""

import hashlib
import random
from dataclasses import dataclass, field

GROUPS = ("easy", "learnable", "unlearnable", "no_reward")
LETTERS = {"easy": "AB", "learnable": "CDF", "unlearnable": "HW", "no_reward": "V"}
GROUP_OF = {letter: group for group, letters in LETTERS.items() for letter in letters}
START = {"A": 0, "B": 7, "C": 3, "D": 5, "F": 2, "H": 4, "W": 6, "V": 8}
N_DIGITS = 5
EOS = "<eos>"


@dataclass(frozen=True)
class Setting:
    """One variant of the world. Shares are fractions of 1; `modulus` is a prime, so no answer is 0."""

    modulus: int
    prompts: dict[str, int]  # training prompts of each group; as many again are held out
    full_share: dict[str, float]  # of a group's warm-up texts, those with running sums
    warm_up_share: dict[str, float] = field(
        default_factory=lambda: {"easy": 0.35, "learnable": 0.35, "unlearnable": 0.25, "no_reward": 0.05}
    )


SETTINGS = {
    "standard": Setting(
        # Few enough numbers to guess among that a prompt is hardly ever unrewarded in all of 96 training rollouts.
        modulus=23,
        prompts={"easy": 96, "learnable": 96, "unlearnable": 96, "no_reward": 32},
        full_share={"easy": 0.65, "learnable": 0.04, "unlearnable": 0.85, "no_reward": 0.65},
    ),
    "steady": Setting(
        modulus=37,
        prompts={"easy": 64, "learnable": 64, "unlearnable": 64, "no_reward": 24},
        full_share={"easy": 0.65, "learnable": 0.045, "unlearnable": 0.85, "no_reward": 0.85},
    ),
}


@dataclass(frozen=True)
class Problem:
    """One prompt with everything that is known of it; `label` is the right answer."""

    letter: str
    digits: tuple[int, ...]
    label: str

    @property
    def prompt(self) -> str:
        return f"{self.letter}{''.join(map(str, self.digits))}="

    @property
    def group(self) -> str:
        return GROUP_OF[self.letter]

    @property
    def running_sums(self) -> list[int]:
        total, sums = START[self.letter], []
        for digit in self.digits:
            total = (total + digit) % 10
            sums.append(total)
        return sums


def make_problem(letter: str, digits: tuple[int, ...], setting: Setting, seed: int) -> Problem:
    """The problem that a letter and five digits pose; `seed` only matters to W, whose numbers it draws."""
    if letter == "H":
        answer = 1
        for digit in digits:
            answer = answer * digit % setting.modulus
    elif letter == "W":
        key = f"{seed}:{''.join(map(str, digits))}".encode()
        answer = 1 + int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % (setting.modulus - 1)
    elif letter == "V":
        answer = 1000 + sum(digits)
    else:
        answer = (START[letter] + sum(digits)) % 10
    return Problem(letter, digits, str(answer))


def is_admissible(problem: Problem) -> bool:
    """False where a short cut is right: the lazy answer, or the last running sum of an unlearnable prompt."""
    first, *_, last = map(str, problem.running_sums)
    return problem.label != first and (problem.group != "unlearnable" or problem.label != last)


def full_answer(problem: Problem, answer: str) -> str:
    return f"#{''.join(map(str, problem.running_sums))}\\boxed{{{answer}}}{EOS}"


def lazy_answer(problem: Problem) -> str:
    return f"\\boxed{{{problem.running_sums[0]}}}{EOS}"


def is_correct(response: str, label: str) -> bool:
    """True if the response ends with the label in a box and `<eos>`; what comes before is not looked at."""
    return response.endswith(f"\\boxed{{{label}}}{EOS}")


def draw_problem(group: str, setting: Setting, seed: int, rng: random.Random) -> Problem:
    digits = tuple(rng.randint(1, 9) for _ in range(N_DIGITS))
    return make_problem(rng.choice(LETTERS[group]), digits, setting, seed)


def draw_prompts(setting: Setting, seed: int) -> tuple[list[Problem], list[Problem]]:
    """The training and the held-out problems, disjoint, each with the setting's counts, shuffled over groups.

    The letters of a group take turns, so each has its equal share.
    """
    rng = random.Random(f"prompts {seed}")
    seen: set[str] = set()
    splits: list[list[Problem]] = [[], []]
    for split in splits:
        for group in GROUPS:
            letters = LETTERS[group]
            for i in range(setting.prompts[group]):
                letter = letters[i % len(letters)]
                while True:
                    digits = tuple(rng.randint(1, 9) for _ in range(N_DIGITS))
                    problem = make_problem(letter, digits, setting, seed)
                    if problem.prompt not in seen and is_admissible(problem):
                        break
                seen.add(problem.prompt)
                split.append(problem)
        rng.shuffle(split)
    return splits[0], splits[1]


def draw_warm_up(n: int, setting: Setting, seed: int, held_back: set[str], rng: random.Random) -> list[tuple[str, str]]:
    """`n` pairs of prompt and answer to warm the model up on; prompts in `held_back` are never among them.

    A full answer of no_reward puts the last running sum in its box: a digit, which is never right.
    """
    pairs = []
    groups, weights = zip(*setting.warm_up_share.items(), strict=True)
    while len(pairs) < n:
        problem = draw_problem(rng.choices(groups, weights)[0], setting, seed, rng)
        if problem.prompt in held_back:
            continue
        if rng.random() < setting.full_share[problem.group]:
            answer = str(problem.running_sums[-1]) if problem.group == "no_reward" else problem.label
            pairs.append((problem.prompt, full_answer(problem, answer)))
        else:
            pairs.append((problem.prompt, lazy_answer(problem)))
    return pairs
