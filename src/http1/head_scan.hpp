// Finds the end of a head without looking at any byte twice.
#pragma once

#include <cstring>
#include <string_view>

#include "certgate/http1/reader.hpp"

namespace certgate::http1 {

enum class Scan : unsigned char { need_more, complete, empty_start, bare_lf, fold, too_large };

// `scanned`: where to go on; `line`: where the current line begins. After `complete` the head ends
// at `scanned`.
inline Scan scan_head(std::string_view received, std::size_t limit, std::size_t& scanned,
                      std::size_t& line) {
  char const* const begin = received.data();
  while (scanned < received.size()) {
    auto const* const found =
        static_cast<char const*>(std::memchr(begin + scanned, '\n', received.size() - scanned));
    if (found == nullptr) break;
    auto const at = static_cast<std::size_t>(found - begin);
    if (at >= limit) return Scan::too_large;
    // RFC 9112 §2.2 lets a recipient take a bare LF for a line end; who does so may disagree with
    // its neighbour about where the head ends.
    if (at == line || begin[at - 1] != '\r') return Scan::bare_lf;
    bool const empty = at - 1 == line;
    if (line == 0) {
      if (empty) return Scan::empty_start;
    } else if (begin[line] == ' ' || begin[line] == '\t') {
      // RFC 9112 §5.2: "A server that receives an obs-fold in a request message that is not within
      // a message/http container MUST either reject the message by sending a 400 (Bad Request) …".
      return Scan::fold;
    }
    scanned = at + 1;
    if (line != 0 && empty) return Scan::complete;
    line = scanned;
  }
  scanned = received.size();
  return received.size() >= limit ? Scan::too_large : Scan::need_more;
}

}  // namespace certgate::http1
