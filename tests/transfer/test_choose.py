import numpy as np

from openrlhf_unlearn.transfer.choose import choose_rows


def test_the_best_rows_first_and_controls_of_the_same_size():
    pool = np.array([[0.1, 1], [2, 0], [-1, 0], [1, 5]], np.float32)
    texts = ["12 + 7 =", "lorem ipsum", "12 + 8 =", "dolor sit"]
    found = choose_rows(pool, np.array([[1, 0], [3, 0]], np.float32), texts, ["12 + 9 =", "12 + 3 ="], 2, 0)
    assert found.chosen == [1, 3]
    assert sorted(found.nearest) == [0, 2]
    assert len(set(found.random)) == 2


def test_rows_that_are_predicted_to_harm_are_not_chosen():
    found = choose_rows(np.array([[-1.0], [2], [0]]), np.ones((1, 1)), ["a", "b", "c"], ["d"], 3, 0)
    assert found.chosen == [1] and len(found.random) == len(found.nearest) == 1
