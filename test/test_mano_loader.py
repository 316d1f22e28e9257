"""The user's MANO files: read without running them, checked, and put right."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import struct
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hand_recon_ros.mano.loader import (
    MANO_TIPS,
    ModelError,
    UnsafePickleError,
    load_hand_model,
)
from hand_recon_ros.skeleton import MANO_PARENTS, SIDES

OWN = {side: load_hand_model(side) for side in SIDES}


class Python2Pickler(pickle._Pickler):  # the C pickler cannot write Python 2's strings
    """Writes what Python 2 wrote: byte strings, protocol 2, Python 2's module names."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_string(self, value: Any) -> None:
        raw = value if isinstance(value, bytes) else value.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    dispatch[bytes] = save_string
    dispatch[str] = save_string


@pytest.fixture
def foreign(monkeypatch) -> dict[str, type]:
    """Classes that pickle under the names in real MANO files."""
    classes = {}
    for module, name in (
        ("chumpy.ch", "Ch"),
        ("chumpy.reordering", "Select"),
        ("scipy.sparse.csc", "csc_matrix"),
    ):
        cls = type(name, (), {"__module__": module})
        holder = ModuleType(module)
        setattr(holder, name, cls)
        monkeypatch.setitem(sys.modules, module, holder)
        if module.startswith("chumpy"):
            monkeypatch.setitem(sys.modules, "chumpy", ModuleType("chumpy"))
        classes[name] = cls
    return classes


def made(cls: type, **state: Any) -> Any:
    value = cls()
    value.__dict__.update(state)
    return value


def mano_content(foreign: dict[str, type], side: str = "right", **changes: Any) -> dict[str, Any]:
    """A dictionary in the very layout of MANO's files, with our arrays in it."""
    from scipy import sparse

    data = OWN[side]
    source = np.zeros((778, 3, 20))
    source[:, :, :10] = data.shapedirs
    index = np.arange(source.size).reshape(source.shape)[:, :, :10].ravel()
    matrix = sparse.csc_matrix(data.j_regressor)
    parents = np.array([4294967295, *MANO_PARENTS[1:]], dtype=np.uint32)
    content = {
        "v_template": data.v_template,
        "shapedirs": made(
            foreign["Select"],
            a=made(foreign["Ch"], x=source),
            idxs=index,
            preferred_shape=(778, 3, 10),
        ),
        "posedirs": data.posedirs,
        "J_regressor": made(
            foreign["csc_matrix"],
            _shape=(16, 778),
            data=matrix.data,
            indices=matrix.indices,
            indptr=matrix.indptr,
            format="csc",
            maxprint=50,
        ),
        "J": data.j_regressor @ data.v_template,
        "weights": data.weights,
        "weights_prior": data.weights,
        "kintree_table": np.stack([parents, np.arange(16, dtype=np.uint32)]),
        "f": data.faces.astype(np.uint32),
        "hands_components": data.hands_components,
        "hands_mean": data.hands_mean,
        "hands_coeffs": np.zeros((4, 45)),
        "bs_type": "lrotmin",
        "bs_style": "lbs",
        "pose_training_info": {"subjects": {1, 2}, "scale": np.float64(2.0)},
    }
    return {**content, **changes}


def write(path: Path, content: Any, protocol: int = 2) -> Path:
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=protocol).dump(content)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.mark.parametrize("side", ["right", "left"])
def test_reads_the_real_layout(tmp_path, foreign, side) -> None:
    path = write(tmp_path / "MANO.pkl", mano_content(foreign, side))
    assert b"chumpy.reordering\nSelect" in path.read_bytes()
    assert b"scipy.sparse.csc\ncsc_matrix" in path.read_bytes()
    data, own = load_hand_model(side, path), OWN[side]
    assert (data.name, data.side) == ("MANO.pkl", side)
    for name in ("v_template", "shapedirs", "posedirs", "weights", "faces", "hands_mean"):
        np.testing.assert_array_equal(getattr(data, name), getattr(own, name))
    np.testing.assert_allclose(data.j_regressor, own.j_regressor, atol=1e-15)
    assert len(data.wrist_loop) == 16
    assert data.palm.tolist() == [95, 22]


def test_reads_a_copy_saved_by_python3(tmp_path, foreign) -> None:
    content = mano_content(foreign)
    content["shapedirs"] = OWN["right"].shapedirs
    content["J_regressor"] = OWN["right"].j_regressor
    path = tmp_path / "MANO.pkl"
    path.write_bytes(pickle.dumps(content, protocol=2))
    np.testing.assert_array_equal(load_hand_model("right", path).shapedirs, OWN["right"].shapedirs)


@pytest.mark.parametrize("convention", list(MANO_TIPS))
def test_finger_tip_conventions(tmp_path, foreign, convention) -> None:
    for side in ("right", "left"):
        path = write(tmp_path / f"{side}.pkl", mano_content(foreign, side))
        tips = load_hand_model(side, path, tips=convention).tips
        assert tuple(tips) == MANO_TIPS[convention][side]
    with pytest.raises(ModelError, match="smplx, freihand, manopth"):
        load_hand_model("right", path, tips="other")


# ---------------------------------------------------------------------- malicious files


class Calls:
    """Pickles as a call of ``function(*arguments)``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.pair = function, arguments

    def __reduce__(self) -> Any:
        return self.pair


def runstring(marker: Path) -> Any:
    from numpy.testing import runstring as run

    return Calls(run, f"open({str(marker)!r}, 'w').close()", {})


def object_scalar(marker: Path) -> Any:
    """Old NumPy releases unpickled the inner bytes by themselves, with full powers."""
    from numpy.core import multiarray

    inner = pickle.dumps(Calls(os.system, f"touch {marker}"))
    return Calls(multiarray.scalar, np.dtype("O"), inner)


ATTACKS = {
    "os.system": (lambda m: Calls(os.system, f"touch {m}"), r"(posix|nt)\.system"),
    "eval": (
        lambda m: Calls(builtins.eval, f"open({str(m)!r}, 'w').close()"),
        r"(__builtin__|builtins)\.eval",
    ),
    "getattr": (
        lambda m: Calls(getattr, {}, "clear"),
        r"(__builtin__|builtins)\.getattr",
    ),
    "numpy runstring": (runstring, r"numpy\.testing\..*runstring"),
    "numpy object scalar": (object_scalar, "scalar"),
    "nested in an array": (
        lambda m: np.array([{"deep": [Calls(os.system, f"touch {m}")]}], dtype=object),
        r"(posix|nt)\.system",
    ),
}


@pytest.mark.parametrize("name", list(ATTACKS))
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_malicious_files_execute_nothing(tmp_path, foreign, name, protocol) -> None:
    make, named = ATTACKS[name]
    marker = tmp_path / "executed"
    content = mano_content(foreign)
    content["v_template"] = make(marker)
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    with pytest.raises(UnsafePickleError, match=named) as caught:
        load_hand_model("right", path)
    assert isinstance(caught.value, pickle.PickleError)
    assert str(path) in str(caught.value)
    assert not marker.exists()


def test_the_attacks_are_real(tmp_path) -> None:
    """Otherwise the test above would prove nothing."""
    for name, (make, _) in ATTACKS.items():
        if name in ("getattr", "numpy object scalar"):  # harmless alone; in this NumPy
            continue
        marker = tmp_path / name.replace(" ", "_")
        pickle.loads(pickle.dumps(make(marker)))
        assert marker.exists(), name


@pytest.mark.parametrize(
    "stream",
    [
        b"cnumpy.core.multiarray\n_reconstruct\n(N}V__defaults__\nI0\nstb.",
        b"cnumpy.core.multiarray\nscalar\n}V_call\nI0\nsb.",
        b"cchumpy.ch\nCh\n}b.",
        b"cnumpy\nndarray.__class__\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
        b"Pname\n.",
    ],
)
def test_hand_made_streams_are_refused(tmp_path, stream) -> None:
    from hand_recon_ros.mano import pickles

    names = dict(pickles._ALLOWED)
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(stream)
    with pytest.raises(ModelError, match=r"MANO_RIGHT\.pkl"):
        load_hand_model("right", path)
    assert names == pickles._ALLOWED


# ---------------------------------------------------------------------- wrong and damaged files


def test_missing_file(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"no/file\.pkl: no such file.*mano\.is\.tue"):
        load_hand_model("right", "no/file.pkl")
    with pytest.raises(ModelError, match="no such file"):
        load_hand_model("right", tmp_path)


@pytest.mark.parametrize("size", [0, 1, 100, 5000, -1])
def test_truncated_file(tmp_path, foreign, size) -> None:
    path = write(tmp_path / "MANO.pkl", mano_content(foreign))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ModelError, match=r"MANO\.pkl: .*download it again"):
        load_hand_model("right", path)


def test_not_a_pickle(tmp_path) -> None:
    path = tmp_path / "MANO.pkl"
    path.write_bytes(b"<html>please log in</html>")
    with pytest.raises(ModelError, match="not a pickle"):
        load_hand_model("right", path)
    with pytest.raises(ModelError, match="holds a list"):
        load_hand_model("right", write(path, [1, 2]))


def test_wrong_keys_and_shapes(tmp_path, foreign) -> None:
    content = mano_content(foreign)
    good = {key: content[key] for key in content if key not in ("weights", "f")}
    path = tmp_path / "MANO.pkl"
    with pytest.raises(ModelError, match="lacks weights, f"):
        load_hand_model("right", write(path, good))

    bad = np.full((778, 3), np.nan)
    short = made(foreign["Select"], a=np.zeros(5), idxs=np.arange(9), preferred_shape=(3, 3))
    for key, value, message in (
        ("v_template", np.zeros((6890, 3)), r"v_template has shape \(6890, 3\)"),
        ("v_template", bad, "v_template holds NaN"),
        ("shapedirs", short, "shapedirs cannot be read"),
        ("shapedirs", "text", "shapedirs cannot be read"),
        ("J_regressor", {1, 2}, "J_regressor cannot be read"),
        ("weights", np.zeros((778, 16)), "rows of weights do not sum to 1"),
        ("f", np.full((1538, 3), 778), "faces point beyond"),
        ("kintree_table", np.zeros((2, 16)), "joint tree is not MANO's"),
    ):
        with pytest.raises(ModelError, match=message):
            load_hand_model("right", write(path, mano_content(foreign, **{key: value})))


@pytest.mark.parametrize(("held", "given"), [("right", "left"), ("left", "right")])
def test_the_other_hand_is_noticed(tmp_path, foreign, held, given) -> None:
    path = write(tmp_path / "MANO.pkl", mano_content(foreign, held))
    with pytest.raises(ModelError, match=rf"holds a {held} hand.*model\.{held}_path"):
        load_hand_model(given, path)


# ---------------------------------------------------------------------- left shape directions


@pytest.mark.parametrize("with_reference", [True, False])
@pytest.mark.parametrize("faulty", [True, False])
def test_left_shape_directions_are_put_right(tmp_path, foreign, with_reference, faulty) -> None:
    right = write(tmp_path / "MANO_RIGHT.pkl", mano_content(foreign, "right"))
    truth = OWN["left"].shapedirs
    flip = np.array([-1.0, 1.0, 1.0])[:, None]
    stored = truth * flip if faulty else truth
    left = write(tmp_path / "MANO_LEFT.pkl", mano_content(foreign, "left", shapedirs=stored))
    options = {"reference_right": right} if with_reference else {}
    np.testing.assert_array_equal(load_hand_model("left", left, **options).shapedirs, truth)
    kept = load_hand_model("left", left, fix_left_shapedirs=False, **options)
    np.testing.assert_array_equal(kept.shapedirs, stored)


def test_the_right_hand_is_never_flipped(tmp_path, foreign) -> None:
    stored = OWN["right"].shapedirs * np.array([-1.0, 1.0, 1.0])[:, None]
    path = write(tmp_path / "MANO.pkl", mano_content(foreign, shapedirs=stored))
    np.testing.assert_array_equal(load_hand_model("right", path).shapedirs, stored)


def test_undecidable_shape_is_left_alone_and_said(tmp_path, foreign, caplog) -> None:
    stored = np.zeros((778, 3, 10))
    path = write(tmp_path / "MANO.pkl", mano_content(foreign, "left", shapedirs=stored))
    np.testing.assert_array_equal(load_hand_model("left", path).shapedirs, stored)
    assert "cannot tell the sign" in caplog.text
