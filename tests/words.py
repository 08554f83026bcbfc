"""Options as a command line gives them."""

import argparse
from typing import TypeVar

from openrlhf_unlearn.options import add_options, read_options

Options = TypeVar("Options")


def parsed(options: type[Options], *words) -> Options:
    parser = argparse.ArgumentParser()
    add_options(parser, options)
    return read_options(options, parser.parse_args([str(word) for word in words]))
