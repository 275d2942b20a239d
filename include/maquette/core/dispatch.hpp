// SPDX-License-Identifier: Apache-2.0
#pragma once

/// The name of an entry for the level that its source is being compiled for: `make_finder` is
/// `make_finder_avx2` where MAQUETTE_LEVEL is avx2, and itself without a level.
///
/// One program can hold a source compiled for several processors and choose at its start:
/// `maquette_dispatch` of cmake/maquette_dispatch.cmake sets the levels and says how.
#if defined(MAQUETTE_LEVEL)
#define MAQUETTE_DISPATCH_JOIN(entry, level) entry##_##level
#define MAQUETTE_DISPATCH_NAME(entry, level) MAQUETTE_DISPATCH_JOIN(entry, level)
#define MAQUETTE_DISPATCH(entry) MAQUETTE_DISPATCH_NAME(entry, MAQUETTE_LEVEL)
#else
#define MAQUETTE_DISPATCH(entry) entry
#endif
