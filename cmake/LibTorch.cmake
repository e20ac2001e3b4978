# Imported target marquee_torch for a LibTorch named by MARQUEE_LIBTORCH. The wheel's own CMake package
# needs a CUDA toolkit, so the targets are made here.
set(_torch "${MARQUEE_LIBTORCH}")
if(EXISTS "${_torch}/torch/include/torch")
  set(_torch "${_torch}/torch")
endif()
if(NOT EXISTS "${_torch}/include/ATen/ATen.h" OR NOT EXISTS "${_torch}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "No LibTorch in ${MARQUEE_LIBTORCH}: expected include/ATen/ATen.h and "
          "lib/libtorch_cpu.so. Run scripts/fetch_libtorch, or name a LibTorch of 2.7 or later with "
          "-DMARQUEE_LIBTORCH=/path.")
endif()
file(STRINGS "${_torch}/include/torch/headeronly/version.h" _version_lines
     REGEX "#define TORCH_VERSION_(MAJOR|MINOR) ")
if(NOT _version_lines)
  file(STRINGS "${_torch}/include/torch/csrc/api/include/torch/version.h" _version_lines
       REGEX "#define TORCH_VERSION_(MAJOR|MINOR) ")
endif()
string(REGEX MATCH "MAJOR ([0-9]+)" _ "${_version_lines}")
set(_major "${CMAKE_MATCH_1}")
string(REGEX MATCH "MINOR ([0-9]+)" _ "${_version_lines}")
set(MARQUEE_TORCH_VERSION "${_major}.${CMAKE_MATCH_1}")
if(MARQUEE_TORCH_VERSION VERSION_LESS 2.7)
  message(FATAL_ERROR "LibTorch in ${_torch} is ${MARQUEE_TORCH_VERSION}; 2.7 or later is needed.")
endif()

# The wheel's include folder carries fmt and protobuf headers that would shadow the system's: the
# compiler gets a tree of links without those two.
set(_fence "${PROJECT_BINARY_DIR}/libtorch-include")
file(MAKE_DIRECTORY "${_fence}")
file(GLOB _entries "${_torch}/include/*")
foreach(_entry IN LISTS _entries)
  get_filename_component(_name "${_entry}" NAME)
  if(NOT _name MATCHES "^(fmt|google)$")
    file(CREATE_LINK "${_entry}" "${_fence}/${_name}" SYMBOLIC)
  endif()
endforeach()

add_library(marquee_torch INTERFACE)
target_include_directories(marquee_torch SYSTEM INTERFACE
  "${_fence}" "${_fence}/torch/csrc/api/include")
target_link_directories(marquee_torch INTERFACE "${_torch}/lib")
target_link_libraries(marquee_torch INTERFACE "${_torch}/lib/libtorch_cpu.so" "${_torch}/lib/libc10.so")
target_link_options(marquee_torch INTERFACE
  "-Wl,-rpath,${_torch}/lib" -Wl,--unresolved-symbols=ignore-in-shared-libs)

if(MARQUEE_CUDA)
  find_package(CUDAToolkit 12 REQUIRED)
  if(NOT EXISTS "${_torch}/lib/libtorch_cuda.so")
    message(FATAL_ERROR "MARQUEE_CUDA=ON, but ${_torch}/lib/libtorch_cuda.so is missing: this LibTorch "
            "is a CPU build. scripts/fetch_libtorch --cuda fetches one with CUDA.")
  endif()
  target_link_libraries(marquee_torch INTERFACE -Wl,--no-as-needed "${_torch}/lib/libtorch_cuda.so"
                        "${_torch}/lib/libc10_cuda.so" -Wl,--as-needed CUDA::cudart)
endif()
# NCCL is opened at run time; only its header is needed to compile.
find_path(MARQUEE_NCCL_INCLUDE nccl.h HINTS "${MARQUEE_LIBTORCH}/nvidia/nccl/include"
          "${MARQUEE_LIBTORCH}/../nccl/nvidia/nccl/include")

# marquee_torch_header holds the precompiled workers/torch.h; marquee_use_torch_header(<target>) shares it.
# Even so each file pays some seconds for LibTorch's templates: MARQUEE_UNITY has a few files share them.
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/generated/torch_header.cpp" CONTENT "")
add_library(marquee_torch_header STATIC "${PROJECT_BINARY_DIR}/generated/torch_header.cpp")
target_link_libraries(marquee_torch_header PUBLIC marquee_options marquee_torch)
target_precompile_headers(marquee_torch_header PRIVATE "${PROJECT_SOURCE_DIR}/workers/torch.h")
function(marquee_use_torch_header target)
  target_precompile_headers(${target} REUSE_FROM marquee_torch_header)
  if(MARQUEE_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
  endif()
endfunction()
