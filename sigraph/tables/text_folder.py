"""A folder of texts as samples: a file a sample, called by its name; folders within are a column of classes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from sigraph.files.free_memory import free_memory, refuse_more

TEXT = ".txt"


def is_text_folder(path: Path) -> bool:
    """Whether a folder holds text files, itself or in its folders, and no other files but hidden ones."""
    if not path.is_dir():
        return False
    found = [file for folder in (path, *_folders(path)) for file in _files(folder)]
    return len(found) > 1 and all(file.suffix.lower() == TEXT for file in found)


def read_text_folder(path: Path) -> pa.Table:
    """Columns ``id``, the file's name without its ending, and ``text``; and ``folder``, where they lie in several.

    Where files of different folders have the same name, the id is ``folder/name``.

    Raises:
        ValueError: It holds something else than texts, a text is not UTF-8, or they do not fit into the memory.
    """
    if not is_text_folder(path):
        raise ValueError(
            f"{path} is a folder, and samples are a file (--samples {path / 'samples.csv'}), or a folder of {TEXT} "
            "files alone, each a sample, in it or in a folder for each class"
        )
    folders = _folders(path)
    files = [*_files(path), *(file for folder in folders for file in _files(folder))]
    refuse_more(path, 2 * sum(file.stat().st_size for file in files), free_memory())
    names = [file.stem for file in files]
    if len(set(names)) < len(names):
        names = [file.relative_to(path).with_suffix("").as_posix() for file in files]
    columns = {"id": names, "text": [_text(file) for file in files]}
    if folders:
        columns["folder"] = ["" if file.parent == path else file.parent.name for file in files]
    return pa.table({name: pa.array(cells, pa.large_string()) for name, cells in columns.items()})


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 (byte {error.start}); save the file as UTF-8") from error


def _folders(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))


def _files(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
