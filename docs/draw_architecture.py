"""Draw the packages in their layers and the imports between them, from the code.

    python docs/draw_architecture.py             # writes docs/architecture.svg
    python docs/draw_architecture.py --check     # exits with status 1 when the picture is out of date

Rows are the layers of the import contract in `pyproject.toml`. Arrows are the imports between packages; one that
follows from others is left out (`cli` imports `errors`, but so does all that lies between). Edges that span several
rows pass between the boxes of those rows, which are ordered so that few edges cross.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "architecture.svg"
PACKAGE = "faket_dask"

BOX_WIDTH, BOX_HEIGHT, ROW_HEIGHT = 118, 30, 66
BOX_GAP, WAYPOINT_GAP, MARGIN = 26, 16, 20
SWEEPS = 24
"""Passes that reorder the rows, up and down in turn; more change nothing."""

BACKGROUND, INK, EDGE = "#ffffff", "#1f2933", "#9aa5b1"
DASK_FILL, PLAIN_FILL = "#fde3c8", "#e3ecf5"

Edge = tuple[str, str]


class Waypoint(NamedTuple):
    """Place of an edge in a row that it only passes through."""

    edge: Edge
    row: int


Node = str | Waypoint


def read_layers(pyproject: Path) -> list[list[str]]:
    """Return the packages of every layer, the highest layer first, from the import contract."""
    document = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    contracts = document["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [[name.strip().removeprefix(f"{PACKAGE}.") for name in layer.split("|")] for layer in layers]


def read_imports() -> tuple[set[Edge], set[str]]:
    """Return the imports between packages, and the packages that import Dask."""
    import grimp

    graph = grimp.build_graph(PACKAGE, include_external_packages=True, cache_dir=None)
    packages = graph.find_children(PACKAGE)
    for package in packages:
        if graph.find_descendants(package):
            graph.squash_module(package)
    short = {package: package.removeprefix(f"{PACKAGE}.") for package in packages}
    edges, dask_users = set(), set()
    for package, name in short.items():
        imported = graph.find_modules_directly_imported_by(package)
        edges |= {(name, short[module]) for module in imported if module in short and module != package}
        if imported & {"dask", "distributed", "dask_jobqueue"}:
            dask_users.add(name)
    return edges, dask_users


def remove_implied(edges: Collection[Edge]) -> set[Edge]:
    """Return the edges without those that a path of other edges already stands for.

    Examples
    --------
    >>> sorted(remove_implied({("a", "b"), ("b", "c"), ("a", "c")}))
    [('a', 'b'), ('b', 'c')]
    """
    targets: dict[str, set[str]] = {}
    for source, target in edges:
        targets.setdefault(source, set()).add(target)

    def reachable(start: Iterable[str]) -> set[str]:
        reached, pending = set(), list(start)
        while pending:
            node = pending.pop()
            if node not in reached:
                reached.add(node)
                pending.extend(targets.get(node, ()))
        return reached

    return {
        (source, target) for source, target in edges if target not in reachable(targets[source] - {target})
    }


def arrange(layers: Sequence[Sequence[str]], edges: Collection[Edge]) -> dict[Node, float]:
    """Return the horizontal centre of every node and waypoint, each near those it is connected with.

    Every edge that passes a row has a waypoint there. Rows are first put into an order with few crossings (each node at
    the mean place of its neighbours in the next row), then their nodes are moved, in that order, towards their
    neighbours, which straightens the edges.
    """
    row_of = {name: row for row, layer in enumerate(layers) for name in layer}
    rows: list[list[Node]] = [list(layer) for layer in layers]
    above: dict[Node, list[Node]] = {}
    below: dict[Node, list[Node]] = {}
    for edge in sorted(edges, key=lambda edge: (row_of[edge[0]], edge)):
        chain = route(edge, row_of)
        for waypoint in chain[1:-1]:
            assert isinstance(waypoint, Waypoint)
            rows[waypoint.row].append(waypoint)
        for upper, lower in itertools.pairwise(chain):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    places = {node: float(index) for row in rows for index, node in enumerate(row)}
    for sweep in range(SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        for row in rows if neighbours is above else reversed(rows):
            row.sort(key=lambda node: (_mean_place(node, neighbours.get(node, []), places), str(node)))
            places |= space_nodes(row, [0.0] * len(row))
    for _ in range(SWEEPS):
        for row in rows:
            near = [above.get(node, []) + below.get(node, []) for node in row]
            places |= space_nodes(row, [_mean_place(n, ns, places) for n, ns in zip(row, near, strict=True)])
    return places


def route(edge: Edge, row_of: Mapping[str, int]) -> list[Node]:
    """Return the nodes that an edge connects, from its source through its waypoints to its target."""
    source, target = edge
    between = range(row_of[source] + 1, row_of[target])
    return [source, *(Waypoint(edge, row) for row in between), target]


def space_nodes(row: Sequence[Node], desired: Sequence[float]) -> dict[Node, float]:
    """Return places of a row's nodes in their order, near the desired ones, with room between them."""
    widths = [BOX_WIDTH + BOX_GAP if isinstance(node, str) else WAYPOINT_GAP for node in row]
    gaps = [(a + b) / 2 for a, b in itertools.pairwise(widths)]
    from_left, from_right = list(desired), list(desired)
    for i, gap in enumerate(gaps):
        from_left[i + 1] = max(from_left[i + 1], from_left[i] + gap)
    for i, gap in reversed(list(enumerate(gaps))):
        from_right[i] = min(from_right[i], from_right[i + 1] - gap)
    return {node: (a + b) / 2 for node, a, b in zip(row, from_left, from_right, strict=True)}


def _mean_place(node: Node, neighbours: Sequence[Node], places: Mapping[Node, float]) -> float:
    near = [places[neighbour] for neighbour in neighbours] or [places[node]]
    return sum(near) / len(near)


def draw(
    layers: Sequence[Sequence[str]],
    edges: Collection[Edge],
    violations: Collection[Edge],
    dask_users: Collection[str],
) -> str:
    """Return the picture as SVG.

    Parameters
    ----------
    layers
        Packages of every layer, the highest layer first.
    edges
        Imports that are drawn, each from a layer to a lower one.
    violations
        Imports within a layer or of a higher one, which the contract refuses; drawn in red.
    dask_users
        Packages that import Dask, drawn in another colour.
    """
    places = arrange(layers, edges)
    left = min(places.values()) - BOX_WIDTH / 2 - MARGIN
    width = max(places.values()) + BOX_WIDTH / 2 + MARGIN - left
    height = (len(layers) - 1) * ROW_HEIGHT + BOX_HEIGHT + 2 * MARGIN + 44
    row_of = {name: row for row, layer in enumerate(layers) for name in layer}

    def centre(node: Node) -> tuple[float, float]:
        row = row_of[node] if isinstance(node, str) else node.row
        return places[node] - left, MARGIN + BOX_HEIGHT / 2 + row * ROW_HEIGHT

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="Helvetica, Arial, sans-serif" font-size="13">',
        f"<title>Packages of {PACKAGE} in their layers, and the imports between them</title>",
        f'<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{EDGE}"/></marker></defs>',
        f'<rect width="100%" height="100%" fill="{BACKGROUND}"/>',
    ]
    for edge in sorted(edges):
        points = [centre(node) for node in route(edge, row_of)]
        path = _curve(points)
        lines.append(
            f'<path d="{path}" fill="none" stroke="{EDGE}" stroke-width="1.3" marker-end="url(#head)">'
            f"<title>{escape(' imports '.join(edge))}</title></path>"
        )
    for source, target in violations:
        (x0, y0), (x1, y1) = centre(source), centre(target)
        lines.append(
            f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" stroke="#d62728" stroke-dasharray="5 3">'
            f"<title>{escape(f'{source} imports {target} against the contract')}</title></path>"
        )
    for name in row_of:
        x, y = centre(name)
        fill = DASK_FILL if name in dask_users else PLAIN_FILL
        lines.append(
            f'<rect x="{x - BOX_WIDTH / 2:.1f}" y="{y - BOX_HEIGHT / 2:.1f}" width="{BOX_WIDTH}" '
            f'height="{BOX_HEIGHT}" rx="5" fill="{fill}" stroke="{INK}" stroke-width="1"/>'
        )
        lines.append(
            f'<text x="{x:.1f}" y="{y + 4.5:.1f}" text-anchor="middle" fill="{INK}">{escape(name)}</text>'
        )
    for line, text in enumerate(
        (
            '<tspan fill="#c2630a">■</tspan> imports Dask   <tspan fill="#5b7fa6">■</tspan> does not',
            "Arrows point at what is imported; those that follow from others are left out.",
        )
    ):
        y = height - MARGIN - 14 + 18 * line
        lines.append(f'<text x="{MARGIN}" y="{y:.1f}" font-size="12" fill="{INK}">{text}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _curve(points: Sequence[tuple[float, float]]) -> str:
    """Return the path of an edge: from the lower side of a box down to the upper side of another."""
    (x, y), (end_x, end_y) = points[0], points[-1]
    stops = [(x, y + BOX_HEIGHT / 2)]
    for x, y in points[1:-1]:
        stops += [(x, y - BOX_HEIGHT / 2), (x, y + BOX_HEIGHT / 2)]
    stops.append((end_x, end_y - BOX_HEIGHT / 2 - 1))
    path = f"M{stops[0][0]:.1f} {stops[0][1]:.1f}"
    for (x0, y0), (x1, y1) in itertools.pairwise(stops):
        middle = (y0 + y1) / 2
        path += f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
    return path


def render() -> str:
    """Return the picture of the code as it is.

    Raises
    ------
    ValueError
        When a package has no layer in the contract.
    """
    layers = read_layers(ROOT / "pyproject.toml")
    edges, dask_users = read_imports()
    row_of = {name: row for row, layer in enumerate(layers) for name in layer}
    packages = {name for edge in edges for name in edge}
    if homeless := sorted(packages - row_of.keys()):
        raise ValueError(f"add to a layer of the import contract in pyproject.toml: {', '.join(homeless)}")
    downward = {edge for edge in edges if row_of[edge[0]] < row_of[edge[1]]}
    return draw(layers, remove_implied(downward), sorted(edges - downward), dask_users)


def main() -> None:
    """Write the picture, or compare it with the one that is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare only")
    if not parser.parse_args().check:
        PICTURE.write_text(render(), encoding="utf-8")
    elif PICTURE.read_text(encoding="utf-8") != render():
        sys.exit(f"{PICTURE} is out of date: run `make architecture`")


if __name__ == "__main__":
    main()
