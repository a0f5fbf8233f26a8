#include "certgate/pki/mobile_config.hpp"

#include "certgate/base/encoding.hpp"

namespace certgate::pki {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (char const c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// RFC 9562 §5.8: version 8 is for identifiers made in a way of one's own, here from SHA-256.
std::string uuid_from(std::string_view seed) {
  auto bytes = sha256(seed).substr(0, 16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x80);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  auto const hex = format_hex(as_bytes(bytes), HexCase::upper);
  return hex.substr(0, 8) + '-' + hex.substr(8, 4) + '-' + hex.substr(12, 4) + '-' +
         hex.substr(16, 4) + '-' + hex.substr(20);
}

class Dictionary {
 public:
  explicit Dictionary(std::string& out) : out_(out) { out_ += "<dict>\n"; }
  ~Dictionary() { out_ += "</dict>\n"; }
  Dictionary(Dictionary const&) = delete;
  Dictionary& operator=(Dictionary const&) = delete;
  void text(std::string_view key, std::string_view value) {
    out_ += "<key>" + std::string(key) + "</key><string>" + escaped(value) + "</string>\n";
  }
  void data(std::string_view key, std::string_view bytes) {
    out_ +=
        "<key>" + std::string(key) + "</key><data>" + format_base64(as_bytes(bytes)) + "</data>\n";
  }
  void raw(std::string_view key, std::string_view xml) {
    out_ += "<key>" + std::string(key) + "</key>" + std::string(xml) + '\n';
  }

 private:
  std::string& out_;
};

void add_payload_head(Dictionary& payload, MobileConfigOrder const& order, std::string_view type,
                      std::string const& identifier) {
  payload.text("PayloadType", type);
  payload.raw("PayloadVersion", "<integer>1</integer>");
  payload.text("PayloadIdentifier", identifier);
  payload.text("PayloadUUID", uuid_from(identifier));
  if (!order.organization.empty()) payload.text("PayloadOrganization", order.organization);
}

}  // namespace

std::string format_mobile_config(MobileConfigOrder const& order) {
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
      "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
      "<plist version=\"1.0\">\n";
  {
    Dictionary profile(out);
    add_payload_head(profile, order, "Configuration", order.identifier);
    profile.text("PayloadDisplayName", order.display_name);
    profile.raw("PayloadRemovalDisallowed", "<false/>");
    out += "<key>PayloadContent</key><array>\n";
    {
      Dictionary identity(out);
      add_payload_head(identity, order, "com.apple.security.pkcs12",
                       order.identifier + ".identity");
      identity.text("PayloadDisplayName", order.display_name);
      identity.text("PayloadCertificateFileName", "identity.p12");
      identity.data("PayloadContent", order.pkcs12);
      if (!order.password.empty()) identity.text("Password", order.password);
    }
    for (std::size_t i = 0; i < order.authorities.size(); ++i) {
      auto const& authority = order.authorities[i];
      Dictionary certificate(out);
      add_payload_head(certificate, order, "com.apple.security.root",
                       order.identifier + ".authority-" + std::to_string(i + 1));
      certificate.text("PayloadDisplayName", authority.subject().common_name);
      certificate.text("PayloadCertificateFileName", "authority.cer");
      certificate.data("PayloadContent", authority.der());
    }
    out += "</array>\n";
  }
  return out + "</plist>\n";
}

}  // namespace certgate::pki
