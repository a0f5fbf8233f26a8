// What certgate would send to an origin is read back: it must be one request, framed canonically,
// without anything the client was not allowed to say.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "certgate/http/admission.hpp"
#include "certgate/http/forward.hpp"
#include "certgate/http1/reader.hpp"

using namespace certgate;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string const text(reinterpret_cast<char const*>(data), size);
  std::array<http::Field, 64> slots;
  http1::RequestReader reader(slots);
  if (reader.feed(text) != http1::Feed::complete) return 0;
  std::string target(http::target_scratch_bytes(8192), '\0');
  http::AdmissionScratch scratch{{}, {}, target};
  auto const admitted = http::admit_request(reader.head(), http::Normalisation::rfc3986, scratch);
  if (!admitted) return 0;
  static http::ForwardingPolicy const policy;
  http::ForwardValues values;
  values.origin_form = admitted->target.origin_form;
  values.client_ip = "192.0.2.1";
  values.host = admitted->authority.host;
  values.request_id = "id";
  std::string out;
  http::append_request_head(out, reader.head(), admitted->framing, policy, values);
  http::append_host(out, "origin");

  std::array<http::Field, 128> sent_slots;
  http1::RequestReader sent(sent_slots, {.bytes = 1 << 20, .target_bytes = 1 << 16});
  if (sent.feed(out) != http1::Feed::complete || sent.consumed() != out.size()) std::abort();
  auto const framing = http::frame_request(sent.head());
  if (!framing || framing->host != "origin") std::abort();
  bool const was_empty = !admitted->framing.body.has_body();
  if (was_empty ? framing->body.has_body() : framing->body != admitted->framing.body) std::abort();
  auto const identity = http::ProtectedFields::identity();
  for (auto const& field : sent.head().fields) {
    if (identity.matches(field.name)) std::abort();
  }
  return 0;
}
