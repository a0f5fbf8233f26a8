// Runs a request, head and body, through everything that stands before a decision.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/http/admission.hpp"
#include "certgate/http1/chunked.hpp"
#include "certgate/http1/reader.hpp"

namespace certgate::http1::testing {

// What became of a request.
struct Outcome {
  std::string verdict;  // "ok", "more", or "400 reason"
  std::string body;
  std::string leftover;  // what would be read as the next request
  friend bool operator==(Outcome const&, Outcome const&) = default;
};

inline std::string format_refusal(http::Refusal const& refusal) {
  return std::to_string(refusal.status) + " " + std::string(refusal.reason);
}

// `pieces`: the input arrives in these portions, in a buffer that moves each time it grows.
inline Outcome run_request(std::vector<std::string_view> const& pieces, HeadLimits limits = {},
                           std::size_t max_fields = default_max_fields) {
  std::vector<http::Field> slots(max_fields);
  std::vector<char> target_scratch(http::target_scratch_bytes(limits.target_bytes));
  http::AdmissionScratch scratch{{}, {}, target_scratch};
  RequestReader reader(slots, limits);
  std::string all;
  std::size_t next = 0;
  Feed fed = Feed::need_more;
  while (fed == Feed::need_more && next < pieces.size()) {
    std::string grown = all + std::string(pieces[next++]);
    all.swap(grown);
    fed = reader.feed(all);
  }
  if (fed == Feed::need_more) return {"more", {}, {}};
  if (fed == Feed::refused) return {format_refusal(reader.refusal()), {}, {}};
  auto const admitted = http::admit_request(reader.head(), http::Normalisation::rfc3986, scratch);
  if (!admitted) return {format_refusal(admitted.error()), {}, {}};

  auto const framing = admitted->framing.body;
  Outcome outcome{"ok", {}, {}};
  std::string rest = all.substr(reader.consumed());
  if (framing.kind == http::BodyKind::length) {
    while (rest.size() < framing.length && next < pieces.size()) rest += pieces[next++];
    if (rest.size() < framing.length) return {"more", {}, {}};
    outcome.body = rest.substr(0, framing.length);
    rest.erase(0, framing.length);
  } else if (framing.kind == http::BodyKind::chunked) {
    ChunkedDecoder decoder;
    while (true) {
      auto const decoded = decoder.decode(rest);
      outcome.body += decoded.data;
      if (decoded.status == ChunkedDecoder::Status::refused) {
        return {"400 " + std::string(decoder.reason()), {}, {}};
      }
      rest.erase(0, decoded.consumed);
      if (decoded.status == ChunkedDecoder::Status::complete) break;
      if (next == pieces.size()) return {"more", {}, {}};
      rest += pieces[next++];
    }
  }
  while (next < pieces.size()) rest += pieces[next++];
  outcome.leftover = rest;
  return outcome;
}

inline std::vector<std::string_view> byte_by_byte(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < text.size(); ++i) pieces.push_back(text.substr(i, 1));
  return pieces;
}

}  // namespace certgate::http1::testing
