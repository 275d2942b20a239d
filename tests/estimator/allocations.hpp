// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

/// How often this program has asked `operator new` for memory; allocations.cpp replaces it.
std::size_t allocation_count();
