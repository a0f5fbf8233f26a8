// Reads a CertificateList's frame and checks every entry once (RFC 5280 §5.1 and §5.2).
#include <algorithm>

#include "certgate/x509/crl.hpp"
#include "certgate/x509/name.hpp"
#include "crl_parts.hpp"
#include "der.hpp"
#include "object_names.hpp"

namespace certgate::x509 {

class CrlReader {
 public:
  static Result<Crl::Pointer> read(std::string der) {
    if (der.size() > max_crl_bytes) {
      return fail(ErrorCode::exhausted, "the CRL is larger than 512 MiB");
    }
    auto crl = std::make_shared<Crl>(Crl::Private{});
    crl->der_ = std::move(der);
    CrlReader reader(*crl);
    if (char const* const wrong = reader.read_all()) {
      return fail(ErrorCode::invalid, std::string("not a CRL: ") + wrong);
    }
    return Crl::Pointer(std::move(crl));
  }

 private:
  explicit CrlReader(Crl& crl) : out_(crl) {}

  // Null, or what is wrong.
  char const* read_all() {
    der::Reader outer(as_bytes(out_.der_)), list;
    der::Element tbs, algorithm;
    if (!outer.enter(der::sequence, list)) return "it is not DER";
    if (!outer.empty()) return "there are bytes after its end";
    Bytes signature;
    if (!list.next(der::sequence, tbs) || !list.next(der::sequence, algorithm) ||
        !list.next(der::bit_string, signature) || !list.empty() || signature.empty() ||
        signature[0] != 0) {
      return "it is not a signed structure";
    }
    out_.tbs_ = tbs.whole;
    out_.signature_algorithm_ = algorithm.whole;
    out_.signature_ = signature.subspan(1);
    return read_tbs(der::Reader(tbs.content));
  }

  char const* read_tbs(der::Reader tbs) {
    Bytes version;
    if (tbs.next(der::integer, version) && (version.size() != 1 || version[0] != 1)) {
      return "its version is not known";
    }
    bool const is_v2 = !version.empty();
    der::Element algorithm, issuer, time;
    if (!tbs.next(der::sequence, algorithm)) return "its signature algorithm is broken";
    // RFC 5280 §5.1.2.2: "This field MUST contain the same algorithm identifier as the
    // signatureAlgorithm field in the sequence CertificateList".
    if (as_text(algorithm.whole) != as_text(out_.signature_algorithm_)) {
      return "its two signature algorithms differ";
    }
    if (!tbs.next(der::sequence, issuer)) return "its issuer is broken";
    auto dn = format_name(issuer.whole, NameForm::rfc4514);
    if (!dn) return "its issuer is broken";
    out_.issuer_ = issuer.whole;
    out_.issuer_dn_ = *std::move(dn);
    if (!tbs.next(time)) return "its thisUpdate is missing";
    auto const this_update = der::parse_time(time.tag, time.content);
    if (!this_update) return "its thisUpdate is broken";
    out_.this_update_ = *this_update;
    if (der::is_time(tbs.peek())) {
      tbs.next(time);
      out_.next_update_ = der::parse_time(time.tag, time.content);
      if (!out_.next_update_) return "its nextUpdate is broken";
    }
    if (tbs.next(der::sequence, out_.entries_)) {
      der::Reader entries(out_.entries_);
      for (CrlEntry entry; !entries.empty(); ++out_.entry_count_) {
        if (!read_crl_entry(entries, entry, &out_.unusable_)) return "an entry is broken";
      }
    }
    if (!tbs.empty()) {
      der::Reader explicit_tag, extensions;
      if (!is_v2 || !tbs.enter(der::context_constructed(0), explicit_tag) || !tbs.empty() ||
          !explicit_tag.enter(der::sequence, extensions) || !explicit_tag.empty()) {
        return "its extensions are broken";
      }
      while (!extensions.empty()) {
        if (char const* const wrong = read_extension(extensions)) return wrong;
      }
    }
    if (out_.is_delta() && !out_.number_) unusable("is a delta CRL without a CRL number");
    set_scope();
    return nullptr;
  }

  char const* read_extension(der::Reader& list) {
    CrlExtension extension;
    if (!next_extension(list, extension)) return "an extension is broken";
    if (extension.number != 0 && extension.number < 64) {
      if ((seen_ >> extension.number & 1) != 0) return "an extension is there twice";
      seen_ |= std::uint64_t{1} << extension.number;
    }
    switch (extension.number) {
      case 20:
        return read_number(extension.value, out_.number_);
      case 27:
        return read_number(extension.value, out_.base_number_);
      case 28:
        return read_issuing_distribution_point(extension.value);
      case 35:
        return read_authority_key_id(extension.value);
      case 46:
        out_.freshest_crl_ = extension.value;
        break;  // RFC 5280 §5.2.6: "The extension MUST be marked as non-critical by conforming CRL issuers."
      default:
        break;
    }
    if (extension.critical) {
      unusable("has a critical extension that is not understood (" + format_oid(extension.oid) +
               ")");
    }
    return nullptr;
  }

  char const* read_number(Bytes value, std::optional<Bytes>& number) {
    der::Reader reader(value);
    Bytes content;
    // RFC 5280 §5.2.3: "CRL issuers MUST NOT use CRLNumber values longer than 20 octets."
    if (!reader.next(der::integer, content) || !reader.empty() || !der::is_integer(content) ||
        content[0] >= 0x80 || content.size() > 21) {
      return "its CRL number is broken";
    }
    number = der::magnitude_of(content);
    return nullptr;
  }

  char const* read_authority_key_id(Bytes value) {
    der::Reader outer(value), reader;
    if (!outer.enter(der::sequence, reader) || !outer.empty()) {
      return "its authority key identifier is broken";
    }
    if (Bytes id; reader.next(der::context(0), id)) {
      out_.authority_key_id_ = format_hex(id, HexCase::upper);
    }
    return nullptr;
  }

  char const* read_issuing_distribution_point(Bytes value) {
    constexpr char const* broken = "its issuing distribution point is broken";
    der::Reader outer(value), reader;
    if (!outer.enter(der::sequence, reader) || !outer.empty()) return broken;
    bool only_attribute = false, indirect = false;
    for (der::Element element; !reader.empty();) {
      if (!reader.next(element)) return broken;
      auto const flag = [&](bool& to) {
        auto const set = der::parse_boolean(element.content);
        to = set.value_or(false);
        return set.has_value();
      };
      bool good = true;
      switch (element.tag) {
        case der::context_constructed(0):
          good = read_point_name(element.content);
          break;
        case der::context(1):
          good = flag(out_.only_user_);
          break;
        case der::context(2):
          good = flag(out_.only_ca_);
          break;
        case der::context(3):
          unusable("covers only some reasons for revocation");
          break;
        case der::context(4):
          good = flag(indirect);
          break;
        case der::context(5):
          good = flag(only_attribute);
          break;
        default:
          good = false;
          break;
      }
      if (!good) return broken;
    }
    if (indirect) unusable("is an indirect CRL");
    if (only_attribute) unusable("is for attribute certificates only");
    if (out_.only_user_ && out_.only_ca_) return broken;
    return nullptr;
  }

  bool read_point_name(Bytes content) {
    der::Reader name(content), full;
    if (name.peek() == der::context_constructed(1)) {
      unusable("names its distribution point relative to its issuer");
      return true;
    }
    if (!name.enter(der::context_constructed(0), full) || !name.empty() || full.empty()) {
      return false;
    }
    for (der::Element element; !full.empty();) {
      if (!full.next(element)) return false;
      out_.point_names_.push_back(element.whole);
    }
    return true;
  }

  void set_scope() {
    std::vector<std::string_view> names;
    for (Bytes const name : out_.point_names_) names.push_back(as_text(name));
    std::sort(names.begin(), names.end());
    std::string text = out_.only_user_ ? "user;" : out_.only_ca_ ? "ca;" : "all;";
    for (std::string_view const name : names) text.append(name);
    out_.scope_ = sha256(as_bytes(text));
  }

  void unusable(std::string why) {
    if (out_.unusable_.empty()) out_.unusable_ = std::move(why);
  }

  Crl& out_;
  std::uint64_t seen_ = 0;
};

Result<Crl::Pointer> Crl::parse_der(std::string der) { return CrlReader::read(std::move(der)); }

}  // namespace certgate::x509
