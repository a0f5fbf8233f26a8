// Alternative names and name constraints in OpenSSL's form.
#pragma once

#include <vector>

#include "certgate/pki/alternative_name.hpp"
#include "openssl.hpp"

namespace certgate::pki {

GeneralNameOwner build_general_name(AlternativeName const& name);
GeneralNamesOwner build_general_names(std::vector<AlternativeName> const& names);
ConstraintsOwner build_constraints(NameConstraints const& constraints);

struct ReadNames {
  std::vector<AlternativeName> names;
  std::vector<std::string> refused;  // why each of the others was left out
};
ReadNames read_general_names(GENERAL_NAMES const* names);

Subject subject_of(X509_NAME const* name);

}  // namespace certgate::pki
