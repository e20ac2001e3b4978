// What stands for a cudaStream_t where the device is this process: a way to give it work in C, as
// a library that knows nothing of the project does.
#pragma once

extern "C" struct HostStreamHandle {
  void* stream = nullptr;
  void (*give)(void* stream, void (*work)(void* argument), void* argument) = nullptr;
};
