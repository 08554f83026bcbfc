"""The host's data set as rows of prompts; the id of a prompt with images names their content too."""

from openrlhf_unlearn.collect.images import image_digests
from openrlhf_unlearn.collect.prompts import Prompt
from openrlhf_unlearn.store.run_dir import prompt_id


def prompt_rows(dataset) -> list[Prompt]:
    """The host's PromptDataset, row by row, in its order. Raises UserError for an image that cannot be read."""
    columns = zip(dataset.prompts, dataset.labels, dataset.images, dataset.datasources, strict=True)
    return [
        Prompt(prompt_id(text, label, image_digests(images)), text, label, source, images)
        for text, label, images, source in columns
    ]
