"""The id of a prompt with images names what is in them; that of a text prompt stays what it always was."""

import base64
import io

import pytest
from PIL import Image

from openrlhf_unlearn.collect.images import image_digests
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host.training.marks import id_number, marked_ids
from openrlhf_unlearn.store.run_dir import prompt_id


def png(colour) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(target, "png")
    return target.getvalue()


def test_ids_of_text_prompts_stay():
    assert prompt_id("1+1=", "2") == "15c4b21b841ff37f"
    for none in (None, [], [None], ()):
        assert prompt_id("1+1=", "2", image_digests(none)) == prompt_id("1+1=", "2")


def test_one_image_has_one_id_as_path_bytes_base64_and_undecoded_row(tmp_path):
    content = png("red")
    (tmp_path / "a.png").write_bytes(content)
    (tmp_path / "renamed.png").write_bytes(content)
    text = base64.b64encode(content).decode()
    forms = [str(tmp_path / "a.png"), str(tmp_path / "renamed.png"), content, f"data:image/png;base64,{text}",
             {"bytes": content, "path": None}, {"bytes": None, "path": str(tmp_path / "a.png")}]  # fmt: skip
    assert len({image_digests([form]) for form in forms} | {image_digests(form) for form in forms}) == 1


def test_other_images_other_numbers_and_other_orders_are_other_prompts(tmp_path):
    red, blue = png("red"), png("blue")
    rows = [[red], [blue], [red, red], [red, blue], [blue, red], ["https://host/a.png"], ["https://host/b.png"], []]
    assert len({prompt_id("what?", "x", image_digests(row)) for row in rows}) == len(rows)


def test_decoded_images_are_told_apart_by_their_pixels():
    one, same, other = (Image.new("RGB", (8, 8), colour) for colour in ("red", "red", "blue"))
    assert image_digests([one]) == image_digests(same) != image_digests([other])
    assert image_digests(Image.new("RGB", (4, 16), "red")) != image_digests(one)


@pytest.mark.parametrize(
    ("image", "message"), [("nowhere.png", r"image nowhere.png cannot be read"), (3.5, "of the type float")]
)
def test_an_image_that_cannot_be_read_is_named(image, message):
    with pytest.raises(UserError, match=message):
        image_digests([image])


def test_an_id_survives_as_a_number_in_a_tensor():
    import torch

    ids = ["0000000000000000", "7fffffffffffffff", "8000000000000000", "ffffffffffffffff", prompt_id("a", "b")]
    column = torch.tensor([id_number(name) for name in ids])
    assert marked_ids({"unlearn_id": column}) == ids
    assert marked_ids({"unlearn_id": list(column)}) == ids
