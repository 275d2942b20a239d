"""Makes the small files that the parsers' tests read, with the libraries that own the formats.

Run: python tests/data/make_fixtures.py (numpy, Pillow, safetensors). Every value follows a formula
that the tests know, so that the files and the tests check each other.
"""
import pathlib

import numpy as np
from PIL import Image
from safetensors import TensorSpec, serialize_file
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent

NUMBERS = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]


def grid(shape):
    """Element i (in C order) is i - 3, or i for unsigned types."""
    return np.arange(np.prod(shape, dtype=int)).reshape(shape) - 3


def numpy_arrays():
    arrays = {}
    for name in NUMBERS:
        base = grid((2, 3)) + (3 if name[0] == "u" else 0)
        arrays[f"little_{name}"] = base.astype("<" + name)
        arrays[f"big_{name}"] = base.astype(">" + name)
    arrays["fortran"] = np.asfortranarray(grid((2, 3, 4)).astype("<f8"))
    arrays["boolean"] = np.array([True, False, True])
    arrays["scalar"] = np.array(2.5)
    arrays["empty"] = np.zeros((0, 3), "f4")
    arrays["unicode"] = np.array(["neutral", "", "pose\u00e9\U0001F9CD"])
    arrays["unicode_big"] = np.array(["male"]).astype(">U6")
    arrays["bytes"] = np.array([b"abc", b"z"])
    arrays["half"] = np.array([0.0, -0.0, 6e-8, 65504, np.inf, 0.333251953125], "f2")
    return arrays


def pattern(height, width):
    """Pixel (x, y) is (20 x + 5, 30 y + 3, 7 x + 11 y), modulo 256."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([20 * x + 5, 30 * y + 3, 7 * x + 11 * y], -1).astype(np.uint8)


def write_arrays():
    arrays = numpy_arrays()
    np.savez(HERE / "stored.npz", **arrays)
    np.savez_compressed(HERE / "deflated.npz", **arrays, zeros=np.zeros((64, 64)))
    np.savez(HERE / "tiny.npz", a=np.arange(3, dtype="f4"))
    np.savez_compressed(HERE / "tiny_deflated.npz", a=np.arange(3, dtype="f4"), b=np.zeros(200))
    np.savez(HERE / "objects.npz", a=np.array([{}, None], dtype=object))
    for version in ((1, 0), (2, 0), (3, 0)):
        with open(HERE / f"version{version[0]}.npy", "wb") as file:
            np.lib.format.write_array(file, grid((2, 3)).astype("<f4"), version=version)
    np.save(HERE / "records.npy", np.zeros(2, [("x", "f4"), ("y", "i4")]))


def write_tensors():
    base = grid((2, 3))
    tensors = {f"t_{name}": base.astype(name) for name in ("f2", "f4", "f8", "i4", "i8")}
    tensors["t_u1"] = (base + 3).astype("u1")
    tensors["t_bool"] = base > 0
    tensors["scalar"] = np.array(2.5, "f4")
    tensors["empty"] = np.zeros((0, 3), "f4")
    save_file(tensors, HERE / "tensors.safetensors", metadata={"format": "np", "quote\"\n": "\u00e9"})
    save_file({"a": np.arange(3, dtype="f4")}, HERE / "tiny.safetensors")
    brain = (np.array([1.0, -2.5, 0.15625], "f4").view("u4") >> 16).astype("<u2")
    spec = TensorSpec(dtype="bfloat16", shape=[3], data_ptr=brain.ctypes.data,
                      data_len=brain.nbytes)
    serialize_file({"brain": spec}, HERE / "brain.safetensors", None)


def write_pictures():
    rgb = pattern(6, 8)
    grey = rgb[..., 0]
    alpha = np.dstack([rgb, np.full(grey.shape, 51, np.uint8)])
    alpha[0, 0, 3] = 255
    alpha[0, 1, 3] = 0
    picture = Image.fromarray(rgb)
    picture.save(HERE / "rgb.png")
    picture.save(HERE / "rgb.bmp")
    picture.save(HERE / "rgb.ppm")
    Image.fromarray(grey).save(HERE / "grey.png")
    Image.fromarray(grey).save(HERE / "grey.pgm")
    Image.fromarray(grey).save(HERE / "grey.jpg", quality=100)
    Image.fromarray(np.dstack([grey, np.full_like(grey, 128)])).save(HERE / "grey_alpha.png")
    Image.fromarray(alpha).save(HERE / "alpha.png")
    Image.fromarray(grey.astype(np.uint16) * 256 + 77).save(HERE / "sixteen.png")
    picture.quantize(64).save(HERE / "palette.png")
    # Four flat 8 x 8 blocks in 24 x 16, so that JPEG keeps the colours.
    blocks = np.zeros((16, 24, 3), np.uint8)
    blocks[:8, :8] = (200, 40, 40)
    blocks[:8, 8:16] = (40, 200, 40)
    blocks[:8, 16:] = (40, 40, 200)
    blocks[8:] = (128, 128, 128)
    upright = Image.fromarray(blocks)
    # What to do to the upright picture so that the given orientation undoes it.
    turns = {1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
             4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
             6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
             8: Image.Transpose.ROTATE_270}
    for orientation, turn in turns.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = upright if turn is None else upright.transpose(turn)
        stored.save(HERE / f"exif{orientation}.jpg", exif=exif, quality=95, subsampling=0)
    upright.save(HERE / "progressive.jpg", progressive=True, quality=95, subsampling=0)
    # Claims 10000 x 10000 pixels; one bit each, so that the file stays small.
    Image.new("1", (10000, 10000)).save(HERE / "hundred_megapixels.png", optimize=True)
    large = Image.fromarray(pattern(40, 60))
    large.save(HERE / "large.png")
    large.resize((16, 16), Image.Resampling.BILINEAR, box=(20.5, 8.25, 44.5, 32.25)).save(
        HERE / "large_reduced.png")
    large.resize((16, 16), Image.Resampling.BILINEAR, box=(20, 10, 27.5, 17.5)).save(
        HERE / "large_enlarged.png")


if __name__ == "__main__":
    write_arrays()
    write_tensors()
    write_pictures()
