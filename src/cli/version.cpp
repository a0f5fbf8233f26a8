#include "version.hpp"

#include <boost/version.hpp>

#include "certgate/tls/library.hpp"

namespace certgate::cli {

std::string version_text() {
  std::string const boost = std::to_string(BOOST_VERSION / 100000) + "." +
                            std::to_string(BOOST_VERSION / 100 % 1000);
  return std::string("certgate ") + CERTGATE_VERSION + " (" + tls::library_version() +
         ", Boost " + boost + ")";
}

}  // namespace certgate::cli
