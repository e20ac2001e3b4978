# Writes build_info.cpp (version, commit, compiler) anew at each build, only when it changes.
add_custom_target(marquee_build_info_update
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
          "-DCOMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}"
          -DBUILD_TYPE=${CMAKE_BUILD_TYPE} -DCUDA=${MARQUEE_CUDA}
          -DTEMPLATE=${PROJECT_SOURCE_DIR}/cmake/build_info.cpp.in
          -DOUTPUT=${PROJECT_BINARY_DIR}/generated/build_info.cpp
          -P ${PROJECT_SOURCE_DIR}/cmake/write_build_info.cmake
  BYPRODUCTS ${PROJECT_BINARY_DIR}/generated/build_info.cpp
  COMMENT "Recording version and commit" VERBATIM)
