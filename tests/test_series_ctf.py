from faket_dask.geometry.series_ctf import SeriesCtf
from faket_dask.kernels.optics import Defocus, Optics


def test_files_constants_go_before_those_of_the_run_file():
    ctf = SeriesCtf((Defocus(3.0),), "a.mdoc", voltage_kV=200.0, amplitude_contrast=0.1)
    assert ctf.complete(Optics(300.0, 2.0, 0.07)) == Optics(200.0, 2.0, 0.1)


def test_tilts_are_selected_in_the_order_asked_for():
    ctf = SeriesCtf(tuple(Defocus(um) for um in (1.0, 2.0, 3.0)), "a.star")
    assert [defocus.mean_um for defocus in ctf.select((2, 0)).defocus] == [3.0, 1.0]


def test_axis_of_astigmatism_turns_with_the_image():
    turned = SeriesCtf((Defocus(3.0, 0.4, 100.0),), "a.star").turn(95.0)
    assert turned.defocus == (Defocus(3.0, 0.4, 15.0),)
