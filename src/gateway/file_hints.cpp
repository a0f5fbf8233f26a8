#include "file_hints.hpp"

namespace certgate::gateway {

// Which of the two files is at fault is in the sentence.
bool is_about_key(std::string_view detail) {
  return detail.find("private key") != detail.npos &&
         detail.find("not a certificate") == detail.npos;
}

std::string hint_for_identity(std::string_view detail, std::string const& path) {
  if (detail.find("does not belong to the certificate") != detail.npos) {
    return "name the key that the certificate was requested with, or, where the file holds a chain, "
           "put the server's own certificate first";
  }
  bool const about_key = is_about_key(detail);
  if (detail.find("(DER)") != detail.npos) {
    return std::string("convert it: openssl ") + (about_key ? "pkey" : "x509") + " -inform DER -in " +
           path + " -out NEW.pem";
  }
  // The way out is in the sentence.
  if (detail.find("; decrypt it") != detail.npos || detail.find("; restore it") != detail.npos) return {};
  if (about_key) return "name a file with one private key in PEM, without a password: BEGIN PRIVATE KEY";
  if (detail.starts_with("the certificate")) return "ask its CA for another one";
  return "name a file with BEGIN CERTIFICATE: the server's own certificate first, then those that issued "
         "it";
}

std::string sentence_about(std::string const& path, std::string const& detail) {
  bool const goes_on = detail.starts_with("is ") || detail.starts_with("holds ");
  return "`" + path + (goes_on ? "` " : "`: ") + detail;
}

}  // namespace certgate::gateway
