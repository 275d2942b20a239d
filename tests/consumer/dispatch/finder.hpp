#pragma once
#include <span>
#include <string>
#include <vector>

/// What the rest of the program sees of the part that is compiled for several processors.
class finder {
 public:
  virtual ~finder() = default;
  virtual std::string level() const = 0;
  virtual int lanes() const = 0;
  /// 1x1 and 3x3 convolutions of a picture [16, size, size], pixel by pixel.
  virtual std::vector<float> convolve(std::span<const float> picture, int size,
                                      int kernel) const = 0;
};

extern "C" const finder* make_finder();
