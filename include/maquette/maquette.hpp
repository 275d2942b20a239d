// SPDX-License-Identifier: Apache-2.0
#pragma once

// Everything that a user of the CPU backend needs.
#include "maquette/body/packed_body.hpp"
#include "maquette/estimator.hpp"
#include "maquette/io/glb.hpp"
#include "maquette/io/image.hpp"
#include "maquette/io/obj.hpp"
#include "maquette/io/ply.hpp"
#include "maquette/io/png_writer.hpp"
#include "maquette/render/shading.hpp"
