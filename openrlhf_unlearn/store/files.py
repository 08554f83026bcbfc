"""Files and folders that appear whole or not at all: they are written aside, then renamed; and JSON."""

import contextlib
import json
import os
import shutil
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.masking import masked

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | float | None"


@contextmanager
def atomic_path(path: Path) -> Generator[Path]:
    """Yield a path beside `path` to write to; it becomes `path` if the block succeeds and is removed if not."""
    aside = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        if _is_device(path) or (path.exists() and not path.is_file()):  # it would be replaced, and not written to
            raise UserError(f"cannot write {path}: it is no file; give the name of a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(aside, os.O_CREAT | os.O_EXCL, 0o666))  # readable to whom the user's umask lets read it
        yield aside
        os.replace(aside, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


@contextmanager
def atomic_folder(path: Path) -> Generator[Path]:
    """Yield an empty folder to fill; it becomes `path`, new or empty, if the block succeeds and is removed if not."""
    target = path.absolute()
    there, above = target.is_dir(), [folder for folder in target.parents if not folder.exists()]
    aside = (target if there else target.parent) / f".{target.name}.{os.getpid()}-{os.urandom(4).hex()}"
    try:
        _check_free(path)
        aside.mkdir(parents=True)
        yield aside
        _check_free(path)  # another command may have been faster
        if there:  # perhaps another file system, or where the user's shell is: it stays
            for made in list(aside.iterdir()):
                made.rename(target / made.name)
        else:
            aside.rename(target)
    except OSError as error:
        if not there:
            _check_free(path)  # faster by a moment
        why = error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror or error  # of many files
        raise UserError(f"cannot write {path}: {why}; free space or choose another folder") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):  # something was put there
            for folder in above:
                folder.rmdir()


@contextmanager
def all_or_none(folder: Path, last: Path) -> Generator[Path]:
    """Yield an empty folder to fill; if the block succeeds its files move to the same places in `folder`, which is
    there, and none of them if not.

    last: a file or folder among them, by which a reader knows that all are there. It moves last, and a folder that was
    not there or is empty moves in one piece: stopped at any moment, the work can be done again.
    """
    aside = folder / f".{folder.name}.{os.getpid()}-{os.urandom(4).hex()}"
    try:
        aside.mkdir()
        yield aside
        _move(aside, folder, last)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}; free space or choose another") from error
    except UserError as error:
        raise UserError(str(error).replace(str(aside), str(folder))) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _move(source: Path, target: Path, last: Path) -> None:
    if source.is_dir():
        with contextlib.suppress(OSError):  # it holds something, or is a link or another disk: that stays
            target.rmdir()
    if source.is_dir() and target.is_dir():
        for held in sorted(source.iterdir(), key=lambda held: last.is_relative_to(target / held.name)):
            _move(held, target / held.name, last)
    elif source.is_dir() or source.stat().st_dev == target.parent.stat().st_dev:
        os.replace(source, target)
    else:
        with atomic_path(target) as copy:
            shutil.copyfile(source, copy)


def _check_free(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(held.name[0] != "." for held in path.iterdir())):
        raise UserError(f"{path} is there already; choose another folder, or delete it")


def _is_device(path: Path) -> bool:
    """/dev/stdout is one too, though it may lead to a file."""
    return path.absolute().parts[1:2] in (("dev",), ("proc",)) and path.absolute().parts[2:3] != ("shm",)


def write_json(path: Path, value: Json) -> None:
    """Write `value` without the secrets that it may hold."""
    with atomic_path(path) as aside:
        aside.write_text(as_json(masked(value)) + "\n", encoding="utf-8", errors="backslashreplace")


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with atomic_path(path) as aside, aside.open("w", encoding="utf-8", errors="backslashreplace") as lines:
        lines.writelines(_json_line(path, row) for row in rows)


def _json_line(path: Path, row: dict[str, Any]) -> str:
    try:
        return json.dumps(row, ensure_ascii=False) + "\n"
    except TypeError as error:
        for name, value in row.items():
            try:
                json.dumps(value)
            except TypeError:
                raise UserError(
                    f"{path}: column {name!r} holds a {type(value).__name__}, which JSON lines cannot hold; make it "
                    "text in the data"
                ) from error
        raise


def as_json(value: Json, margin: str = "\n") -> str:
    """JSON that people can read: indented, but a list without dicts in it is one line, so that columns stay short."""
    inner = f"{margin}  "
    if isinstance(value, dict) and value:
        items = [f"{json.dumps(str(name), ensure_ascii=False)}: {as_json(item, inner)}" for name, item in value.items()]
        return f"{{{inner}{f',{inner}'.join(items)}{margin}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return f"[{inner}{f',{inner}'.join(as_json(item, inner) for item in value)}{margin}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def read_json(path: Path) -> Any:
    """The file's value, without secrets that an older version may have written into it."""
    try:
        return masked(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON ({error}); it was cut off or edited: write it again") from None


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    value: Json = read_json(path)
    if not isinstance(value, dict):
        raise UserError(f"{path} holds no JSON object but {type(value).__name__}; it is of another kind")
    return value


def refuse_links(*folders: Path) -> None:
    """Raise UserError where a folder whose files are replaced or removed is a link: in a received run, to anywhere."""
    for folder in folders:
        if folder.is_symlink():
            raise UserError(
                f"{folder} is a link, and what it leads to would be replaced; remove the link, or analyze --output DIR"
            )


def holds_files(folder: Path) -> bool:
    """Whether anything is in there that a user would see; locks and unfinished files and folders of ours are hidden."""
    visible = (path for path in folder.rglob("*") if path.is_file())
    return any(not any(part[0] == "." for part in path.relative_to(folder).parts) for path in visible)
