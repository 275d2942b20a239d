// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace maquette {

/// How a network computes its convolutions; what lies between them is always float.
enum class arithmetic {
  /// The fastest way in float: 3x3 kernels by Winograd's algorithm, at five times the memory of
  /// their weights, 1x1 kernels of 64 to 512 input channels and 64 outputs or more by
  /// Strassen's, at 2.75 times.
  float32,
  /// Float by packed products alone: the least memory, at about half the speed.
  float32_small,
  /// All kernels but the heads' multiply bfloat16 and add in float, by Winograd's algorithm too.
  /// Fast where the processor has AVX512_BF16, slow where it has not.
  bfloat16,
  /// 1x1 kernels multiply whole numbers of eight bits, scaled by pixel and by output channel; all
  /// else as `bfloat16` where the processor has AVX512_BF16, as `float32` where it has not. Fast
  /// where the processor has AVX512_VNNI or AVX-VNNI.
  int8,
};

}  // namespace maquette
