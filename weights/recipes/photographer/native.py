"""Builds darkroom.cpp on demand and offers it to numpy."""

import ctypes
import hashlib
import os
import subprocess
from ctypes import POINTER, Structure, c_float, c_int32, c_uint8
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
CACHE = FOLDER.parent / ".cache"
HEADERS = FOLDER.parents[2] / "include"


class material_record(Structure):
    _fields_ = [("colour", c_float * 12), ("pattern_colour", c_float * 3), ("pattern_mix", c_float),
                ("pattern_axes", c_float * 6), ("pattern_phase", c_float * 2), ("pattern_duty", c_float),
                ("specular", c_float), ("shininess", c_float), ("pattern", c_int32)]


class paint_record(Structure):
    _fields_ = [("low", c_float * 3), ("high", c_float * 3), ("neck_slope", c_float), ("inflation", c_float),
                ("material", c_int32)]


class mesh_record(Structure):
    _fields_ = [("rest", POINTER(c_float)), ("pattern_position", POINTER(c_float)), ("bones", POINTER(c_uint8)),
                ("weights", POINTER(c_float)), ("transforms", POINTER(c_float)), ("triangles", POINTER(c_int32)),
                ("corners", POINTER(c_int32)), ("regions", POINTER(c_uint8)), ("uv", POINTER(c_float)),
                ("texture", POINTER(c_uint8)), ("materials", POINTER(material_record)),
                ("paints", POINTER(paint_record)), ("vertex_count", c_int32), ("influences", c_int32),
                ("triangle_count", c_int32), ("texture_width", c_int32), ("texture_height", c_int32),
                ("paint_count", c_int32), ("see_through", c_int32), ("label", c_int32)]


class camera_record(Structure):
    _fields_ = [("focal", c_float), ("centre", c_float * 2), ("width", c_int32), ("height", c_int32)]


class light_record(Structure):
    _fields_ = [("harmonics", c_float * 27), ("to_light", c_float * 9), ("sun", c_float * 3),
                ("sun_colour", c_float * 3), ("exposure", c_float), ("floor_normal", c_float * 3),
                ("floor_offset", c_float), ("floor_shadow", c_float), ("shadow_size", c_int32)]


class picture_record(Structure):
    _fields_ = [("colour", POINTER(c_uint8)), ("person", POINTER(c_uint8)), ("shade", POINTER(c_float)),
                ("depth", POINTER(c_float)), ("label", POINTER(c_uint8)), ("samples", c_int32)]


def filled(record, **values):
    """A record whose array fields are filled from any nested sequence."""
    result = record()
    for name, value in values.items():
        if isinstance(value, (int, float)):
            setattr(result, name, value)
        else:
            getattr(result, name)[:] = np.asarray(value, np.float32).ravel().tolist()
    return result


def pointer(array, kind):
    return array.ctypes.data_as(POINTER(kind))


def floats(array):
    """The array as contiguous float32."""
    return np.ascontiguousarray(array, np.float32)


def compiled():
    """Compiles the darkroom if its sources changed, and loads it."""
    sources = [FOLDER / "darkroom.cpp", HEADERS / "maquette" / "kernel" / "raster.hpp"]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    target = CACHE / f"darkroom-{digest}.so"
    if not target.exists():
        CACHE.mkdir(exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}")
        subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-O3", "-march=native", "-fPIC", "-shared",
                        f"-I{HEADERS}", str(sources[0]), "-o", str(partial)], check=True)
        partial.rename(target)
    return ctypes.CDLL(str(target))


class darkroom:
    """The compiled renderer. Meshes are `mesh_record` arrays; see darkroom.cpp for units and frames."""

    def __init__(self):
        self.code = compiled()

    def silhouette(self, meshes, focal, centre, size, last_label=2):
        """Coverage [size, size] bool of all meshes whose label is at most `last_label`."""
        mask = np.zeros((size, size), np.uint8)
        camera = filled(camera_record, focal=float(focal), centre=centre, width=size, height=size)
        self.code.darkroom_silhouette(meshes, len(meshes), ctypes.byref(camera), last_label, pointer(mask, c_uint8))
        return mask > 0

    def pose(self, mesh):
        """Skinned vertices [V, 3] in camera axes."""
        out = np.empty((mesh.vertex_count, 3), np.float32)
        self.code.darkroom_pose(ctypes.byref(mesh), pointer(out, c_float))
        return out

    def draw(self, meshes, focal, centre, size, light, samples=2):
        """Dictionary of colour [size, size, 4] (premultiplied), person [size, size], shade [size, size], and depth and
        label [samples * size, samples * size]."""
        fine = samples * size
        out = dict(colour=np.empty((size, size, 4), np.uint8), person=np.empty((size, size), np.uint8),
                   shade=np.empty((size, size), np.float32), depth=np.empty((fine, fine), np.float32),
                   label=np.empty((fine, fine), np.uint8))
        camera = filled(camera_record, focal=float(focal), centre=centre, width=size, height=size)
        picture = picture_record(pointer(out["colour"], c_uint8), pointer(out["person"], c_uint8),
                                 pointer(out["shade"], c_float), pointer(out["depth"], c_float),
                                 pointer(out["label"], c_uint8), samples)
        self.code.darkroom_draw(meshes, len(meshes), ctypes.byref(camera), ctypes.byref(light),
                                   ctypes.byref(picture))
        return out
