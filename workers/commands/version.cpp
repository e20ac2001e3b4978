// marquee-trainer --version, which `marquee --version` shows too.
#include <iostream>

#include <hdf5.h>

#include <torch/version.h>

#include "cluster/build_info.h"
#include "workers/commands/commands.h"

namespace marquee::workers {

int version_command(const cluster::Arguments&) {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  std::cout << cluster::build_text("marquee-trainer") << "libtorch  " << TORCH_VERSION << "\n"
            << "cuda      " << (cluster::built_with_cuda() ? "yes" : "no") << "\n"
            << "hdf5      " << major << "." << minor << "." << release << "\n";
  return 0;
}

}  // namespace marquee::workers
