"""A pipeline that has nothing to do with images: throw dice, average each experiment, compare all experiments.

It proves that the engine is general, and it is the smallest example of a pipeline: a specification, three stages, and
a `Pipeline` that names them. Workers import it from here.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from faket_dask.atomic import write_text
from faket_dask.engine.arrays import ArraySpec, OwnedArray, create_group, open_array
from faket_dask.engine.folder import RunFolder
from faket_dask.engine.marker import Findings
from faket_dask.engine.pipeline import Pipeline, check_layout
from faket_dask.engine.stage import BatchKey, Stage, UnitCost
from faket_dask.engine.unit import Item
from faket_dask.errors import InputError

MIB = 2**20


@dataclass(frozen=True)
class DiceSpec:
    """Experiments of several rounds of throws.

    Parameters
    ----------
    root
        Folder of the run.
    experiments, rounds, throws
        Number of experiments, of rounds in each, and of throws in each round.
    seed
        Seed of the random numbers.
    pause_s
        Seconds that a round takes at least; not part of the result.
    broken_round
        Round of the first experiment that fails, if any.
    """

    root: Path
    experiments: int = 2
    rounds: int = 6
    throws: int = 50
    seed: int = 1
    pause_s: float = 0.0
    broken_round: int | None = None

    threads_per_task = 1
    device = "cpu"
    description_files = frozenset[str]()

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.root)

    @property
    def title(self) -> str:
        return f"{self.experiments} experiments of {self.rounds} rounds"

    @property
    def result_inputs(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("rounds", "throws", "seed")}

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(self.result_inputs, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def provenance(self) -> dict[str, Any]:
        return {"seed": self.seed}

    @property
    def names(self) -> list[str]:
        return [f"experiment-{number}" for number in range(self.experiments)]

    def relocate(self, root: Path) -> DiceSpec:
        return replace(self, root=root)

    def write(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        settings = asdict(self)
        del settings["root"]
        document = DICE.describe(self) | {"settings": settings}
        write_text(self.folder.description, json.dumps(document) + "\n")

    @classmethod
    def read(cls, root: Path) -> DiceSpec:
        path = RunFolder(root).description
        try:
            document = json.loads(path.read_bytes())
            check_layout(path, document)
            return cls(root, **document["settings"])
        except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise InputError(f"{path} is damaged ({error})") from None

    def store(self, item: Item) -> Path:
        return self.root / f"{item.owner}.zarr"


class Throw(Stage[DiceSpec]):
    """Throw the dice of one round."""

    name = "throw"
    label = "throw"
    milestone = "thrown"

    def items(self, spec: DiceSpec) -> list[Item]:
        return [Item(name) for name in spec.names]

    def count(self, spec: DiceSpec, item: Item) -> int:
        return spec.rounds

    def prepare(self, spec: DiceSpec, item: Item) -> None:
        create_group(spec.store(item), {"seed": spec.seed})

    def arrays(self, spec: DiceSpec, item: Item) -> list[OwnedArray]:
        shape = (spec.rounds, spec.throws)
        throws = ArraySpec("throws", ("round", "throw"), shape, (1, spec.throws), "int64")
        return [OwnedArray(spec.store(item), throws, unit_axes=(0,))]

    def compute(self, spec: DiceSpec, item: Item, index: int) -> Findings:
        time.sleep(spec.pause_s)
        if index == spec.broken_round and item.owner == spec.names[0]:
            raise RuntimeError("the dice fell off the table")
        rng = np.random.default_rng([spec.seed, spec.names.index(item.owner), index])
        open_array(spec.store(item), "throws")[index] = rng.integers(1, 7, spec.throws)
        return {}

    def cost(self, spec: DiceSpec) -> UnitCost:
        return UnitCost(max(spec.pause_s, 0.01), 300 * MIB, 8 * spec.throws)


class Average(Stage[DiceSpec]):
    """Average all throws of an experiment; written as JSON."""

    name = "average"
    label = "average"

    def items(self, spec: DiceSpec) -> list[Item]:
        return [Item(name) for name in spec.names]

    def predecessors(self, spec: DiceSpec, item: Item) -> list[BatchKey]:
        return [BatchKey(Throw.name, item)]

    def files(self, spec: DiceSpec, item: Item) -> list[Path]:
        return [spec.root / f"{item.owner}.json"]

    def compute(self, spec: DiceSpec, item: Item, index: int) -> Findings:
        mean = float(np.asarray(open_array(spec.store(item), "throws", "r")[...]).mean())
        write_text(spec.root / f"{item.owner}.json", json.dumps({"mean": mean}))
        return {"mean": mean}

    def check_contents(self, spec: DiceSpec, item: Item) -> Iterator[str]:
        mean = json.loads((spec.root / f"{item.owner}.json").read_text())["mean"]
        if not 1 <= mean <= 6:
            yield f"mean is {mean}, not between 1 and 6"

    def cost(self, spec: DiceSpec) -> UnitCost:
        return UnitCost(0.01, 300 * MIB, 100)


class Compare(Stage[DiceSpec]):
    """Find the experiment with the largest mean."""

    name = "compare"
    label = "compare"

    def items(self, spec: DiceSpec) -> list[Item]:
        return [Item("all", "means")]

    def predecessors(self, spec: DiceSpec, item: Item) -> list[BatchKey]:
        return [BatchKey(Average.name, Item(name)) for name in spec.names]

    def files(self, spec: DiceSpec, item: Item) -> list[Path]:
        return [spec.root / "winner.json"]

    def compute(self, spec: DiceSpec, item: Item, index: int) -> Findings:
        means = {name: json.loads((spec.root / f"{name}.json").read_text())["mean"] for name in spec.names}
        winner = max(means, key=lambda name: means[name])
        write_text(spec.root / "winner.json", json.dumps({"winner": winner}))
        return {"winner": winner}

    def cost(self, spec: DiceSpec) -> UnitCost:
        return UnitCost(0.01, 300 * MIB, 100)

    def fingerprint(self, spec: DiceSpec) -> str:
        return f"{spec.fingerprint}/{spec.experiments}"


DICE = Pipeline(
    name="dice",
    target="tests.engine.dice:DICE",
    stages=(Throw(), Average(), Compare()),
    read=DiceSpec.read,
    list_products=lambda spec: [BatchKey(Average.name, Item(name)) for name in spec.names],
    product_name="experiments",
    unit_name="averages",
    rank=lambda spec, item: spec.names.index(item.owner) if item.owner in spec.names else spec.experiments,
)
