// Waits for a head's end, then has it taken apart in one pass.
#include "certgate/http1/reader.hpp"

#include "head_parser.hpp"
#include "head_scan.hpp"

namespace certgate::http1 {
namespace {

http::Refusal refusal_of(Scan scan) {
  switch (scan) {
    case Scan::empty_start:
      return {400, "empty_line"};
    case Scan::bare_lf:
      return {400, "bare_lf"};
    case Scan::fold:
      return {400, "folded_field"};
    default:
      return {431, "head_too_large"};
  }
}

// The request line ends in a version that is well formed but neither 1.0 nor 1.1.
bool has_other_version(std::string_view block) {
  auto const line = block.substr(0, block.find('\r'));
  if (line.size() < 10) return false;
  auto const version = line.substr(line.size() - 9);
  auto const digit = [](char c) { return c >= '0' && c <= '9'; };
  return version.starts_with(" HTTP/") && digit(version[6]) && version[7] == '.' &&
         digit(version[8]) && version != " HTTP/1.0" && version != " HTTP/1.1";
}

}  // namespace

Feed RequestReader::feed(std::string_view received) {
  if (received.empty()) return Feed::need_more;
  auto const refuse = [this](http::Refusal refusal) {
    refusal_ = refusal;
    return Feed::refused;
  };
  // What is no HTTP at all is refused at its first byte.
  if (scanned_ == 0 && !http::is_token(received.substr(0, 1))) {
    bool const line_end = received.front() == '\r' || received.front() == '\n';
    return refuse({400, line_end ? "empty_line" : "bad_method"});
  }
  auto const scan = scan_head(received, limits_.bytes, scanned_, line_);
  // Method, spaces and version are not much longer than this. Told early, for the rest of an
  // endless target need not be waited for.
  std::size_t const start_line = limits_.target_bytes + 64;
  if (line_ == 0 && received.size() > start_line &&
      (scan == Scan::need_more || scan == Scan::too_large)) {
    return refuse({414, "target_too_long"});
  }
  if (scan == Scan::need_more) return Feed::need_more;
  if (scan != Scan::complete) return refuse(refusal_of(scan));

  auto const block = received.substr(0, scanned_);
  FieldLines lines{slots_, Underscores::drop};
  auto const flaw = parse_request_head(block, head_, lines);
  if (flaw == Flaw::too_many_fields) return refuse({431, name_of(flaw)});
  if (flaw == Flaw::bad_version && has_other_version(block)) return refuse({505, name_of(flaw)});
  if (flaw != Flaw::none) return refuse({400, name_of(flaw)});
  if (head_.target.size() > limits_.target_bytes) return refuse({414, "target_too_long"});
  consumed_ = block.size();
  return Feed::complete;
}

Feed ResponseReader::feed(std::string_view received) {
  if (received.empty()) return Feed::need_more;
  auto const refuse = [this](std::string_view reason) {
    refusal_ = {502, reason};
    return Feed::refused;
  };
  if (scanned_ == 0 && received.front() != 'H') return refuse("bad_version");
  auto const scan = scan_head(received, limits_.bytes, scanned_, line_);
  if (scan == Scan::need_more) return Feed::need_more;
  if (scan != Scan::complete) return refuse(refusal_of(scan).reason);

  auto const block = received.substr(0, scanned_);
  FieldLines lines{slots_, Underscores::keep};
  auto const flaw = parse_response_head(block, head_, lines);
  if (flaw != Flaw::none) return refuse(name_of(flaw));
  consumed_ = block.size();
  return Feed::complete;
}

}  // namespace certgate::http1
