import argparse
import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import openrlhf_unlearn
from openrlhf_unlearn.cli.verbs import VERBS
from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.options import Options, add_options, nested, option, read_options, takes
from openrlhf_unlearn.store.run_dir import RunDir
from tests.words import parsed


@dataclass(frozen=True)
class Place(Options):
    most: int = option("at most", 8)


@dataclass(frozen=True)
class Made(Options):
    runs: Sequence[str] = option("several", positional=True, metavar="RUN")
    tau: float = option("a number", 0.1)
    n: int = option("a short flag", 32, flag="-n")
    output: Path | None = option("optional", None)
    offline: bool = option("a switch", False)
    keep: bool = option("a switch that is on", True)
    chat: bool | None = option("a switch that may be unset", None)
    kind: str = option("a choice", "a", choices=("a", "b"))
    names: tuple[str, ...] | None = option("several or none", None)
    both: tuple[int, int] | None = option("two or none", None, nargs=2)
    place: Place = nested("a place", Place())

    def check(self) -> None:
        if self.tau > 1:
            raise UsageError("--tau is above 1")


@takes(Made)
def doubled(options: Made) -> float:
    """Twice tau."""
    return 2 * options.tau


def test_defaults_are_those_of_the_class():
    assert parsed(Made, "a", "b") == Made(("a", "b"))


def test_every_kind_of_flag_is_read_by_its_type():
    words = [
        "a",
        "--tau",
        "0.5",
        "-n",
        "3",
        "--output",
        "o",
        "--offline",
        "--no-keep",
        "--chat",
        "--kind",
        "b",
        "--names",
        "x",
        "y",
    ]
    assert parsed(Made, *words) == Made(("a",), 0.5, 3, Path("o"), True, False, True, "b", ("x", "y"))


def test_what_the_class_refuses_the_command_line_refuses():
    with pytest.raises(UsageError, match="--tau"):
        parsed(Made, "a", "--tau", 2)
    with pytest.raises(UsageError, match="--tau"):
        doubled(("a",), tau=2)


def test_a_verb_takes_its_options_or_their_fields():
    assert doubled(Made(("a",), 0.2)) == doubled(("a",), 0.2) == doubled(runs=("a",), tau=0.2) == 0.4
    assert doubled.__doc__ == "Twice tau."


def test_what_python_gives_is_taken_as_the_field_has_it():
    """As a command line means it: one text is one run, not its letters; a text is a path where one is asked for."""
    assert Made("abc") == Made(["abc"]) == Made(name for name in ["abc"]) == Made(Path("abc")) == Made(RunDir("abc"))
    made = Made("a", output="o.json", n=np.int64(3), tau=np.float32(0.5), both=[1, 2])
    assert made == Made(("a",), 0.5, 3, Path("o.json"), both=(1, 2))
    assert type(made.n) is int and type(made.tau) is float
    assert type(Made("a", tau=1).tau) is int, "as it was given: files that hold it stay as they are"


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"runs": ()}, "RUN: give at least one"),
        ({"runs": [1]}, "RUN 1: give a text"),
        ({"runs": None}, "RUN None: give a text"),
        ({"tau": "0.1"}, "--tau '0.1': give a number"),
        ({"tau": float("nan")}, "--tau nan: give a finite number"),
        ({"tau": True}, "--tau True: give a number"),
        ({"tau": None}, "--tau None: give a number"),
        ({"n": 2.0}, "-n 2.0: give a whole number"),
        ({"n": -1}, "-n -1: must not be negative"),
        ({"offline": 1}, "--offline 1: give True or False"),
        ({"output": 5}, "--output 5: give a path"),
        ({"kind": "x"}, "--kind x: choose from a, b"),
        ({"both": (1,)}, "--both: give 2, not 1"),
        ({"place": "here"}, "place 'here': give a Place"),
        ({"place": {"most": 3}}, "place {'most': 3}: give a Place"),
        ({"tua": 0.1}, "doubled: got an unexpected keyword argument 'tua'; it takes runs, tau, n, output"),
    ],
)
def test_what_is_of_another_type_or_unknown_is_refused_in_a_line(fields, message):
    with pytest.raises(UsageError) as refused:
        doubled(**{"runs": ("a",), **fields})
    assert str(refused.value).startswith(message)


def test_a_float_may_be_negative_however_it_is_written():
    assert Made("a", tau=-1).tau == -1


def test_a_verb_shows_its_fields():
    assert str(inspect.signature(doubled)).startswith("(runs: collections.abc.Sequence[str], tau: float = 0.1, ")
    assert inspect.signature(doubled).return_annotation is float
    for verb in (openrlhf_unlearn.probe, openrlhf_unlearn.transfer):  # packages that are called
        assert "run" in inspect.signature(verb).parameters


def test_a_place_that_may_stay_empty_has_its_default():
    @dataclass(frozen=True)
    class Goes:
        folder: str = option("where it goes", "here", positional=True, nargs="?")

    assert parsed(Goes) == Goes("here") and parsed(Goes, "there") == Goes("there")


def test_options_that_verbs_share_have_a_prefix_and_defaults_of_the_verbs_own():
    @dataclass(frozen=True)
    class Place:
        base_url: str | None = option("where", None)
        most: int = option("at most", 8)

    @dataclass(frozen=True)
    class Asks:
        one: Place = nested("the one", Place())
        other: Place = nested("the other", Place(most=4), prefix="other_")

    assert parsed(Asks) == Asks() == Asks(Place(None, 8), Place(None, 4))
    assert parsed(Asks, "--base-url", "a", "--other-base-url", "b", "--most", "2") == Asks(Place("a", 2), Place("b", 4))


def test_a_required_flag_is_required():
    @dataclass(frozen=True)
    class Needs:
        model: str = option("needed")

    parser = argparse.ArgumentParser(exit_on_error=False)
    add_options(parser, Needs)
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert read_options(Needs, parser.parse_args(["--model", "m"])) == Needs("m")


def test_every_field_of_every_verb_has_a_help_text_and_its_own_name():
    import dataclasses
    import typing

    for options in [importlib.import_module(module).OPTIONS for module, _ in VERBS.values()]:
        fields = dataclasses.fields(options)
        assert issubclass(options, Options) and "__post_init__" not in vars(options), f"{options} is not checked"
        assert all(field.metadata["help"] for field in fields), options
        # A field that two classes share takes the name that the later one gives it.
        assert {field.name for field in fields} <= typing.get_type_hints(options).keys(), options
