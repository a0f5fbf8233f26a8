// A request in pieces: however it is cut, the reader and the gate say the same, and what they let
// through has one meaning.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "certgate/http/admission.hpp"
#include "certgate/http1/reader.hpp"

using namespace certgate;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string const text(reinterpret_cast<char const*>(data), size);
  std::array<http::Field, 32> slots;
  std::array<http::Field, 32> other_slots;
  http1::RequestReader whole(slots, {.bytes = 4096, .target_bytes = 1024});
  http1::RequestReader pieces(other_slots, {.bytes = 4096, .target_bytes = 1024});
  auto const fed = whole.feed(text);
  auto again = http1::Feed::need_more;
  for (std::size_t n = 1; n <= size && again == http1::Feed::need_more; ++n) {
    again = pieces.feed(std::string_view(text).substr(0, n));
  }
  if (again != fed) std::abort();
  http1::ResponseReader response(other_slots);
  if (response.feed(text) == http1::Feed::complete) {
    static_cast<void>(http::frame_response(response.head(), "GET"));
  }
  if (fed != http1::Feed::complete) return 0;
  std::string target(http::target_scratch_bytes(1024), '\0');
  http::AdmissionScratch scratch{{}, {}, target};
  auto const admitted = http::admit_request(whole.head(), http::Normalisation::cloudflare, scratch);
  if (!admitted) return 0;
  for (auto const& field : whole.head().fields) {
    if (field.name.find('_') != std::string_view::npos) std::abort();
    if (field.value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
      std::abort();
    }
  }
  if (http::count(whole.head().fields, http::FieldName::host) > 1) std::abort();
  return 0;
}
