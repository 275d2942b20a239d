# Builds for 64-bit ARM, whose vectors are NEON's, and runs under qemu (Debian: g++-aarch64-linux-gnu, qemu-user):
#   cmake -S tests/aarch64 -B build-aarch64 --toolchain $PWD/cmake/aarch64-linux-gnu.cmake
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
find_program(qemu NAMES qemu-aarch64 qemu-aarch64-static REQUIRED)
set(CMAKE_CROSSCOMPILING_EMULATOR ${qemu} -L /usr/aarch64-linux-gnu)
