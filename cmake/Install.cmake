# cmake --install: the programs, the shipped bases and experiments, and what the programs write about
# themselves: completion for shells and the manual.
include(GNUInstallDirs)
install(TARGETS marquee marquee-simulated-trainer RUNTIME)
if(MARQUEE_TRAINER)
  install(TARGETS marquee-trainer RUNTIME)
endif()
# Where programs in bin/ look for them.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/assets" DESTINATION share/marquee)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/experiments" DESTINATION share/marquee FILES_MATCHING PATTERN "*.yaml")
# Written by the programs of the build folder, which run here.
install(CODE "
  set(to \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}\")
  execute_process(COMMAND \"$<TARGET_FILE:marquee>\" completion --install \"\${to}\" COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND \"$<TARGET_FILE:marquee>\" man --out \"\${to}/share/man/man1\" COMMAND_ERROR_IS_FATAL ANY)")
