"""Structure files of short proteins, for tests of their states."""

import numpy as np

ATOM = (
    "ATOM  {serial:5d}  CA  {residue} {chain}{number:4d}    {x:8.3f}{y:8.3f}{z:8.3f}{occupancy:6.2f} 20.00"
    "           C\n"
)
RESIDUES = ("ALA", "GLY", "SER", "TRP", "VAL", "LYS")


def draw_places(count=30, seed=0):
    """Draw the places of residues: a compact random walk with steps of 3.8 Å."""
    rng = np.random.default_rng(seed)
    places = [np.zeros(3)]
    while len(places) < count:
        step = rng.standard_normal(3)
        place = places[-1] + 3.8 * step / np.linalg.norm(step)
        if np.linalg.norm(place) < 18 and min(np.linalg.norm(np.array(places) - place, axis=1)) > 3.5:
            places.append(place)
    return np.array(places)


def format_model(chains, occupancy=1.0):
    """Format chains, a mapping of names to places ``(n, 3)``, as ATOM lines."""
    lines, serial = [], 1
    for chain, places in chains.items():
        for number, (x, y, z) in enumerate(places, start=1):
            residue = RESIDUES[number % len(RESIDUES)]
            values = {"serial": serial, "residue": residue, "chain": chain, "number": number}
            lines.append(ATOM.format(**values, x=x, y=y, z=z, occupancy=occupancy))
            serial += 1
    return "".join(lines)


def write_models(path, *models):
    """Write a PDB file of one model, or of several."""
    texts = [format_model(model) for model in models]
    if len(texts) > 1:
        texts = [f"MODEL {number:8d}\n{text}ENDMDL\n" for number, text in enumerate(texts, start=1)]
    path.write_text("".join(texts) + "END\n")
    return path
