r"""The rules by name: what each accepts, and what it must never accept. A grade's reason names one of each kind.

    python -m openrlhf_unlearn.grading.rules        the table of docs/grading.md

`accepts` and `never` are pairs of an answer and a label (for FINDING, of a response and a label): tests/grading/
test_rules.py grades each. `source`: whose answers, or whose bug, the rule is for.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    what: str
    accepts: tuple[tuple[str, str], ...]
    never: tuple[tuple[str, str], ...]
    source: str


FINDING = {
    "box": Rule(
        r"what the last \boxed{…} holds; boxes that only a comma, “and” or “or” joins are several values",
        ((r"\boxed{3} no, \boxed{4}", "4"), (r"$\boxed 7$", "7"), (r"\boxed{3}, \boxed{4}", "3,4")),
        ((r"\boxed{4} no, \boxed{3}", "4"), (r"\boxed{3} or \boxed{4}", "4"), (r"4 so \boxed{", "4")),
        "the convention of MATH",
    ),
    "answer tag": Rule(
        "what the last <answer>…</answer> holds",
        (("<think>a</think><answer>The sum is 7.</answer>", "7"),),
        (("<answer>7</answer><answer>8</answer>", "7"), ("<think><answer>7</answer>", "7")),
        "R1-style templates",
    ),
    "anchor": Rule(
        "what follows “answer is”, “Answer:”, “答案”, a heading “Final answer” or ####, but no reason after it; "
        "“Option B is correct.” at the end",
        (("The answer is $7$ because $7>6$.", "7"), ("**Final Answer**\n\n7", "7"), ("#### 7\nThis is it.", "7")),
        (
            ("The answer is 7 or 8.", "7"),
            ("The answer is not 7.", "7"),
            ("The answer is more than 7.", "7"),
            ("The answer is 7. No, wait.", "7"),
        ),
        "chat models without a box; GSM8K",
    ),
    "last formula": Rule(
        "the formula that ends the last line, unless the sentence doubts it",
        (("Hence\n$$\nx = 7\n$$", "7"), ("So there are $7$ ways.", "7")),
        (("It is not $7$.", "7"), ("Then $x=7$ and so we must add", "7")),
        "chat models without a box",
    ),
    "bold": Rule(
        "the bold text that ends the last line", (("So we get **7**.", "7"),), (("**7** is wrong", "7"),), "Markdown"
    ),
    "short": Rule(
        "a short response that is nothing but an answer, or a sentence that ends in one",
        (("7", "7"), ("So Ann has 7 apples.", "7"), ("Hence x = 7.", "7")),
        (("6+1=7, then", "7"), ("We get 5 and 7", "7"), ("Is it 7?", "7"), ("Step 7", "7")),
        "base models",
    ),
}

COMPARING = {
    "same writing": Rule(
        "the same but for layout, fonts, colours, spaces, the end of a sentence, and the case of words",
        ((r"\color{red}{\dfrac12}", r"\frac{1}{2}"), (r"\text{Answer: }5.", "5"), (r"3\nmid n", r"3 \nmid n")),
        (("1 1", "11"), ("3!", "3"), (r"\overline{3}", "3")),
        "wrappers in rollouts",
    ),
    "number": Rule(
        "the same number, exactly: decimals, fractions, mixed numbers, powers of ten, repeating decimals",
        (("5 1/2", "5.5"), (r"0.1\overline{6}", "1/6"), ("1.5e3", "1500"), (r"1\;234.0", "1,234"), ("0.333333", "1/3")),
        (("0.33", "1/3"), ("12,34", "1234"), ("7 3", "73"), ("0.5000001", "0.5")),
        "Math-Verify 14, 21: it compares six decimal places, and adds spaced digits",
    ),
    "expression": Rule(
        "math-verify's verdict on two expressions, and 1e-12 of their size for numbers",
        (("sqrt(2)/2", r"\frac{1}{\sqrt2}"), ("pi/4", r"\frac{\pi}{4}"), ("(1+i)^2", "2i"), ("x**2-1", "(x+1)(x-1)")),
        (("1/2^99", "1/2^98"), ("3t", "3"), ("2i", "2"), ("3^", "3"), ("3.14", r"\pi")),
        "math-verify; TinyV",
    ),
    "unit": Rule(
        "a unit of the table, or a counted noun, which the other side leaves out",
        (
            ("12 cm", "12"),
            ("12", r"12~\mathrm{cm}^2"),
            ("25 students", "25"),
            (r"\$3.50", "3.5"),
            (r"30\degree", "30"),
            ("7个苹果", "7"),
        ),
        (("12 cm", "12 m"), ("3i", "3"), ("3pi", "3"), ("3 or 4", "3"), ("7 remainder 3", "7"), ("3 dozen", "3")),
        "labels of DeepScaleR, ORZ and Big-Math",
    ),
    "percent": Rule(
        "50 % is 50 and 0.5 for a label without a percent sign, and the other way round",
        ((r"50\%", "50"), ("0.5", r"50\%")),
        ((r"50\%", r"0.5\%"), (r"5\%", "50"), ("50", "0.5")),
        "Big-Math",
    ),
    "words": Rule(
        "the same words without regard to case; two ways to say all real numbers, or no solution",
        ((r"\text{no real solutions}", "no solution"), ("all reals", r"\text{all real numbers}")),
        (("Amy", "May"), ("AMY", "MAY"), (r"\text{not possible}", "possible"), (r"\text{Yes or no}", "yes")),
        "math-verify reads words as products of letters",
    ),
    "choice": Rule(
        "one letter, alone or before its text; the text where the label gives both",
        (("B) 12", "B"), (r"\textbf{(B)}\ 12", "B"), ("option B", "B"), ("12", r"\textbf{(B)}\ 12")),
        (("B, A", "B"), ("B. C. D.", "B"), ("(B) and (C)", "B"), ("ABCD", "B"), ("not B", "B")),
        "labels of AMC problems; Visual-RFT 79",
    ),
    "choices": Rule(
        "several letters in any order, for a label of several", (("AC", "A, C"),), (("A", "A, C"),), "multiple answers"
    ),
    "name": Rule(
        "x = 5 for 5: the left side names something (x, AB, P(A), m+n) or equals the others, which all agree",
        (("x=5", "5"), ("AB = 5 cm", "5"), ("m+n=5", "5"), ("2^3=8", "8"), ("f(x)=x+1", "x+1"), ("f(1)+f(2)=5", "5")),
        (
            ("x^2+y^2=4", "4"),
            ("x=3=4=5", "5"),
            ("x=5", "y=5"),
            ("2x+4=0", "x=-2"),
            ("x>3", "3"),
            (r"\text{not }x=5", "5"),
        ),
        "math-verify takes an equation for its last side",
    ),
    "approximation": Rule(
        "an exact value with its decimals, for either",
        ((r"2\sqrt2\approx 2.83", r"2\sqrt2"),),
        ((r"3\approx 4", "4"), (r"2\sqrt2\approx 3.5", r"2\sqrt2")),
        "rollouts",
    ),
    "equation": Rule(
        "one a multiple of the other, or the sides exchanged",
        (("6x-2y=4", "3x-y-2=0"), ("x^2=4", "x^2-4=0")),
        (("x+y=3", "x-y=3"), ("0", "2x-4=0"), ("x^2+y^2=4", "x^2+y^2=5")),
        "Math-Verify 60: bare equations are read as their last number",
    ),
    "relation": Rule(
        "the same signs between the same sides, read from either end",
        ((r"2(x+y) \le z", r"2x+2y\le z"), (r"x+y\le z", r"z\ge x+y")),
        ((r"x+y\ge z", r"x+y\le z"),),
        "inequalities in several variables",
    ),
    "set": Rule(
        "the same real numbers as interval, inequality, union, set builder or words",
        (
            ("0<x<1", "(0,1)"),
            (r"x<-1\text{ or }x>2", r"(-\infty,-1)\cup(2,\infty)"),
            (r"\{x\mid x\ne 3\}", r"\mathbb{R}\setminus\{3\}"),
            ("all real numbers except 3", r"x\ne 3"),
        ),
        (
            ("x>1 and x<3", "x>1 or x<3"),
            (r"x\ge 3", r"x>3"),
            ("[0,1]", "(0,1)"),
            (r"x>3\text{ or anything}", "x>3"),
            ("1<y<2", "1<x<2"),
        ),
        "TinyV",
    ),
    "list": Rule(
        "the same values in any order; a set, ± and x_1, x_2 are lists",
        ((r"\{2,1\}", "1,2"), (r"\pm 2", "2,-2"), ("x=1 or x=2", "1,2"), ("x_1=1, x_2=2", "x=1,x=2")),
        (
            ("3", "3,4"),
            ("3,4", "3"),
            (r"\pm 3", "3"),
            ("1,2,3", "1,2"),
            (r"\angle A=1, \angle B=2", r"\angle A=2, \angle B=1"),
        ),
        "math-verify; strict about the number of values",
    ),
    "twice": Rule(
        "one value in two writings",
        ((r"\frac12, 0.5", "0.5"), (r"\frac52 (2.5)", "2.5")),
        ((r"\frac12, \frac13", "1/2"), ("3 (4)", "3")),
        "rollouts",
    ),
    "system": Rule(
        "equations one by one",
        ((r"\begin{cases}x=1\\y=2\end{cases}", "y=2, x=1"),),
        (
            (r"\begin{cases}x=7\\y=2\end{cases}", r"\begin{cases}x=1\\y=2\end{cases}"),
            (r"\begin{cases}x=1\\y=2\end{cases}", "2"),
        ),
        "math-verify reads a system as its last number",
    ),
    "tuple": Rule(
        "the same values in the same order: points, vectors, x=1, y=2 for (1,2)",
        (("x=1, y=2", "(1,2)"), (r"\langle 1,2\rangle", "(1,2)")),
        (("(2,1)", "(1,2)"), (r"\{1,2\}", "(1,2)"), (r"\langle 1,2,9\rangle", r"\langle 1,2,3\rangle")),
        "math-verify cannot read angle brackets",
    ),
    "matrix": Rule(
        "cell by cell, whatever the brackets; a column for a vector",
        ((r"\begin{bmatrix}1&2\\3&4\end{bmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),),
        ((r"\begin{pmatrix}1&3\\2&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),),
        "Math-Verify 2",
    ),
    "cases": Rule(
        "each value with its condition",
        ((r"\begin{cases}x,&\text{if }x>0\\-x,&x\le 0\end{cases}", r"\begin{cases}x&x>0\\-x&x\le 0\end{cases}"),),
        ((r"\begin{cases}x^3&x>0\\-x&x\le 0\end{cases}", r"\begin{cases}x&x>0\\-x&x\le 0\end{cases}"),),
        "functions by cases",
    ),
    "family": Rule(
        "the same numbers for all integers: any letter, offset by whole periods",
        ((r"\frac{\pi}{6}+n\pi,\ n\in\mathbb{Z}", r"\frac{7\pi}{6}+k\pi, k\in\mathbb{Z}"),),
        ((r"k\pi,\ k\in\mathbb{Z}", r"2k\pi,\ k\in\mathbb{Z}"),),
        "labels of trigonometric equations",
    ),
    "remainder": Rule(
        "the same remainder and modulus, as written",
        ((r"\frac62 \pmod 7", r"3\pmod{7}"),),
        ((r"3\pmod 7", "3"), (r"3\pmod 7", r"3\pmod 8")),
        "number theory",
    ),
    "base": Rule(
        "the same digits in the same base, which the answer may leave out",
        ((r"1347_{\text{eight}}", "1347_8"), ("1347", "1347_8")),
        (("1347_7", "1347_8"), ("101_2", "101")),
        "math-verify drops the base",
    ),
    "ratio": Rule("the same ratio, or its quotient", (("6:8", "3:4"), ("3:4", "3/4")), (("4:3", "3:4"),), "ratios"),
    "time": Rule(
        "the same hour and minute",
        (("09:05", "9:05"),),
        (("9:05", "9:50"), ("20:00", "20")),
        "math-verify divides them",
    ),
}


def table(rules: dict[str, Rule]) -> str:
    """Markdown: one row a rule."""

    def shown(pairs: tuple[tuple[str, str], ...]) -> str:
        cells = (f"`{answer}` for `{label}`".replace("|", r"\|").replace("\n", "⏎") for answer, label in pairs)
        return "<br>".join(cells)

    rows = [
        f"| {name} | {rule.what} | {shown(rule.accepts)} | {shown(rule.never)} | {rule.source} |"
        for name, rule in rules.items()
    ]
    return "\n".join(
        ["| rule | what it accepts | such as | never | where it comes from |", "| --- | --- | --- | --- | --- |", *rows]
    )


if __name__ == "__main__":
    print(table(FINDING), table(COMPARING), sep="\n\n")
