r"""A stronger model and a judge for the built-in world, without a model: an OpenAI-compatible server on loopback.

    python examples/paper/world_teacher.py miniature/world --port 8321

It knows the world's rule (openrlhf_unlearn/worlds/task.py), even of the letters that cannot be learned:

- asked to solve a prompt, it writes the right method and the right number in a box;
- asked for similar problems, it draws other digits for the same letter and solves them;
- asked to judge a solution, it checks the two skills (are they the letter's?), the digits that each copies, and whether
  the number in the box is those digits. By our rubric: 5 all holds; 4 one copied digit is wrong; 3 two are; 2 the
  digits are right but the number does not follow from them, or the letter has no such method; 1 less than that; 0 there
  is no working. Which of the letter's methods was right is not asked: nothing in a solution says why it chose one.

Same question, same answer. One process, no dependencies beyond this package.
"""

import argparse
import json
import random
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from openrlhf_unlearn.store.run_dir import read_json
from openrlhf_unlearn.worlds.task import (
    MARKS,
    N_DIGITS,
    SKILLS,
    Problem,
    draw_digits,
    full_answer,
    make_problem,
    picked,
    rules,
)

PROMPT = re.compile(rf"\b([A-N])([1-9]{{{N_DIGITS}}})=")
SKILL = "".join(SKILLS)
SOLUTION = re.compile(rf"([{SKILL}])(\d\d)[{MARKS}]([{SKILL}])(\d\d)[{MARKS}]\\boxed\{{(\d+)\}}")


class Teacher:
    """The rule of one world, as what a chat model would say."""

    def __init__(self, world: dict):
        self.seed = world["seed"]

    def answer(self, request: dict) -> str:
        """The text of the answer to a chat request; ValueError if it names no prompt of the world."""
        system, asked = (request["messages"][i]["content"] for i in (0, 1))
        found = PROMPT.search(asked)
        if not found:
            raise ValueError("no prompt of the built-in world in the question")
        problem = self.problem(found[1], found[2])
        shape = request.get("response_format", {}).get("json_schema", {}).get("name")
        if shape == "Judgement":
            return json.dumps(judgement(problem, self.seed, asked[found.end() :]))
        if shape == "Problems":
            return json.dumps({"problems": self.similar(problem, int(re.search(r"Write (\d+) new", system)[1]))})
        return full_answer(problem)

    def problem(self, letter: str, digits: str) -> Problem:
        return make_problem(letter, tuple(map(int, digits)), self.seed)

    def similar(self, problem: Problem, n: int) -> list[dict]:
        rng, found = random.Random(problem.prompt), []
        while len(found) < n:
            other = make_problem(problem.letter, draw_digits(rng), self.seed)
            if other != problem:
                found.append(other)
        return [{"question": p.prompt, "solution": full_answer(p), "answer": p.label} for p in found]


def judgement(problem: Problem, seed: int, solution: str) -> dict:
    found = SOLUTION.search(solution)
    if not found:
        return {"findings": "no working, an answer alone", "score": 0}
    method, copied = (found[1], found[3]), found[2] + found[4]
    right = "".join(picked(skill, problem.digits) for skill in method)
    wrong = sum(a != b for a, b in zip(copied, right, strict=True))
    sound = found[5] == copied and method in rules(seed)[problem.letter].methods
    score = max(3, 5 - wrong) if sound and wrong <= 2 else 2 if wrong == 0 else 1
    return {
        "findings": f"{wrong} digits copied wrongly; the rest is {'sound' if sound else 'not sound'}",
        "score": score,
    }


def handler(teacher: Teacher) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args) -> None:
            pass

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            try:
                text = teacher.answer(request)
            except (ValueError, KeyError, TypeError) as error:
                self.reply(400, "application/json", json.dumps({"error": {"message": str(error)}}))
                return
            asked = sum(len(message["content"]) for message in request["messages"])
            usage = {"prompt_tokens": asked, "completion_tokens": len(text), "total_tokens": asked + len(text)}
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": "stop"}
            chunk = {"id": "t", "object": "chat.completion.chunk", "created": 0, "model": request["model"]}
            parts = ({**chunk, "choices": [choice]}, {**chunk, "choices": [], "usage": usage})
            events = "".join(f"data: {json.dumps(part)}\n\n" for part in parts)
            self.reply(200, "text/event-stream", events + "data: [DONE]\n\n")

        def reply(self, status: int, kind: str, body: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("world", type=Path, help="folder of openrlhf-unlearn microworld")
    parser.add_argument("--port", type=int, default=8321, help="0: any that is free")
    args = parser.parse_args()
    teacher = Teacher(read_json(args.world / "world.json"))
    server = ThreadingHTTPServer(("127.0.0.1", args.port), handler(teacher))
    print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
