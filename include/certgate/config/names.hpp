// The words of the configuration file for each choice, for messages, logs and metrics.
#pragma once

#include <string_view>

#include "certgate/config/config.hpp"

namespace certgate::config {

std::string_view name_of(Action value);
std::string_view name_of(ListType value);
std::string_view name_of(ProxyProtocol value);
std::string_view name_of(TlsVersion value);
std::string_view name_of(SessionTickets value);
std::string_view name_of(ClientAuthMode value);
std::string_view name_of(CrlCheck value);
std::string_view name_of(OnExpiredCrl value);
std::string_view name_of(ForwardedCertificate value);
std::string_view name_of(LogLevel value);
std::string_view name_of(AccessFormat value);
std::string_view name_of(UrlNormalization value);
std::string_view name_of(Balance value);

}  // namespace certgate::config
