// Wakes sleeping processes of the same host: MPI has no wait that sleeps, so who sends a message
// rings as well. A socket with a name that the kernel chooses; the address tells whose kernel
// (host, boot and network namespace), and an address of elsewhere is not rung. A ring carries
// nothing and may get lost: sleepers look by themselves now and then. Not thread safe.
#pragma once

#include <string>

namespace marquee::cluster {

class Doorbell {
 public:
  Doorbell();  // throws environment when there is no socket to be had
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;
  ~Doorbell();

  const std::string& address() const { return address_; }
  // Never blocks and never fails: nobody there, another host, a text that is no address.
  void ring(const std::string& address) const;
  // Readable once somebody has rung.
  int fd() const { return fd_; }
  // Whether somebody has rung since the last call.
  bool answer() const;

 private:
  int fd_ = -1;
  std::string address_;
};

}  // namespace marquee::cluster
