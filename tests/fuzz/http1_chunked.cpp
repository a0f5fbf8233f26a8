// The first byte says how long each piece is: pieces and whole must decode to the same body.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "certgate/http1/chunked.hpp"

using certgate::http1::ChunkedDecoder;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  std::size_t const step = data[0] % 64 + 1;
  std::string const text(reinterpret_cast<char const*>(data) + 1, size - 1);
  std::string copy = text;
  ChunkedDecoder whole;
  auto const all = whole.decode(copy);
  ChunkedDecoder pieces;
  std::string body;
  auto status = ChunkedDecoder::Status::need_more;
  std::size_t at = 0;
  while (at < text.size() && status == ChunkedDecoder::Status::need_more) {
    auto piece = text.substr(at, step);
    auto const decoded = pieces.decode(piece);
    if (status = decoded.status; status == ChunkedDecoder::Status::refused) break;
    body += decoded.data;
    at += decoded.consumed;
  }
  if (status != all.status) std::abort();
  if (status != ChunkedDecoder::Status::refused && (body != all.data || at != all.consumed)) {
    std::abort();
  }
  return 0;
}
