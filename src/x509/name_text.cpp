// Writes names as OpenSSL writes them, length-exact: X509_NAME_print_ex with XN_FLAG_RFC2253 (with
// and without escaping of bytes above 0x7F) and X509_NAME_oneline.
#include "name_text.hpp"

#include "der.hpp"
#include "object_names.hpp"

namespace certgate::x509 {
namespace {

constexpr std::uint32_t not_a_character = 0xFFFFFFFF;

// How many bytes a character of this string type has: 0 for UTF-8, -1 for what is not a string of
// characters (shown as hexadecimal DER).
int bytes_per_character(std::uint8_t tag) {
  switch (tag) {
    case 12:
      return 0;  // UTF8String
    case 18:
    case 19:
    case 20:
    case 22:
    case 23:
    case 24:
    case 26:
      return 1;
    case 28:
      return 4;  // UniversalString
    case 30:
      return 2;  // BMPString
    default:
      return -1;
  }
}

// One UTF-8 character at the front of `text`, strictly; not_a_character takes one byte.
std::uint32_t take_utf8(std::string_view& text) {
  auto const byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  std::uint8_t const first = byte(0);
  std::size_t const length = first < 0x80                    ? 1
                             : first >= 0xC2 && first < 0xE0 ? 2
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
  std::uint32_t point = length == 1   ? first
                        : length == 2 ? first & 0x1F
                        : length == 3 ? first & 0x0F
                                      : first & 0x07;
  bool good = length != 0 && text.size() >= length;
  for (std::size_t i = 1; good && i < length; ++i) {
    good = (byte(i) & 0xC0) == 0x80;
    point = point << 6 | (byte(i) & 0x3F);
  }
  good = good && !(length == 3 && (point < 0x800 || (point >= 0xD800 && point < 0xE000))) &&
         !(length == 4 && (point < 0x10000 || point > 0x10FFFF));
  text.remove_prefix(good ? length : 1);
  return good ? point : not_a_character;
}

void append_utf8(std::string& out, std::uint32_t point) {
  if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) point = 0xFFFD;
  auto const put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6), put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12), put(0x80 | (point >> 6 & 0x3F)), put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18), put(0x80 | (point >> 12 & 0x3F)), put(0x80 | (point >> 6 & 0x3F)),
        put(0x80 | (point & 0x3F));
  }
}

bool is_shown_as_hex(NameAttribute const& attribute) {
  int const width = bytes_per_character(attribute.tag);
  return width < 0 || (width > 1 && attribute.value.size() % static_cast<std::size_t>(width) != 0);
}

// REQUIRES: !is_shown_as_hex(attribute). A UTF8String's bytes are passed on as they are.
void append_utf8_value(std::string& out, NameAttribute const& attribute) {
  int const width = bytes_per_character(attribute.tag);
  if (width == 0) {
    out.append(as_text(attribute.value));
    return;
  }
  for (std::size_t at = 0; at < attribute.value.size(); at += static_cast<std::size_t>(width)) {
    std::uint32_t point = 0;
    for (int i = 0; i < width; ++i) {
      point = point << 8 | attribute.value[at + static_cast<std::size_t>(i)];
    }
    append_utf8(out, point);
  }
}

void append_escaped_byte(std::string& out, std::uint8_t byte) {
  out.push_back('\\');
  append_hex(out, Bytes(&byte, 1), HexCase::upper);
}

void append_rfc_value(std::string& out, std::string_view text, bool escape_beyond_ascii) {
  std::size_t const size = text.size();
  std::size_t const start = out.size();
  bool const plain_utf8 = !escape_beyond_ascii && is_utf8(text);
  out.reserve(start + size);
  for (std::size_t i = 0; i < size; ++i) {
    char const c = text[i];
    auto const byte = static_cast<std::uint8_t>(c);
    bool const at_end = i == 0 || i + 1 == size;
    if (byte > 0x7F) {
      if (plain_utf8) {
        out.push_back(c);
      } else {
        append_escaped_byte(out, byte);
      }
    } else if (byte < 0x20 || byte == 0x7F) {
      append_escaped_byte(out, byte);
    } else if (c == '"' || c == '+' || c == ',' || c == ';' || c == '<' || c == '>' || c == '\\' ||
               (c == ' ' && at_end) || (c == '#' && i == 0)) {
      out.push_back('\\');
      out.push_back(c);
    } else {
      out.push_back(c);
    }
  }
}

void append_legacy_value(std::string& out, Bytes value) {
  for (std::uint8_t const byte : value) {
    if (byte < 0x20 || byte > 0x7E) {
      out.append("\\x");
      append_hex(out, Bytes(&byte, 1), HexCase::upper);
    } else {
      // OpenSSL 3 tells a separator from the same character inside a value.
      if (byte == '/' || byte == '+') out.push_back('\\');
      out.push_back(static_cast<char>(byte));
    }
  }
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    if (take_utf8(text) == not_a_character) return false;
  }
  return true;
}

bool parse_name(Bytes name_der, std::vector<NameAttribute>& attributes) {
  attributes.clear();
  der::Reader outer(name_der), rdns;
  if (!outer.enter(der::sequence, rdns) || !outer.empty()) return false;
  for (unsigned rdn = 0; !rdns.empty(); ++rdn) {
    der::Reader members;
    if (!rdns.enter(der::set, members) || members.empty()) return false;
    while (!members.empty()) {
      der::Reader member;
      Bytes type;
      der::Element value;
      if (!members.enter(der::sequence, member) || !member.next(der::object_identifier, type) ||
          !member.next(value) || !member.empty()) {
        return false;
      }
      attributes.push_back({type, value.tag, value.content, value.whole, rdn});
    }
  }
  return true;
}

NameSigns inspect_name(std::vector<NameAttribute> const& attributes) {
  NameSigns signs;
  std::string text;
  for (NameAttribute const& attribute : attributes) {
    if (is_shown_as_hex(attribute)) {
      if (bytes_per_character(attribute.tag) > 0) signs.malformed = true;
      continue;
    }
    text.clear();
    append_utf8_value(text, attribute);
    for (char const c : text) {
      auto const byte = static_cast<std::uint8_t>(c);
      if (byte < 0x20 || byte == 0x7F) signs.control_characters = true;
      if (byte > 0x7F) signs.beyond_ascii = true;
    }
    if (signs.beyond_ascii && (!is_utf8(text) || text.find("\xEF\xBF\xBD") != text.npos)) {
      signs.malformed = true;
    }
  }
  return signs;
}

void append_plain_value(std::string& out, NameAttribute const& attribute) {
  if (!is_shown_as_hex(attribute)) append_utf8_value(out, attribute);
}

void append_name(std::string& out, std::vector<NameAttribute> const& attributes, NameForm form) {
  std::string type_text, value_text;
  if (form == NameForm::legacy) {
    for (std::size_t i = 0; i < attributes.size(); ++i) {
      NameAttribute const& attribute = attributes[i];
      out.push_back(i > 0 && attributes[i - 1].rdn == attribute.rdn ? '+' : '/');
      out.append(attribute_type(attribute.type, type_text).name);
      out.push_back('=');
      append_legacy_value(out, attribute.value);
    }
    return;
  }
  for (std::size_t i = attributes.size(); i-- > 0;) {
    NameAttribute const& attribute = attributes[i];
    if (i + 1 != attributes.size()) {
      out.push_back(attributes[i + 1].rdn == attribute.rdn ? '+' : ',');
    }
    AttributeType const type = attribute_type(attribute.type, type_text);
    out.append(type.name);
    out.push_back('=');
    if (!type.known || is_shown_as_hex(attribute)) {
      out.push_back('#');  // RFC 4514 §2.4: the BER encoding in hexadecimal
      append_hex(out, attribute.whole, HexCase::upper);
      continue;
    }
    value_text.clear();
    append_utf8_value(value_text, attribute);
    append_rfc_value(out, value_text, form == NameForm::rfc2253);
  }
}

}  // namespace certgate::x509
