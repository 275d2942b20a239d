# One program for several processors:
#
#   maquette_dispatch(<target> <entry> <source> [<level>...])
#
# compiles <source> once for each level (all of them without a list; on other processors than x86-64
# `baseline` alone) and links it into <target> together with a function <entry>, which calls the one
# of the widest level that the processor has. <source> defines the entry as
#
#   extern "C" const my_interface* MAQUETTE_DISPATCH(<entry>)() { ... }
#
# by maquette/core/dispatch.hpp: any function without parameters that returns a pointer. Types of
# maquette must not cross it, since every level has a namespace of its own; standard and own ones may.
#
#   baseline      what the compiler does without a flag
#   avx2          -march=x86-64-v3
#   avx512        -march=x86-64-v4
#   avx512_bf16   the same with AVX512_BF16 and AVX512_VNNI
#
# The environment variable MAQUETTE_LEVEL holds the program to a lower level, for tests.
#
# Every level's symbols but its entry are made local to it: else the linker would keep one of the
# copies of an inline function of the standard library, and it might be one that this processor
# cannot run.
function(maquette_dispatch target entry source)
  get_target_property(folder ${target} BINARY_DIR)
  if(NOT folder STREQUAL CMAKE_CURRENT_BINARY_DIR)
    message(FATAL_ERROR "maquette_dispatch: expected to be called in the folder that makes ${target}, ${folder}; found ${CMAKE_CURRENT_BINARY_DIR}")
  endif()
  # GNU's, whatever links the program: LLVM's keeps the groups by which copies are thrown away.
  find_program(MAQUETTE_GNU_LINKER NAMES ${CMAKE_LIBRARY_ARCHITECTURE}-ld.bfd ld.bfd ld REQUIRED)
  set(known_levels baseline avx2 avx512 avx512_bf16)
  foreach(level IN LISTS ARGN)
    if(NOT level IN_LIST known_levels)
      message(FATAL_ERROR "maquette_dispatch: expected a level of ${known_levels}, found ${level}")
    endif()
  endforeach()
  # From the narrowest to the widest, whatever order was given.
  set(levels ${known_levels})
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    set(levels baseline)
  elseif(ARGN)
    list(JOIN ARGN "|" wanted)
    list(FILTER levels INCLUDE REGEX "^(${wanted})$")
  endif()
  set(flags_baseline)
  set(flags_avx2 -march=x86-64-v3)
  set(flags_avx512 -march=x86-64-v4)
  set(flags_avx512_bf16 -march=x86-64-v4 -mavx512bf16 -mavx512vnni)
  set(needs_baseline "true")
  set(needs_avx2 "has(\"avx2\") && has(\"fma\") && has(\"bmi\") && has(\"bmi2\")")
  set(needs_avx512 "${needs_avx2} && has(\"avx512f\") && has(\"avx512bw\") && has(\"avx512cd\") && has(\"avx512dq\") && has(\"avx512vl\")")
  set(needs_avx512_bf16 "${needs_avx512} && has(\"avx512bf16\") && has(\"avx512vnni\")")

  set(declarations "")
  set(choices "")
  set(known "false")
  foreach(level IN LISTS levels)
    set(part ${target}_${entry}_${level})
    add_library(${part} OBJECT ${source})
    target_link_libraries(${part} PRIVATE maquette::maquette)
    target_compile_definitions(${part} PRIVATE maquette=maquette_${level} MAQUETTE_LEVEL=${level})
    target_compile_options(${part} PRIVATE ${flags_${level}})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${part}${CMAKE_CXX_OUTPUT_EXTENSION})
    add_custom_command(OUTPUT ${object}
      COMMAND ${MAQUETTE_GNU_LINKER} -r --force-group-allocation -o ${object} $<TARGET_OBJECTS:${part}>
      COMMAND ${CMAKE_OBJCOPY} --keep-global-symbol=${entry}_${level} ${object}
      DEPENDS ${part} $<TARGET_OBJECTS:${part}> COMMAND_EXPAND_LISTS VERBATIM)
    target_sources(${target} PRIVATE ${object})
    set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    string(APPEND declarations "const void* ${entry}_${level}();\n")
    string(APPEND known " || is(\"${level}\")")
    # The last level is the widest.
    string(PREPEND choices "  if (allowed(\"${level}\") && ${needs_${level}}) return ${entry}_${level}();\n")
  endforeach()
  set(chooser ${CMAKE_CURRENT_BINARY_DIR}/${target}_${entry}.cpp)
  file(CONFIGURE OUTPUT ${chooser} @ONLY CONTENT [[
// Made by maquette_dispatch.
#include <cstdlib>
#include <cstring>
extern "C" {
@declarations@
const void* @entry@();
const void* @entry@() {
#define has(feature) __builtin_cpu_supports(feature)
  const char* const wanted = std::getenv("MAQUETTE_LEVEL");
  const auto is = [&](const char* level) {
    return wanted != nullptr && std::strcmp(level, wanted) == 0;
  };
  bool reached = !(@known@);
  const auto allowed = [&](const char* level) { return reached = reached || is(level); };
@choices@  return nullptr;
}
}
]])
  target_sources(${target} PRIVATE ${chooser})
  target_link_libraries(${target} PRIVATE maquette::maquette)
endfunction()
