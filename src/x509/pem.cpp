// Splits PEM text into blocks and reads certificates and CRLs out of them, all or nothing.
#include "certgate/x509/pem.hpp"

#include <algorithm>

namespace certgate::x509 {
namespace {

constexpr std::string_view begin_mark = "-----BEGIN ";
constexpr std::string_view end_mark = "-----END ";
constexpr std::string_view dashes = "-----";

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) {
    line.remove_suffix(1);
  }
  return line;
}

// Takes the lines of a text one by one, counting from 1.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);  // a byte order mark
  }
  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    std::size_t const end = rest_.find('\n');
    line = trimmed(rest_.substr(0, end));
    ends_ = end != rest_.npos;
    rest_ = ends_ ? rest_.substr(end + 1) : std::string_view{};
    ++number_;
    return true;
  }
  std::size_t number() const { return number_; }
  // Whether the line taken last had an end; the last line of a file cut off has none.
  bool ends() const { return ends_; }
  // How far off the next `c` is, or the end.
  std::size_t bytes_until(char c) const { return std::min(rest_.find(c), rest_.size()); }

 private:
  std::string_view rest_;
  bool ends_ = true;
  std::size_t number_ = 0;
};

std::string block_name(std::size_t index, std::size_t line) {
  return "block " + std::to_string(index) + " (line " + std::to_string(line) + ")";
}

// "a private key" for "EC PRIVATE KEY": what a person calls it.
std::string kind_of(std::string_view label) {
  if (label.ends_with("PRIVATE KEY")) return "a private key";
  if (label.ends_with("PUBLIC KEY")) return "a public key";
  if (label == "CERTIFICATE" || label == "X509 CERTIFICATE") return "a certificate";
  if (label == "TRUSTED CERTIFICATE") return "an OpenSSL TRUSTED CERTIFICATE";
  if (label == "X509 CRL") return "a CRL";
  if (label.ends_with("CERTIFICATE REQUEST")) return "a certificate request";
  if (label == "PKCS7" || label == "CMS") return "a PKCS#7 bundle";
  std::string quoted(1, '"');
  quoted.append(label.substr(0, 40)).push_back('"');
  return quoted;
}

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= 64 &&
         std::all_of(label.begin(), label.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '#';
         });
}

// The label of a "-----BEGIN LABEL-----" line, or "".
std::string_view marked_label(std::string_view line, std::string_view mark) {
  if (!line.starts_with(mark) || !line.ends_with(dashes) ||
      line.size() < mark.size() + dashes.size()) {
    return {};
  }
  return line.substr(mark.size(), line.size() - mark.size() - dashes.size());
}

bool is_base64(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/' || c == '=';
}

std::string incomplete(std::string const& name) {
  return name + " is damaged: its base64 is not complete";
}

// Reads the body of a block up to its END line.
Result<PemBlock> read_block(Lines& lines, std::string_view label, std::size_t index) {
  PemBlock block{std::string(label), {}, lines.number()};
  std::string const name = block_name(index, block.line);
  // A list of a million entries has a million lines: it grows once, and each line is read once.
  block.der.reserve(lines.bytes_until('-') / 4 * 3);
  Base64Decoder base64(block.der);
  for (std::string_view line; lines.next(line);) {
    if (line.starts_with(dashes)) {
      std::string_view const end = marked_label(line, end_mark);
      if (end != label) {
        return fail(ErrorCode::invalid, name + " is cut off: line " +
                                            std::to_string(lines.number()) + " should be END " +
                                            block.label);
      }
      if (!base64.finish() || block.der.empty()) return fail(ErrorCode::invalid, incomplete(name));
      return block;
    }
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    if (base64.decode(line)) continue;
    if (line.find(':') != line.npos) {
      return fail(ErrorCode::invalid,
                  name + " is encrypted or has headers (" + kind_of(label) + "); remove them");
    }
    if (std::all_of(line.begin(), line.end(), is_base64)) {
      return fail(ErrorCode::invalid, incomplete(name));
    }
    return fail(ErrorCode::invalid, name + " is damaged: line " + std::to_string(lines.number()) +
                                        " is not base64");
  }
  return fail(ErrorCode::invalid, name + " is cut off: there is no END " + block.label);
}

std::string no_block(std::string_view text, std::string_view expected) {
  if (text.find_first_not_of(" \t\r\n") == text.npos) {
    return "is empty; " + std::string(expected) + " is expected";
  }
  if (text.starts_with('\x30')) {
    return "is binary (DER); " + std::string(expected) + " is expected";
  }
  return "holds no PEM block; " + std::string(expected) + " is expected";
}

Result<std::vector<PemBlock>> blocks_of(std::string_view text, std::string_view expected) {
  std::vector<PemBlock> blocks;
  Lines lines(text);
  for (std::string_view line; lines.next(line);) {
    bool const is_cut_off = !lines.ends() && !line.empty() && dashes.starts_with(line);
    if (!line.starts_with(dashes) && !is_cut_off) continue;  // explanatory text
    std::string_view const label = marked_label(line, begin_mark);
    if (!is_label(label)) {
      return fail(ErrorCode::invalid,
                  "line " + std::to_string(lines.number()) + " is not a whole BEGIN line");
    }
    CERTGATE_TRY(auto block, read_block(lines, label, blocks.size() + 1));
    blocks.push_back(std::move(block));
  }
  if (blocks.empty()) return fail(ErrorCode::invalid, no_block(text, expected));
  return blocks;
}

std::string not_a(std::string_view expected, PemBlock const& block, std::size_t index) {
  return block_name(index, block.line) + " is " + kind_of(block.label) + ", not " +
         std::string(expected);
}

}  // namespace

Result<std::vector<PemBlock>> parse_pem(std::string_view text) { return blocks_of(text, "PEM"); }

std::string format_pem(std::string_view label, Bytes der) {
  std::string const base64 = format_base64(der);
  std::string out;
  out.reserve(base64.size() + base64.size() / 64 + 2 * label.size() + 40);
  out.append(begin_mark).append(label).append("-----\n");
  for (std::size_t at = 0; at < base64.size(); at += 64) {
    out.append(base64, at, 64).push_back('\n');
  }
  return out.append(end_mark).append(label).append("-----\n");
}

Result<std::vector<Certificate::Pointer>> parse_certificates(std::string_view text) {
  CERTGATE_TRY(auto const blocks, blocks_of(text, "a certificate as PEM"));
  std::vector<Certificate::Pointer> certificates;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].label != "CERTIFICATE" && blocks[i].label != "X509 CERTIFICATE") {
      return fail(ErrorCode::invalid, not_a("a certificate", blocks[i], i + 1));
    }
    auto certificate = Certificate::parse_der(as_bytes(blocks[i].der));
    if (!certificate) {
      return fail(certificate.error().code,
                  block_name(i + 1, blocks[i].line) + ": " + certificate.error().detail);
    }
    certificates.push_back(*std::move(certificate));
  }
  return certificates;
}

Result<std::vector<Crl::Pointer>> parse_crls(std::string_view text) {
  std::vector<Crl::Pointer> crls;
  if (text.starts_with('\x30')) {
    CERTGATE_TRY(auto crl, Crl::parse_der(std::string(text)));
    crls.push_back(std::move(crl));
    return crls;
  }
  CERTGATE_TRY(auto blocks, blocks_of(text, "a CRL as PEM or DER"));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].label != "X509 CRL") {
      return fail(ErrorCode::invalid, not_a("a CRL", blocks[i], i + 1));
    }
    auto crl = Crl::parse_der(std::move(blocks[i].der));
    if (!crl) {
      return fail(crl.error().code, block_name(i + 1, blocks[i].line) + ": " + crl.error().detail);
    }
    crls.push_back(*std::move(crl));
  }
  return crls;
}

}  // namespace certgate::x509
