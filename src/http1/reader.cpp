// Beast parses a head that is known to be complete; what it is too lenient about is checked around
// it.
#include "certgate/http1/reader.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "head_scan.hpp"

namespace certgate::http1 {
namespace {

namespace beast_http = boost::beast::http;
using BeastText = boost::beast::string_view;
using BeastError = boost::beast::error_code;

std::string_view view(BeastText text) { return {text.data(), text.size()}; }

http::Version version_of(int version) {
  return version == 10 ? http::Version::http_1_0 : http::Version::http_1_1;
}

enum class Underscores : bool { drop, keep };

// Records views of what Beast finds. Bodies never reach it: the parser is given a head and told to
// skip what follows.
template <bool is_request>
class HeadParser final : public beast_http::basic_parser<is_request> {
 public:
  HeadParser(std::span<http::Field> slots, Underscores underscores)
      : slots_(slots), underscores_(underscores) {}

  std::string_view method;
  std::string_view target;
  std::string_view reason;
  int status = 0;
  int version = 0;
  unsigned dropped = 0;
  bool too_many = false;
  http::Fields fields() const { return http::Fields(slots_.data(), count_); }

 private:
  void on_request_impl(beast_http::verb, BeastText method_text, BeastText target_text, int number,
                       BeastError&) override {
    method = view(method_text);
    target = view(target_text);
    version = number;
  }
  void on_response_impl(int code, BeastText reason_text, int number, BeastError&) override {
    status = code;
    reason = view(reason_text);
    version = number;
  }
  void on_field_impl(beast_http::field, BeastText name_text, BeastText value_text,
                     BeastError& error) override {
    auto const name = view(name_text);
    if (underscores_ == Underscores::drop && name.find('_') != std::string_view::npos) {
      ++dropped;
      return;
    }
    if (count_ == slots_.size()) {
      too_many = true;
      error = beast_http::error::header_limit;
      return;
    }
    slots_[count_++] = http::Field{name, view(value_text), http::field_name(name)};
  }
  void on_header_impl(BeastError&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, BeastError&) override {}
  std::size_t on_body_impl(BeastText, BeastError&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, BeastText, BeastError&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastText, BeastError&) override { return 0; }
  void on_finish_impl(BeastError&) override {}

  std::span<http::Field> slots_;
  std::size_t count_ = 0;
  Underscores underscores_;
};

template <bool is_request>
BeastError parse(HeadParser<is_request>& parser, std::string_view block) {
  parser.header_limit(static_cast<std::uint32_t>(block.size() + 1));
  parser.body_limit(boost::none);
  parser.skip(true);
  BeastError error;
  auto const used = parser.put(boost::asio::const_buffer(block.data(), block.size()), error);
  // The block ends with the empty line, so Beast has to end there too. When it does not, the two
  // disagree about this head: nobody gets to see it.
  if (!error && (used != block.size() || !parser.is_header_done())) {
    error = beast_http::error::partial_message;
  }
  return error;
}

std::string_view reason_of(BeastError const& code) {
  using beast_http::error;
  if (code == error::bad_method) return "bad_method";
  if (code == error::bad_target) return "bad_target_character";
  if (code == error::bad_version) return "bad_version";
  if (code == error::bad_status) return "bad_status";
  if (code == error::bad_reason) return "bad_reason";
  if (code == error::bad_line_ending) return "bare_cr";
  if (code == error::bad_field) return "bad_field_name";
  if (code == error::bad_value) return "bad_field_value";
  if (code == error::bad_content_length) return "bad_length";
  if (code == error::bad_transfer_encoding) return "bad_encoding";
  if (code == error::multiple_content_length) return "repeated_length";
  if (code == error::header_limit) return "head_too_large";
  return "malformed_head";
}

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
  HeadParser<true> parser(slots_, Underscores::drop);
  auto const error = parse(parser, block);
  if (error) {
    if (parser.too_many) return refuse({431, "too_many_fields"});
    if (error == beast_http::error::bad_version && has_other_version(block)) {
      return refuse({505, "bad_version"});
    }
    return refuse({error == beast_http::error::header_limit ? 431 : 400, reason_of(error)});
  }
  if (parser.target.size() > limits_.target_bytes) return refuse({414, "target_too_long"});
  consumed_ = block.size();
  head_.method = parser.method;
  head_.target = parser.target;
  head_.version = version_of(parser.version);
  head_.fields = parser.fields();
  head_.dropped_fields = parser.dropped;
  head_.block = block;
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
  HeadParser<false> parser(slots_, Underscores::keep);
  auto const error = parse(parser, block);
  if (error) return refuse(parser.too_many ? "too_many_fields" : reason_of(error));
  consumed_ = block.size();
  head_.status = parser.status;
  head_.reason = parser.reason;
  head_.version = version_of(parser.version);
  head_.fields = parser.fields();
  head_.block = block;
  return Feed::complete;
}

}  // namespace certgate::http1
