// Base64 (RFC 4648, with padding), by OpenSSL: bytes within text.
#pragma once

#include <string>
#include <string_view>

namespace marquee::cluster {

std::string base64(std::string_view bytes);

}  // namespace marquee::cluster
