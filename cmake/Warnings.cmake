# marquee_options: what every target of ours is compiled with (warnings, sanitizers, include root).
add_library(marquee_options INTERFACE)
target_include_directories(marquee_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(marquee_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                       -Woverloaded-virtual)
# GCC 12 warns about its own std::string (bug 105651) and about JSON values that move.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(marquee_options INTERFACE -Wno-restrict -Wno-maybe-uninitialized
                         -Wno-stringop-overflow)
endif()
if(MARQUEE_WERROR)
  target_compile_options(marquee_options INTERFACE -Werror)
endif()
if(MARQUEE_SANITIZE)
  target_compile_options(marquee_options INTERFACE -fsanitize=${MARQUEE_SANITIZE}
                         -fno-omit-frame-pointer)
  target_link_options(marquee_options INTERFACE -fsanitize=${MARQUEE_SANITIZE})
endif()

# marquee_add_library(<folder> SOURCES ... LINK ... [PRIVATE ...]): static library marquee_<folder>
# with the alias marquee::<folder>.
function(marquee_add_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE" ${ARGN})
  add_library(marquee_${folder} STATIC ${ARG_SOURCES})
  add_library(marquee::${folder} ALIAS marquee_${folder})
  target_link_libraries(marquee_${folder} PUBLIC marquee_options ${ARG_LINK} PRIVATE ${ARG_PRIVATE})
endfunction()
