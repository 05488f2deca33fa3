"""Reading of YAML files: one loader, with one clear error for each fault of a file.

It differs from YAML 1.1 where that reads something else than what is written: ``010`` is no octal number, ``24:00:00``
no number to the base of 60, ``no`` not false, and a date no date. All of them are text, which a section takes for the
number or the truth value that it wants.
A key given twice is an error. Size, depth and the repetitions by aliases are bounded before anything is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import ReaderError

from faket_dask.errors import InputError

LARGEST_DOCUMENT = 2 * 2**20
"""Most bytes of a YAML file; the largest sensible run file has a tenth of it."""

MOST_NODES = 500_000
"""Most keys and values of a YAML file, those that aliases repeat counted each time."""

DEEPEST_NESTING = 50
"""Most levels of nesting; a run file has six."""

MOST_FAULTS = 50
"""Most faults of one kind that are listed."""


@dataclass(frozen=True)
class WrittenValue:
    """Value as it is written in a file.

    Parameters
    ----------
    line
        Number of its line, from 1.
    text
        Text of a single value, without quotes; ``None`` for a list or mapping.
    is_plain
        True for a single value without quotes.
    """

    line: int
    text: str | None = None
    is_plain: bool = False


@dataclass(frozen=True, eq=False)
class Document:
    """Content of a YAML file, and where it is written.

    Parameters
    ----------
    content
        Mappings, lists and single values.
    root
        Nodes that it was made from.
    """

    content: Any
    root: yaml.Node | None

    def find(self, place: Sequence[str]) -> WrittenValue | None:
        """Return the value at a place, or what holds it where there is none there.

        Parameters
        ----------
        place
            Keys and indices, as text.
        """
        node, mark = self.root, self.root
        for part in place:
            child = _find_child(node, part)
            if child is None:
                break
            mark, node = child
        if node is None or mark is None:
            return None
        line = mark.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return WrittenValue(line, node.value, not node.style)
        return WrittenValue(line)


def read_document(path: Path, kind: str, advice: str = "") -> Document:
    """Read a YAML file.

    Parameters
    ----------
    path
        File to read, UTF-8.
    kind
        Kind of file, for messages, such as ``"run file"``.
    advice
        Remedy, for messages.

    Raises
    ------
    InputError
        If the file cannot be read, is not valid YAML, too large, or holds a key twice.
    """
    if "\0" in str(path):
        raise InputError(f"cannot read the {kind} {str(path)!r}: no path holds a NUL character")
    try:
        size = path.stat().st_size
        if size > LARGEST_DOCUMENT:
            raise InputError(
                f"the {kind} {path} has {size / 2**20:.1f} MiB, and at most {LARGEST_DOCUMENT / 2**20:g} are read; "
                "name the right file"
            )
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read the {kind} {path}: {reason}{advice and f'; {advice}'}") from None
    return parse_document(text, str(path))


def parse_document(text: str, name: str) -> Document:
    """Read YAML from text.

    Parameters
    ----------
    text
        One YAML document.
    name
        Name of its file, for messages.

    Raises
    ------
    InputError
        As `read_document`; one line for each key that is given twice.

    Examples
    --------
    >>> parse_document("seed: 010", "run.yaml").content
    {'seed': '010'}
    >>> parse_document("seed: 1\\nseed: 2", "run.yaml")
    Traceback (most recent call last):
    faket_dask.errors.InputError: run.yaml: the key 'seed' is given twice, in lines 1 and 2; keep one of them
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return Document(None, None)
        _check_size(root, name)
        repeated = [f"{name}: {fault}" for fault in _find_repeated_keys(root, loader)]
        if repeated:
            raise InputError("\n".join(repeated[:MOST_FAULTS]))
        return Document(loader.construct_document(root), root)
    except yaml.YAMLError as error:
        raise InputError(f"{name} is not valid YAML{_explain(error, text)}") from None
    except RecursionError:
        raise InputError(f"{name} is nested too deeply; at most {DEEPEST_NESTING} levels are read") from None


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    """Loader of plain data, whose numbers are those of anyone but YAML 1.1."""


_MERGE = "tag:yaml.org,2002:merge"
_BOOL = "tag:yaml.org,2002:bool"
_OTHER = (_BOOL, "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OTHER]
    for first, resolvers in _Base.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,99}|0x[0-9a-fA-F]{1,80}|0b[01]{1,99})\Z"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
    ),
    list("-+0123456789."),
)


def _explain(error: yaml.YAMLError, text: str) -> str:
    """Return place and cause of an error, as the rest of a sentence."""
    if isinstance(error, ReaderError):
        index = next((index for index, sign in enumerate(text) if _is_control(sign)), 0)
        line = text.count("\n", 0, index) + 1
        return f" in line {line}: it holds the control character {text[index]!r}; save it as plain text"
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f": {' '.join(str(error).split())}"
    where = f" in line {mark.line + 1}"
    lines = text.splitlines()
    written = lines[mark.line] if mark.line < len(lines) else ""
    problem = str(getattr(error, "problem", ""))
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return f"{where}: it is indented by a tab; indent by spaces"
    if "another document" in problem:
        return f"{where}: a second document begins there (---); keep one"
    if "determine a constructor" in problem:
        return f"{where}: tags such as {problem.split(chr(39))[1].removeprefix('tag:yaml.org,2002:')} are not read"
    if "unhashable" in problem:
        return f"{where}: a key is a list or a mapping; in braces, quote text that has braces of its own"
    if "nesting depth" in problem:
        return f"{where}: it is nested too deeply"
    return f"{where}: {problem}"


def _is_control(sign: str) -> bool:
    return not (sign.isprintable() or sign.isspace() or sign == "\ufeff")


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    for child in node.value if not isinstance(node, yaml.ScalarNode) else ():
        yield from child if isinstance(child, tuple) else (child,)


def _check_size(root: yaml.Node, name: str) -> None:
    """Refuse a tree that is too deep or large, or holds itself."""
    sizes: dict[int, int] = {}  # with all that aliases repeat
    path: set[int] = set()

    def measure(node: yaml.Node) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        line = node.start_mark.line + 1
        if id(node) in path:
            raise InputError(f"{name}: the anchor in line {line} holds an alias of itself; write it out")
        if len(path) >= DEEPEST_NESTING:
            raise InputError(f"{name} is nested deeper than {DEEPEST_NESTING} levels in line {line}")
        path.add(id(node))
        sizes[id(node)] = 1 + sum(measure(child) for child in _children(node))
        path.remove(id(node))
        return sizes[id(node)]

    if measure(root) > MOST_NODES:
        raise InputError(
            f"{name} holds more than {MOST_NODES} values, those that aliases repeat included; name the right file"
        )


def _find_repeated_keys(root: yaml.Node, loader: Any) -> Iterator[str]:
    """Describe each key that a mapping has twice; those that a merge key (<<) brings may be repeated."""
    pending, visited = [root], set()
    while pending:
        node = pending.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        pending += reversed(list(_children(node)))
        if isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                    name, line = str(loader.construct_object(key)), key.start_mark.line + 1
                    if name in lines:
                        where = f"line {line}" if lines[name] == line else f"lines {lines[name]} and {line}"
                        yield f"the key {key.value!r} is given twice, in {where}; keep one of them"
                    lines[name] = line


def _find_child(node: yaml.Node | None, part: str) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the nodes of the key and the value of a key or index."""
    if isinstance(node, yaml.SequenceNode):
        index = int(part) if part.isdigit() else len(node.value)
        return (node.value[index],) * 2 if index < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        for key, value in reversed(node.value):  # what a merge key brought comes first
            if isinstance(key, yaml.ScalarNode) and key.value == part:
                return key, value
    return None
