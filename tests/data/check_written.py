"""Reads what the C++ writers wrote with the libraries that own the formats.

Run: MAQUETTE_WRITTEN=folder test_unit && python tests/data/check_written.py folder
The tests then hold the checksums of the deterministic files, so that this needs no repeating.
"""
import json
import pathlib
import struct
import sys

import numpy as np
from PIL import Image
from safetensors import safe_open

folder = pathlib.Path(sys.argv[1])

with safe_open(folder / "written.safetensors", "np") as file:
    assert file.metadata() == {"licence": "CC0", "tab\t": "\u00e9"}, file.metadata()
    assert sorted(file.keys()) == ["a", 'b "quoted"\n', "large", "small"]
    numbers = np.array([1, -2.5, 3e-30, np.inf], "f4")
    assert np.array_equal(file.get_tensor("a"), numbers)
    assert np.array_equal(file.get_tensor('b "quoted"\n'), numbers.reshape(2, 2))
    assert file.get_tensor("large").tolist() == [[1], [-1], [2**40]]
    assert file.get_tensor("small").dtype == np.uint8

for name in ("written_stored.npz", "written_deflated.npz"):
    archive = np.load(folder / name)
    assert archive.files == ["numbers", "many", "scalar"]
    assert np.array_equal(archive["numbers"], np.arange(6, dtype="f4").reshape(2, 3))
    assert np.array_equal(archive["many"], np.arange(5000, dtype="i4") % 97)
    assert archive["scalar"].shape == () and archive["scalar"] == 0
assert np.array_equal(np.load(folder / "written.npy"), np.arange(6, dtype="f4").reshape(2, 3))

y, x = np.mgrid[0:7, 0:13]
pattern = np.stack([20 * x + 5, 30 * y + 3, 7 * x + 11 * y], -1).astype(np.uint8)
picture = Image.open(folder / "written.png")
assert picture.mode == "RGB" and np.array_equal(np.asarray(picture), pattern)
grey = Image.open(folder / "written_grey.png")
assert grey.mode == "L" and np.asarray(grey).ravel().tolist() == [0, 50, 100, 150, 200, 250]

for name in ("written_skinned.glb", "written_static.glb"):
    data = (folder / name).read_bytes()
    magic, version, length, json_size, kind = struct.unpack_from("<4sIII4s", data)
    assert (magic, version, length, kind) == (b"glTF", 2, len(data), b"JSON")
    document = json.loads(data[20:20 + json_size])
    assert document["buffers"][0]["byteLength"] == len(data) - 28 - json_size

ply = (folder / "written.ply").read_bytes()
header, body = ply.split(b"end_header\n", 1)
vertex = np.dtype([("position", "<f4", 3), ("normal", "<f4", 3), ("texture", "<f4", 2),
                   ("colour", "u1", 3)])
vertices = np.frombuffer(body, vertex, 4)
assert np.allclose(np.linalg.norm(vertices["normal"], axis=1), 1) and (vertices["colour"] == 9).all()
faces = np.frombuffer(body, np.dtype([("n", "u1"), ("i", "<i4", 3)]), 4, 4 * vertex.itemsize)
assert faces["i"].tolist() == [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]
print("all written files read back")
