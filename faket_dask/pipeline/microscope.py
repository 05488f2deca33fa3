"""Units that image a specimen by the microscope's physics: the `benchmark` modality, simulated references."""

from faket_dask.dataset.spec import DatasetSpec
from faket_dask.engine.arrays import ArraySpec, open_array, read_tilt, read_vector, write_vector
from faket_dask.engine.unit import OwnedArray, Record, Stage
from faket_dask.geometry import acquisition_order, exposure_before
from faket_dask.kernels.microscope import Optics
from faket_dask.stages.imaging import simulate_counts
from faket_dask.stages.seeds import generator


def _prepare(spec: DatasetSpec, specimen: str) -> None:
    microscope, acquisition = spec.config.microscope, spec.acquisition(specimen)
    order = acquisition_order(acquisition.tilt_angles, microscope.tilt_order)
    before = exposure_before(order, acquisition.dose_e_per_A2)
    write_vector(
        spec.layout.specimen(specimen),
        "exposure",
        "tilt",
        before,
        {"units": "e/angstrom^2", "long_name": "exposure before the tilt"},
    )


def _benchmark(spec: DatasetSpec, specimen: str) -> list[OwnedArray]:
    tilts, rows, columns = spec.stack_shape(specimen)
    array = ArraySpec(
        "benchmark",
        ("tilt", "y", "x"),
        (tilts, rows, columns),
        (1, rows, columns),
        attributes={"units": "e/pixel", "coordinates": "tilt_angle exposure"},
    )
    return [OwnedArray(spec.layout.specimen(specimen), array, lambda index: (index, 0, 0))]


def _image(spec: DatasetSpec, specimen: str, index: int) -> Record:
    microscope, acquisition = spec.config.microscope, spec.acquisition(specimen)
    path = spec.layout.specimen(specimen)
    optics = Optics(
        voltage_kV=microscope.voltage_kV,
        spherical_aberration_mm=microscope.spherical_aberration_mm,
        amplitude_contrast=microscope.amplitude_contrast,
        astigmatism_um=microscope.astigmatism_um,
        astigmatism_angle=microscope.astigmatism_angle_deg,
        ice_thickness_A=spec.volume_shape(specimen)[0] * acquisition.pixel_size_A,
    )
    open_array(path, "benchmark")[index] = simulate_counts(
        read_tilt(path, "noiseless", index),
        acquisition.pixel_size_A,
        optics,
        float(acquisition.tilt_angles[index]),
        acquisition.defocus_um,
        acquisition.dose_e_per_A2,
        read_vector(path, "exposure")[index],
        generator(spec.config.dataset.seed, specimen, "counts", index),
    )
    return {}


IMAGE = Stage(
    "image",
    count=lambda spec, specimen: spec.stack_shape(specimen)[0],
    compute=_image,
    prepare=_prepare,
    arrays=_benchmark,
)
