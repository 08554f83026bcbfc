import pytest

from openrlhf_unlearn.grading.extract import boxed_answer, find_answer, last_choice, last_number


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"\boxed{a} so \boxed{\frac{1}{2}} tail", r"\frac{1}{2}"),
        (r"$\boxed{3}$ and $\boxed{4}$", "3, 4"),
        (r"$\boxed{3}$, $\boxed{4}$", "3, 4"),
        (r"\boxed{3} \boxed{4}", "4"),
        (r"\boxed{\boxed{5}}", r"\boxed{5}"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\boxed{\begin{pmatrix}1\\2\end{pmatrix}}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
        (r"\boxed {7}", "7"),
        (r"\fbox{7}", "7"),
        (r"\boxed{1} then \boxed{2", None),
        (r"\boxed{}", None),
        ("none", None),
    ],
)
def test_the_last_box(response, answer):
    assert boxed_answer(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"The answer is 3, no: \boxed{4}", "4"),
        ("The answer is 12.", "12"),
        ("So 5 is out.\n**Final Answer:** $x=3$", "x=3"),
        ("The final answer is $x=1$ or $x=2$.", r"x=1 \text{ or } x=2"),
        ("The answer is $k! - 1$ because $k>2$.", "k! - 1"),
        ("#### 1,234", "1,234"),
        ("Step 1 gives $3$.\nHence $4$ and $5$.", "4, 5"),
        ("<think>perhaps \\boxed{9}</think>The answer is 8.<|im_end|>", "8"),
        ("12", "12"),
        ("16 cm", "16 cm"),
        ("So Mason has 16 bills.", "16 bills"),
        (r"Hence the value is 3\pi.", r"3\pi"),
        ("Hence x = 5.", "x = 5"),
        ("I do not know", None),
        ("Let us see. " * 60 + "First we add 3 and 4 to get 7", None),
        ("", None),
        ("<eos>", None),
    ],
)
def test_where_the_answer_stands(response, answer):
    assert find_answer(response) == answer


@pytest.mark.parametrize(
    "piece", [" ", "\n", "$", "$$", "\\\\[", "\\\\(", "\\", "{", r"\boxed{", "$1$ and ", "answer ", "1,", "<eos>"]
)
def test_any_text_takes_linear_time(piece):
    """Quadratic, each of these would take minutes."""
    for text in (piece * 50_000, "x" + piece * 50_000 + "7"):
        for find in (find_answer, boxed_answer, last_choice, last_number):
            found = find(text)
            assert found is None or len(found) <= len(text)


def test_last_number_and_choice():
    assert last_number("from 3 to -1,234.5 m") == "-1,234.5"
    assert last_number("x2y") is None
    assert last_choice("A is wrong, so (C).") == "C"
    assert last_choice("(b)") == last_choice("b.") == "B"
    assert last_choice("nothing") is None
    assert last_number("\N{MINUS SIGN}3") == "-3"
