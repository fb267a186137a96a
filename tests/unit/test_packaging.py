"""What is installed: pins, licences, and a wheel that holds all that the program opens."""

from __future__ import annotations

import hashlib
import re
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from realtime_unmask.faces.landmarker import BUNDLES
from realtime_unmask.inference.engine import load_engine
from realtime_unmask.inference.manifest import Manifest, Network
from realtime_unmask.settings import Settings

from .inference.tiny import random_inputs

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    stated = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in stated), "exact pins only"
    return {canonicalize_name(name): version for name, version in (s.split("==") for s in stated)}


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    stated = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    found = [Requirement(line) for line in stated]
    return [one for one in found if one.name != PROJECT["name"]]


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_each_requirement_has_a_pin_that_it_allows(requirement: Requirement) -> None:
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_both_builds_of_opencv_are_of_one_version() -> None:
    assert pins()["opencv-python"] == pins()["opencv-contrib-python"]


def test_the_program_itself_needs_no_torch() -> None:
    names = {Requirement(line).name for line in PROJECT["dependencies"]}
    assert not names & {"torch", "safetensors", "onnx"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in a wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    built = next(iter(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])))
    with zipfile.ZipFile(built) as archive:
        return archive.namelist()


@pytest.mark.parametrize("folder", ["engines", "assets"])
def test_wheel_holds_what_the_program_opens(wheel: list[str], folder: str) -> None:
    kept = {p.name for p in (ROOT / folder).iterdir()}
    inside = {Path(n).name for n in wheel if n.startswith(f"realtime_unmask/{folder}/")}
    assert inside == kept


def test_wheel_holds_the_licences_and_nothing_of_the_workshop(wheel: list[str]) -> None:
    for name in ("LICENSE", "engines/LICENSE", "assets/NOTICE", "assets/LICENSE-APACHE-2.0"):
        assert any(path.endswith(f"dist-info/licenses/{name}") for path in wheel)
    assert not [path for path in wheel if path.startswith(("tests/", "training/", "tools/"))]


def test_metadata_name_the_licences_of_the_networks_and_of_what_others_made() -> None:
    """A scanner that reads them alone must not take the weights for free software."""
    assert "Apache-2.0" in PROJECT["license"] and "LicenseRef-" in PROJECT["license"]


def test_source_archive_holds_no_pictures_that_lie_about(tmp_path: Path) -> None:
    """README has people put them there: `image me.jpg -o unmasked`."""
    for name in ("pyproject.toml", "README.md", "LICENSE", "realtime_unmask/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "unmasked").mkdir()
    for name in ("me.jpg", "unmasked/me.png"):
        (tmp_path / name).write_bytes(b"private")
    builder = SdistBuilder(str(tmp_path))
    inside = {Path(file.relative_path).as_posix() for file in builder.recurse_included_files()}
    assert "realtime_unmask/__init__.py" in inside
    assert not inside & {"me.jpg", "unmasked/me.png"}


def test_source_archive_holds_the_rest_of_the_checkout() -> None:
    builder = SdistBuilder(str(ROOT))
    inside = {Path(file.relative_path).as_posix() for file in builder.recurse_included_files()}
    for name in (".ci/run", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md",
                 "constraints.txt", "docs/live.md", "engines/editor.onnx", "assets/NOTICE",
                 "main.py", "tests/conftest.py", "tools/bare_machine.sh",
                 "training/weights/LICENSE"):  # fmt: skip
        assert name in inside


@pytest.mark.parametrize("name", BUNDLES)
def test_landmarker_bundle_is_the_one_that_notice_and_code_name(name: str) -> None:
    file = f"face_landmarker_{name}.task"
    digest = hashlib.sha256((ROOT / "assets" / file).read_bytes()).hexdigest()
    assert digest == BUNDLES[name]
    assert f"{digest}  {file}" in (ROOT / "assets" / "NOTICE").read_text()


@pytest.mark.parametrize("network", ["map", "editor"])
def test_shipped_network_agrees_on_both_backends(network: Network) -> None:
    inputs = {
        name: value[:, :, ::32, ::32].repeat(32, 2).repeat(32, 3)
        for name, value in random_inputs(network, 2).items()
    }
    with (
        load_engine(network, Settings(backend="openvino", precision="fp32")) as first,
        load_engine(network, Settings(backend="onnxruntime", precision="fp32")) as second,
    ):
        one, other = first.infer(inputs), second.infer(inputs)
    for name in one:
        low = -1 if name == "rgb" else 0
        assert low <= one[name].min() and one[name].max() <= 1
        assert np.abs(one[name] - other[name]).mean() < 1e-4


def test_each_training_set_of_the_shipped_networks_is_named_in_their_licence() -> None:
    text = (ROOT / "engines" / "LICENSE").read_text()
    for entry in Manifest.load(ROOT / "engines").networks.values():
        for source in entry.data:
            assert source.split(" ")[0] in text
