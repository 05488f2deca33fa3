"""Structure files of single atoms."""

ATOM = "ATOM  {0:5d} {1:<4s} {2} A{0:4d}    {3:8.3f}{4:8.3f}{5:8.3f}  1.00 20.00          {6:>2s}\n"


def write_pdb(path, atoms, head=""):
    """Write a file of single-atom residues: (element, x, y, z) or (element, x, y, z, residue name)."""
    lines = [
        ATOM.format(serial, element, *(residue or ["UNL"]), x, y, z, element)
        for serial, (element, x, y, z, *residue) in enumerate(atoms, start=1)
    ]
    path.write_text(head + "".join(lines) + "END\n")
    return path
