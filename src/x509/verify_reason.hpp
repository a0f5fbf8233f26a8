// The words for each way in which a certificate does not verify.
#pragma once

#include <string_view>

namespace certgate::x509 {

// "FAILED:certificate has expired"; lives forever.
std::string_view failed_reason(int error);

}  // namespace certgate::x509
