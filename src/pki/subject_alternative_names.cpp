#include "subject_alternative_names.hpp"

#include <algorithm>
#include <array>

#include "certgate/base/ip.hpp"

namespace certgate::pki {
namespace {

GeneralNameOwner text_name(int type, std::string_view text) {
  GeneralNameOwner name(GENERAL_NAME_new());
  auto* const value = ASN1_IA5STRING_new();
  if (!name || !value || ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) != 1) {
    ASN1_IA5STRING_free(value);
    return nullptr;
  }
  GENERAL_NAME_set0_value(name.get(), type, value);
  return name;
}

GeneralNameOwner address_name(std::string_view bytes) {
  GeneralNameOwner name(GENERAL_NAME_new());
  OctetsOwner value(ASN1_OCTET_STRING_new());
  if (!name || !value ||
      ASN1_OCTET_STRING_set(value.get(), reinterpret_cast<unsigned char const*>(bytes.data()),
                            static_cast<int>(bytes.size())) != 1) {
    return nullptr;
  }
  GENERAL_NAME_set0_value(name.get(), GEN_IPADD, value.release());
  return name;
}

int type_of(NameKind kind) {
  switch (kind) {
    case NameKind::dns:
      return GEN_DNS;
    case NameKind::uri:
      return GEN_URI;
    case NameKind::email:
      return GEN_EMAIL;
    case NameKind::ip:
      return GEN_IPADD;
  }
  return GEN_OTHERNAME;
}

std::string address_bytes(IpAddress const& address) {
  return std::string(reinterpret_cast<char const*>(address.bytes().data()),
                     address.is_v4() ? 4 : 16);
}

// RFC 5280 §4.2.1.10: "For IPv4 addresses, the iPAddress field of GeneralName MUST contain eight
// (8) octets, encoded in the style of RFC 4632 (CIDR) to represent an address range".
GeneralNameOwner subtree_name(NameSubtree const& subtree) {
  if (subtree.kind() != NameKind::ip) return text_name(type_of(subtree.kind()), subtree.text());
  auto const network = IpNetwork::parse(subtree.text());
  if (!network) return nullptr;
  auto bytes = address_bytes(network->address());
  std::string mask(bytes.size(), '\0');
  for (unsigned bit = 0; bit < network->length(); ++bit) {
    mask[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(mask[bit / 8]) | (0x80 >> bit % 8));
  }
  return address_name(bytes + mask);
}

bool add_subtrees(std::vector<NameSubtree> const& from, STACK_OF(GENERAL_SUBTREE) * *to) {
  if (from.empty()) return true;
  *to = sk_GENERAL_SUBTREE_new_null();
  for (auto const& subtree : from) {
    auto name = subtree_name(subtree);
    auto* const entry = name ? GENERAL_SUBTREE_new() : nullptr;
    if (!entry) return false;
    GENERAL_NAME_free(entry->base);
    entry->base = name.release();
    if (sk_GENERAL_SUBTREE_push(*to, entry) <= 0) {
      GENERAL_SUBTREE_free(entry);
      return false;
    }
  }
  return true;
}

}  // namespace

GeneralNameOwner build_general_name(AlternativeName const& name) {
  if (name.kind() != NameKind::ip) return text_name(type_of(name.kind()), name.text());
  auto const address = IpAddress::parse(name.text());
  return address ? address_name(address_bytes(*address)) : nullptr;
}

GeneralNamesOwner build_general_names(std::vector<AlternativeName> const& names) {
  GeneralNamesOwner list(GENERAL_NAMES_new());
  for (auto const& name : names) {
    auto entry = build_general_name(name);
    if (!entry || sk_GENERAL_NAME_push(list.get(), entry.get()) <= 0) return nullptr;
    entry.release();
  }
  return list;
}

ConstraintsOwner build_constraints(NameConstraints const& constraints) {
  ConstraintsOwner built(NAME_CONSTRAINTS_new());
  if (!built || !add_subtrees(constraints.permitted, &built->permittedSubtrees) ||
      !add_subtrees(constraints.excluded, &built->excludedSubtrees)) {
    return nullptr;
  }
  return built;
}

ReadNames read_general_names(GENERAL_NAMES const* names) {
  ReadNames read;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    int type = 0;
    auto const* const value = static_cast<ASN1_STRING const*>(
        GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type));
    std::string text;
    NameKind kind = NameKind::dns;
    switch (type) {
      case GEN_DNS:
        kind = NameKind::dns;
        break;
      case GEN_URI:
        kind = NameKind::uri;
        break;
      case GEN_EMAIL:
        kind = NameKind::email;
        break;
      case GEN_IPADD:
        kind = NameKind::ip;
        break;
      default:
        read.refused.push_back("an alternative name of a kind that certgate does not sign");
        continue;
    }
    text.assign(reinterpret_cast<char const*>(ASN1_STRING_get0_data(value)),
                static_cast<std::size_t>(ASN1_STRING_length(value)));
    if (type == GEN_IPADD) {
      if (text.size() == 4) {
        std::array<std::uint8_t, 4> bytes{};
        std::copy(text.begin(), text.end(), bytes.begin());
        text = IpAddress::v4(bytes).to_string();
      } else if (text.size() == 16) {
        std::array<std::uint8_t, 16> bytes{};
        std::copy(text.begin(), text.end(), bytes.begin());
        text = IpAddress::v6(bytes).to_string();
      } else {
        read.refused.push_back("an IP address of " + std::to_string(text.size()) + " bytes");
        continue;
      }
    }
    auto name = AlternativeName::parse(kind, text);
    if (name) {
      read.names.push_back(*std::move(name));
    } else {
      read.refused.push_back(std::move(name).error().detail);
    }
  }
  return read;
}

}  // namespace certgate::pki
