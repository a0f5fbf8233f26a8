// The fields of a body are filled or refused, and each part is a piece of the body.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "certgate/policy/sample_request.hpp"

using namespace certgate;

// The first line is Content-Type, the rest the body; what is judged is all of it, then half.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  auto const line = text.substr(0, text.find('\n'));
  for (char const c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return 0;
  }
  policy::SampleText sample;
  sample.method = "POST";
  sample.url = "https://a.example/";
  sample.headers = {{"Content-Type", std::string{line}}};
  sample.body = std::string{text.substr(std::min(line.size() + 1, text.size()))};
  rules::FieldSet fields;
  for (auto id = policy::id_of(policy::Field::body_raw); policy::is_body_field(id); ++id) {
    fields.insert(id);
  }
  policy::FillPlan const plan{fields};
  static policy::Scratch scratch;
  for (auto const judged : {sample.body->size(), sample.body->size() / 2}) {
    sample.judged_body_bytes = judged;
    auto const request =
        policy::SampleRequest::build(sample, nullptr, http::Normalisation::rfc3986, 0);
    if (!request || (*request)->refusal()) return 0;
    if (!policy::fill_values((*request)->facts(), plan, scratch)) continue;
    auto const content = (*request)->facts().body->content;
    auto const parts =
        scratch.values()[policy::id_of(policy::Field::body_multipart_values)].as_array();
    for (auto const& part : parts) {
      auto const bytes = part.as_bytes();
      if (bytes.empty()) continue;
      if (bytes.data() < content.data() ||
          bytes.data() + bytes.size() > content.data() + content.size()) {
        std::abort();
      }
    }
    auto const names = scratch.values()[policy::id_of(policy::Field::body_multipart_names)];
    if (names.as_array().size() != parts.size()) std::abort();
  }
  return 0;
}
