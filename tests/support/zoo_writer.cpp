// Writes the zoo as PEM files and a JSON manifest, for tests in other languages.
#include <fstream>

#include "certgate/x509/pem.hpp"
#include "support/zoo.hpp"

namespace certgate::testing {
namespace {

bool write(std::string const& path, std::string const& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  return file.good();
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(out, text);
  return out + '"';
}

std::string chain_pem(Issued const& leaf, std::vector<Issued> const& others) {
  std::string text = leaf.pem();
  for (Issued const& other : others) text += other.pem();
  return text;
}

char const* json(bool value) { return value ? "true" : "false"; }

std::string manifest_entry(ZooAnimal const& animal) {
  std::string out =
      "    {\"name\": " + json_text(animal.name) + ", \"story\": " + json_text(animal.story) +
      ",\n     \"certificate\": " + json_text(animal.name + ".pem") +
      ", \"chain\": " + json_text(animal.name + ".chain.pem") +
      ", \"key\": " + json_text(animal.name + ".key") +
      ",\n     \"verified\": " + json(animal.verified) + ", \"revoked\": " + json(animal.revoked) +
      ", \"revoked_in_chain_mode\": " + json(animal.revoked_in_chain_mode) +
      ", \"reason\": " + json_text(animal.reason) + ",\n     \"fields\": {";
  char const* separator = "";
  for (auto const& [name, value] : animal.fields) {
    out += separator + ("\n       " + json_text("cf.tls_client_auth." + name)) + ": ";
    bool const is_boolean = value == "true" || value == "false";
    out += is_boolean ? value : json_text(value);
    separator = ",";
  }
  return out + "}}";
}

}  // namespace

bool write_zoo(Zoo const& zoo, std::string const& directory) {
  std::string const at = directory + "/";
  std::string anchors, crls;
  for (Issued const& anchor : zoo.anchors) anchors += anchor.pem();
  for (std::string const& crl : zoo.crls) crls += x509::format_pem("X509 CRL", as_bytes(crl));
  bool good = write(at + "anchors.pem", anchors) && write(at + "crls.pem", crls) &&
              write(at + "server.pem", chain_pem(zoo.server, {zoo.server_ca})) &&
              write(at + "server.key", zoo.server.key.pem()) &&
              write(at + "server_ca.pem", zoo.server_ca.pem());
  std::string manifest =
      "{\"anchors\": \"anchors.pem\", \"crls\": \"crls.pem\", \"server\": \"server.pem\", "
      "\"server_key\": \"server.key\", \"server_ca\": \"server_ca.pem\", \"now\": " +
      std::to_string(test_now()) + ",\n  \"certificates\": [\n";
  char const* separator = "";
  for (ZooAnimal const& animal : zoo.animals) {
    good = good && write(at + animal.name + ".pem", animal.leaf.pem()) &&
           write(at + animal.name + ".chain.pem", chain_pem(animal.leaf, animal.others)) &&
           write(at + animal.name + ".key", animal.leaf.key.pem());
    manifest += separator + manifest_entry(animal);
    separator = ",\n";
  }
  return good && write(at + "zoo.json", manifest + "\n  ]}\n");
}

}  // namespace certgate::testing
