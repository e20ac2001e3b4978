#include "cluster/base64.h"

#include <climits>

#include <openssl/evp.h>

#include "cluster/error.h"

namespace marquee::cluster {

std::string base64(std::string_view bytes) {
  MARQUEE_CHECK(bytes.size() <= INT_MAX / 2, "base64: too many bytes");
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends it with a NUL
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

}  // namespace marquee::cluster
