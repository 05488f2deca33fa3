"""Small specimens in the formats of other programs, written from the descriptions of these formats."""

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import msgpack
import numpy as np

VOXEL_A = 10.0
SHAPE = (26, 90, 40)
"""Voxels (z, y, x): more rows than are read at a time."""
# Balls of a particle in its own frame, in voxels: three arms of different lengths, which no mirror image matches.
ARMS = np.array([[0.0, 0, 0], [5, 0, 0], [0, 7, 0], [0, 0, 4]])


@dataclass(frozen=True)
class Scene:
    """Density and instances (z, y, x) of particles, their centres (x, y, z) in voxels and rotations."""

    density: np.ndarray
    instances: np.ndarray
    centres: np.ndarray
    quaternions: np.ndarray
    """Rotations from particle to specimen, (w, x, y, z)."""
    labels: np.ndarray
    """Label of each particle."""

    @property
    def classes(self) -> np.ndarray:
        return np.concatenate(([0], self.labels))[self.instances].astype(np.int16)


def rotate(quaternion: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Rotate vectors (n, 3) by a quaternion (w, x, y, z): v + 2w(q × v) + 2 q × (q × v)."""
    w, axis = quaternion[0], quaternion[1:]
    cross = np.cross(axis, vectors)
    return vectors + 2 * w * cross + 2 * np.cross(axis, cross)


def make_scene(seed: int = 0) -> Scene:
    """Make five particles of two labels; two of one label touch, and one lies across the blocks that are read."""
    rng = np.random.default_rng(seed)
    centres = np.array([[12, 14, 12], [28, 30, 13], [14, 62.4, 12], [12, 78, 12], [28, 76, 12.0]])
    quaternions = rng.normal(size=(5, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    z, y, x = np.indices(SHAPE)
    distance = np.full((5, *SHAPE), np.inf)
    for number in range(5):
        for ball in centres[number] + rotate(quaternions[number], ARMS):
            here = (x - ball[0]) ** 2 + (y - ball[1]) ** 2 + (z - ball[2]) ** 2
            distance[number] = np.minimum(distance[number], here)
    nearest = distance.min(axis=0)
    instances = np.where(nearest < 3.2**2, distance.argmin(axis=0) + 1, 0)
    density = np.exp(-nearest / 8).astype(np.float32)
    return Scene(density, instances, centres, quaternions, np.array([2, 1, 2, 2, 1]))


def write_mrc(path: Path, volume: np.ndarray, voxel_A: float = VOXEL_A) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(np.ascontiguousarray(volume))
        file.set_volume()
        file.voxel_size = voxel_A


MOTIF_COLUMNS = ["type", "label", "code", "polymer", "x", "y", "z", "q1", "q2", "q3", "q4"]


def write_polnet(folder: Path, scene: Scene, membrane: bool = True) -> None:
    """Write a tomogram as PolNet 1.1 does: a shell of label 3 where there is a membrane."""
    labels = scene.classes.copy()
    rows = [
        ("cprotein", label, f"pdb_{label}abc", 0, *centre * VOXEL_A, *quaternion)
        for label, centre, quaternion in zip(scene.labels, scene.centres, scene.quaternions, strict=True)
    ]
    if membrane:
        z, y, x = np.indices(SHAPE)
        radius = np.sqrt((x - 30) ** 2 + (y - 52) ** 2 + (z - 13) ** 2)
        labels[(abs(radius - 6) < 1.2) & (labels == 0)] = 3
        rows += [("membrane", 3, "sphere", point, 300, 520 + point, 190, 0, 0, 1, 0) for point in range(3)]
    write_mrc(folder / "tomo_001_den.mrc", scene.density)
    write_mrc(folder / "tomo_001_lbl.mrc", labels)
    lines = [
        "\t".join(f"{value:.8g}" if isinstance(value, float) else str(value) for value in row) for row in rows
    ]
    (folder / "tomo_001_motif_list.csv").write_text("\n".join(["\t".join(MOTIF_COLUMNS), *lines]) + "\n")


def write_cryotomosim(folder: Path, scene: Scene) -> None:
    """Write a model of CryoTomoSim and the atlas of a simulation: a bead of label 3 has no list."""
    atlas = scene.classes.copy()
    atlas[10:14, 46:50, 30:34] = 3
    write_mrc(folder / "one_two.mrc", scene.density)
    write_mrc(folder / "sim_dose_60/Atlas.mrc", atlas)
    (folder / "sim_dose_60/Atlas.txt").write_text("background\none\ntwo\nbeads\n")
    for label, name in ((1, "one"), (2, "two")):
        rows = scene.centres[scene.labels == label] + 1
        (folder / f"zcoords_{name}.csv").write_text("".join(f"{x:g},{y:g},{z:g}\n" for x, y, z in rows))


def write_cellpack(folder: Path) -> None:
    """Write a result of cellPACK whose ingredient is made of beads."""
    results = [[[-60.0, 20.5, 0.0], [1, 0, 0, 0]], [[60.0, 0.0, -20.0], [0.6, 0.0, 0.8, 0.0]]]
    entry = {
        "source": {"pdb": "arms.pdb"},
        "positions": [{"coords": (ARMS * 8).ravel().tolist()}],
        "radii": [{"radii": [18] * len(ARMS)}],
        "results": results,
    }
    document = {"recipe": {"name": "root"}, "cytoplasme": {"ingredients": {"arms": entry}}}
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(document))


def write_mesoscale(
    path: Path,
    atoms: np.ndarray,
    matrices: np.ndarray,
    shifts: np.ndarray,
    rows: list[tuple[str, ...]],
    models: tuple[str, ...] = (),
) -> Path:
    """Write a model of a cell: atoms (n, 3) of the chains A and B, operators, and a row of copies each.

    With names of models, every model has the same atoms, and a row its number at the end.
    """
    half, copies = len(atoms) // 2, max(1, len(models))
    place = np.tile(atoms, (copies, 1)).round(3)
    count = len(place)
    chain = np.tile(np.where(np.arange(len(atoms)) < half, "A", "B"), copies)
    tables: dict[str, dict[str, np.ndarray]] = {
        "entity": {
            "id": np.array(["7"]),
            "pdbx_description": np.array(["root.cell.interior.proteins.ARMS"]),
        },
        "atom_site": {
            "type_symbol": np.full(count, "C"),
            "label_asym_id": chain,
            "label_entity_id": np.full(count, "7"),
            **{f"Cartn_{axis}": place[:, index] for index, axis in enumerate("xyz")},
            "pdbx_PDB_model_num": np.repeat(np.arange(1, copies + 1), len(atoms)).astype(str),
        },
        "pdbx_struct_assembly_gen": {
            "assembly_id": np.full(len(rows), "1"),
            "oper_expression": np.array([row[0] for row in rows]),
            "asym_id_list": np.array([row[1] for row in rows]),
        },
        "pdbx_struct_oper_list": {
            "id": np.arange(1, len(shifts) + 1).astype(str),
            **{f"matrix[{i + 1}][{j + 1}]": matrices[:, i, j].round(4) for i in range(3) for j in range(3)},
            **{f"vector[{i + 1}]": shifts[:, i].round(2) for i in range(3)},
        },
    }
    if models:
        tables["pdbx_struct_assembly_gen"]["PDB_model_num"] = np.array([row[2] for row in rows])
        tables["pdbx_model"] = {"name": np.array(models)}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".bcif":
        categories = [
            {"name": f"_{name}", "columns": [pack_column(key, values) for key, values in table.items()]}
            for name, table in tables.items()
        ]
        path.write_bytes(msgpack.packb({"dataBlocks": [{"header": "CELL", "categories": categories}]}))
        return path
    text = "data_CELL\n"
    for name, table in tables.items():
        text += "loop_\n" + "".join(f"_{name}.{key}\n" for key in table)
        text += "".join(" ".join(map(str, row)) + "\n" for row in zip(*table.values(), strict=True))
    raw = text.encode()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def pack_column(name: str, values: np.ndarray) -> dict:
    """Pack a column as BinaryCIF does, by as many of its encodings as it may have."""
    raw = {"kind": "ByteArray", "type": 3}
    if values.dtype.kind == "f":
        whole = np.rint(values * 10_000).astype(np.int64)
        pieces: list[int] = []
        for number in np.diff(whole, prepend=whole[:1]).tolist():
            limit = 32767 if number >= 0 else -32768
            while abs(number) >= abs(limit):
                pieces.append(limit)
                number -= limit
            pieces.append(number)
        encoding = [
            {"kind": "FixedPoint", "factor": 10_000, "srcType": 33},
            {"kind": "Delta", "origin": int(whole[0]), "srcType": 3},
            {"kind": "IntegerPacking", "byteCount": 2, "isUnsigned": False, "srcSize": len(whole)},
            {"kind": "ByteArray", "type": 2},
        ]
        return {"name": name, "data": {"data": np.array(pieces, "<i2").tobytes(), "encoding": encoding}}
    texts, index = np.unique(values, return_inverse=True)
    offsets = np.concatenate(([0], np.cumsum([len(text) for text in texts]))).astype("<i4")
    begins = np.flatnonzero(np.diff(index, prepend=-1))
    runs = np.column_stack((index[begins], np.diff(begins, append=len(index)))).astype("<i4")
    encoding = [
        {
            "kind": "StringArray",
            "stringData": "".join(texts.tolist()),
            "offsets": offsets.tobytes(),
            "offsetEncoding": [raw],
            "dataEncoding": [{"kind": "RunLength", "srcType": 3, "srcSize": len(values)}, raw],
        }
    ]
    return {"name": name, "data": {"data": runs.tobytes(), "encoding": encoding}}


def write_amira(path: Path, labels: np.ndarray, packing: str, unit: str = "") -> Path:
    """Write labels (z, y, x) as Amira does: as they are, HxByteRLE, HxZip, ASCII, or big-endian."""
    raw = labels.astype(np.uint8).tobytes()
    data = {"HxByteRLE": pack_runs, "HxZip": zlib.compress}.get(packing, bytes)(raw)
    if packing == "ASCII":
        data = "\n".join(str(value) for value in raw).encode()
    first = {"ASCII": "3D ASCII 2.0", "big-endian": "3D BINARY 2.0"}.get(packing, "BINARY-LITTLE-ENDIAN 2.1")
    packed = f"({packing},{len(data)})" if packing.startswith("Hx") else ""
    depth, height, width = labels.shape
    box = " ".join(f"0 {(count - 1) * VOXEL_A:g}" for count in (width, height, depth))
    names = "".join(
        f"        {name} {{\n            Id {number}\n        }}\n"
        for number, name in enumerate(("Exterior", "one", "two"))
    )
    units = f'    Units {{\n        Coordinates "{unit}"\n    }}\n' if unit else ""
    header = (
        f"# AmiraMesh {first}\n\n\ndefine Lattice {width} {height} {depth}\n\nParameters {{\n    Materials {{\n"
        f'{names}    }}\n{units}    BoundingBox {box},\n    CoordType "uniform"\n}}\n\nLattice {{ byte Labels }} '
        f"@1{packed}\n\n# Data section follows\n@1\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header.encode() + data)
    return path


def pack_runs(raw: bytes) -> bytes:
    """Pack bytes as HxByteRLE: runs of three and more by their length, others as they are with 128 more."""
    values = np.frombuffer(raw, np.uint8)
    begins = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    packed, loose = bytearray(), bytearray()

    def flush() -> None:
        for start in range(0, len(loose), 127):
            piece = loose[start : start + 127]
            packed.extend([128 + len(piece), *piece])
        loose.clear()

    for begin, end in zip(begins, [*begins[1:], len(values)], strict=True):
        length = int(end - begin)
        if length < 3:
            loose.extend(values[begin:end].tobytes())
            continue
        flush()
        while length:
            packed.extend([min(length, 127), values[begin]])
            length -= min(length, 127)
    flush()
    return bytes(packed)
