"""A report of 40,000 prompts: size of the page, time and memory to make it, and how fast it is in a browser.

    python benchmarks/report.py [--prompts 40000] [--steps 60] [--keep DIR]

Every prompt has two evaluations of 8 responses with text, and is visited once in 10 steps; the 2,000 hardest are shown
with 8 rollouts of up to 1,000 characters. Text is of random words, so that it compresses no better than prose. The
browser is the system's Chromium, driven by Playwright; without one these numbers are null.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn.errors import UserError  # noqa: E402
from openrlhf_unlearn.store.evaluations import Evaluations  # noqa: E402
from openrlhf_unlearn.store.prompts import Prompts  # noqa: E402
from openrlhf_unlearn.store.run_dir import SCHEMA_VERSION, RunDir, prompt_id, write_json  # noqa: E402
from openrlhf_unlearn.store.training import Rewards  # noqa: E402
from tests.report.screenshots import browser  # noqa: E402

SAMPLES, CHARACTERS = 8, 1400
BARS = {
    "megabytes": 25, "seconds": 90, "gigabytes": 3, "first_view_seconds": 3, "search_seconds": 0.2,
    "rollout_search_seconds": 0.1,
}  # fmt: skip


class Words:
    """Texts of random words: 4,000 different ones, as prose has, the first ones more often."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        letters = self.rng.integers(97, 123, (4000, 9)).astype(np.uint8)
        self.words = [bytes(row[: 2 + i % 8]).decode() for i, row in enumerate(letters)]

    def texts(self, n: int, characters: int) -> list[str]:
        places = (len(self.words) * self.rng.random((n, characters // 6)) ** 2).astype(int)
        return [" ".join(map(self.words.__getitem__, row))[:characters] for row in places]


def make(run: RunDir, prompts: int, steps: int) -> None:
    words, rng = Words(0), np.random.default_rng(1)
    texts = words.texts(prompts, 300)
    ids = [prompt_id(text, str(i)) for i, text in enumerate(texts)]
    write_json(run.run_json, {"schema_version": SCHEMA_VERSION, "model": "benchmark", "data": "words", "args": {}})
    labels = list(map(str, range(prompts)))
    Prompts.of(prompt_id=ids, prompt=texts, label=labels, datasource=["words"] * prompts).write(run)
    before = rng.choice([0.0, 0.03, 0.4], prompts)
    after = np.where(rng.random(prompts) < 0.5, before, 0.9)
    write_steps(run, ids, before, after, steps, rng)
    for tag, rate in (("initial", before), ("final", after)):
        write_evaluation(run, tag, ids, rate, words)


def write_steps(run: RunDir, ids: list[str], before, after, steps: int, rng, k: int = 8) -> None:
    chosen = np.array_split(np.arange(len(ids)), min(10, steps))
    for step in range(1, steps + 1):
        rows = chosen[step % len(chosen)]
        n_positive = rng.binomial(k, before[rows] + (after - before)[rows] * step / steps)
        mean = n_positive / k
        accepted = (n_positive > 0) & (n_positive < k)
        zeros = np.zeros(len(rows), np.int32)
        columns = {
            "step": np.full(len(rows), step), "prompt_id": [ids[i] for i in rows], "processed": zeros > 0,
            "n": zeros + k, "n_positive": n_positive, "mean_reward": mean, "std_reward": np.sqrt(mean * (1 - mean)),
            "n_replayed": zeros, "n_no_answer": zeros, "n_timeout": zeros, "n_error": zeros, "accepted": accepted,
            "reason": np.where(accepted, "accepted", "constant_reward"),
        }  # fmt: skip
        columns["pass_rate"] = mean
        Rewards.of(**columns).write(run, step)


def write_evaluation(run: RunDir, tag: str, ids: list[str], rate: np.ndarray, words: Words) -> None:
    right = words.rng.random((len(ids), SAMPLES)) < rate[:, None]
    pool = words.texts(20_000, CHARACTERS)  # enough that no two that are shown are alike
    texts = [pool[i % len(pool)] + f" {i}" for i in range(right.size)]
    columns = {
        "prompt_id": np.repeat(ids, SAMPLES), "sample": np.tile(np.arange(SAMPLES), len(ids)), "response": texts,
        "reward": right.ravel().astype(float), "verdict": np.where(right.ravel(), "correct", "wrong"),
        "n_tokens": np.full(right.size, 300),
    }  # fmt: skip
    Evaluations.of(**columns).write(run, tag)
    write_json(run.evaluation_json(tag), {"model": "benchmark", "n": SAMPLES, "temperature": 1.0, "adaptive": None})


def measure(run: RunDir) -> dict:
    """Seconds, gigabytes at most, and the page's size, of the command as a user runs it."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "openrlhf_unlearn.cli", "analyze", str(run), "--offline"],
        check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    seconds, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),  # what it takes where nothing else runs
        "gigabytes": round(used.ru_maxrss / 2**20, 2),
        "megabytes": round(run.report.stat().st_size / 1e6, 1),
    }


def in_browser(path: Path) -> dict:
    """Seconds until the first view is painted, until all of it works, and of unpacking all rollouts once; and of the
    slowest of some searches in prompts and in rollouts, drawn, each made five times of which the best counts, for other
    programs' sake."""
    try:
        with browser() as chromium:
            page = chromium.new_page(viewport={"width": 1280, "height": 860})
            page.goto(path.resolve().as_uri(), wait_until="commit")
            page.wait_for_selector("html[data-ready]", timeout=120_000)
            milliseconds = page.evaluate("""async () => {
                const box = document.querySelector("#search"), found = document.querySelector("#found");
                const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
                async function slowest(searches) {
                    const best = {};
                    for (let round = 0; round < 5; round++) {
                        for (const words of searches) {
                            box.value = words;
                            const started = performance.now();
                            box.dispatchEvent(new Event("input", { bubbles: true }));
                            await drawn();
                            best[words] = Math.min(best[words] ?? Infinity, performance.now() - started);
                        }
                    }
                    return Math.max(...Object.values(best));
                }
                const first = performance.getEntriesByName("first-contentful-paint")[0].startTime;
                const ready = performance.getEntriesByName("ready")[0].startTime;
                const prompts = await slowest(["a", "an t", "qu", "zz", "the of", ""]);
                const where = document.querySelector("#search-in"), started = performance.now();
                where.value = "rollouts";
                box.value = "a";
                where.dispatchEvent(new Event("input", { bubbles: true }));
                while (!found.textContent.includes("rollout") || found.textContent.includes("Unpacking")) await drawn();
                const unpacked = performance.now() - started;
                return [first, ready, prompts, unpacked, await slowest(["a", "an t", "qu", "zz zz", '"a b"', "the"])];
            }""")
    except UserError as error:
        print(f"no browser: {error}", file=sys.stderr)
        milliseconds = [None] * 5
    names = ("first_view_seconds", "ready_seconds", "search_seconds", "unpack_seconds", "rollout_search_seconds")
    return {name: m and round(m / 1000, 3) for name, m in zip(names, milliseconds, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--prompts", type=int, default=40_000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the run here and leave it")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = RunDir(args.keep or scratch)
        make(run, args.prompts, args.steps)
        result = {**measure(run), **in_browser(run.report)}
    print(json.dumps({"benchmark": "report", "prompts": args.prompts, **result, "bars": BARS, "better": "lower"}))


if __name__ == "__main__":
    main()
