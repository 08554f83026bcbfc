r"""Over two hundred answers that hang, crash, flood or attack a grader; a few are even right for the label 7."""

from pathlib import Path


def boxed(*formulas: str) -> list[str]:
    return [rf"\boxed{{{formula}}}" for formula in formulas]


def towers() -> list[str]:
    """Numbers that no machine can hold."""
    powers = [
        "9^{9^{9^9}}",
        "10^{10^{10^{10}}}",
        "2^{2^{2^{2^{2^2}}}}",
        "(9^9)^{(9^9)^9}",
        "7^{7^{7^{7}}}",
        "99999999^{99999999}",
    ]
    factorials = ["99999999!", "((20!)!)!", r"\binom{10^9}{5\cdot 10^8}", "(10^{10})!", r"\binom{99999999}{44444444}"]
    sums = [
        r"\sum_{n=1}^{10^{12}} n^{n}",
        r"\prod_{k=1}^{10^9} k",
        r"\int_0^\infty x^{x^{x}} dx",
        r"\lim_{n\to\infty} n^{n^n}/n!",
    ]
    others = [
        r"\sqrt[10^{99}]{2^{10^{99}}}",
        r"\log_{2}(2^{9^{9^9}})",
        r"\gcd(9^{9^{9}},3)",
        r"9^{9^{9^9}} \mod 7",
        r"\sin(9^{9^{9^9}})",
    ]
    hidden = [  # what a cheap look at the formula does not show
        r"\frac{9^{9^{9^9}}}{9^{9^{9^9}}}\cdot 7",
        "9^{9^{9^9}}-9^{9^{9^9}}+7",
        "7+0^{9^{9^{9^9}}}",
        "1e999999999",
        "1e-999999999",
        "7,9^{9^{9^9}}",
        "(7,9^{9^{9^9}})",
        r"x=9^{9^{9^9}}",
        r"x>9^{9^{9^9}}",
        r"9^{9^{9^9}}\%",
        r"0.\overline{" + "142857" * 500 + "}",
        r"\begin{pmatrix}9^{9^{9^9}}&1\\1&7\end{pmatrix}",
        "(x+y+z+w)^{500}",
        "(x+1)^{99999}",
        r"\sqrt{2}^{\sqrt{2}^{\sqrt{2}^{99999999}}}",
        r"\sin(10^{10^{8}})",
        r"\zeta(99999999)",
        r"|9^{9^{9^9}}|",
        "3^{3^{3^{3}}}_7",
        r"2^{10^7} \bmod 9^{10^7}",
    ]
    return boxed(*powers, *factorials, *sums, *others, *hidden)


def deep() -> list[str]:
    """Nesting and length that exhaust a stack or a regular expression."""
    kinds = [
        lambda n: "(" * n + "1" + ")" * n,
        lambda n: r"\frac{1}{" * n + "2" + "}" * n,
        lambda n: r"\sqrt{" * n + "2" + "}" * n,
        lambda n: "x^{" * n + "2" + "}" * n,
        lambda n: "-" * n + "7",
        lambda n: r"\left(" * n + "7" + r"\right)" * n,
        lambda n: "1+" * n + "1",
        lambda n: "1," * n + "1",
        lambda n: "x=" * n + "7",
        lambda n: "|" * n + "7" + "|" * n,
        lambda n: r"\begin{pmatrix}" * n + "7" + r"\end{pmatrix}" * n,
        lambda n: r"\text{" * n + "7" + "}" * n,
        lambda n: "$" * n + "7" + "$" * n,
        lambda n: "7!" + "!" * n,
        lambda n: r"1\pm" * n + "1",
        lambda n: r"[0,1)\cup" * n + "[2,3)",
        lambda n: "x<" * n + "7",
    ]
    return boxed(*(kind(n) for kind in kinds for n in (20, 200, 2_000)))


def huge() -> list[str]:
    """Long numbers and megabytes."""
    million = 10**6
    texts = ["9" * million, "x" * million, "{" * million, "}" * million, "\\" * million, "$" * million, " " * million,
             r"\boxed{" * 100_000, r"\boxed{7" + " " * million, "the answer is " * 70_000, r"\frac{1}{" * 100_000,
             "1+" * (million // 2) + "1", "€" * million, "answer: " + "9" * million, "\n" * million]  # fmt: skip
    return texts + boxed(
        "9" * 5_000, "9" * 5_000 + "/3", "0." + "3" * 5_000, "1" + "0" * 10_000, "9" * 400 + "^{99999}"
    )


MALFORMED = r"""
\frac{1} \frac \frac{}{} \sqrt[ \sqrt[]{} ^ _ ^^ __ { } {}{}{} 1^ ^1 1_ \left( \right) \begin{pmatrix} \end{pmatrix} $
$$
\begin{pmatrix}1&2\\3\end{pmatrix} \begin{cases}x\end{cases} $1$2$ \ \\ \\\\ \text{ \text \unknowncommand{1} & # % %7 ~
\def\x{\x\x}\x \newcommand{\a}{\a\a}\a 1/0 0/0 0^0 \infty-\infty \frac{0}{0} \log{0} \log_{1}2 () [] [1, (1, 1,,2 , = ==
x==7x < <> 1<2< x< ! !! !7 / // + +- * ** : :: ; | || ' " `
"""
STRANGE = "Ⅷ ८ ٨ 𝟠 ⑧ х+8 ⅼ2 ８ ８／９ ⁸ ₈ 𝑥 ∑ ∫ ⊕ İ ß ﬁ 八 \U0001f600"
CONTROL = [
    "\x00",
    "7\x00",
    "\x1b[31m8",
    "\x07",
    "\r\n8",
    "\u202e8",
    "\u200b8",
    "\ufeff8",
    "\ud800",
    "8\udfff",
    "8\u0301",
]


def malformed() -> list[str]:
    return boxed(*MALFORMED.split())


def strange() -> list[str]:
    """Control characters, look-alikes, odd encodings."""
    return boxed(*STRANGE.split(), *CONTROL, "\u2028", "\u0085", "\x7f")


def attacks(sentinel: Path) -> list[str]:
    """Python in the place of mathematics: if any of it runs, the sentinel file appears."""
    touch = f"open('{sentinel}','w').write('x')"
    shell = f"__import__('os').system('touch {sentinel}')"
    wrapped = ["exec(%r)", "eval(%r)", "sympify(%r)", "S(%r)", "parse_expr(%r)", "compile(%r,'','exec')"]
    called = [
        "(lambda: %s)()",
        "[%s for x in [1]][0]",
        "Symbol(%s)",
        "lambdify(x, %s)(1)",
        "1 if %s else 2",
        "print(%s)",
    ]
    codes = [touch, shell, *(frame % touch for frame in wrapped), *(frame % shell for frame in called)]
    codes += [
        "quit()",
        "os._exit(0)",
        "raise SystemExit",
        "while True: pass",
        "().__class__.__bases__[0].__subclasses__()",
    ]
    frames = [r"\boxed{%s}", "%s", "$%s$", "The answer is %s", r"\boxed{\text{%s}}", r"\boxed{\operatorname{%s}(1)}"]
    return [frame % code for code in codes for frame in frames]


def corpus(sentinel: Path) -> list[str]:
    return [*towers(), *deep(), *huge(), *malformed(), *strange(), *attacks(sentinel)]
