// `certgate ca hand-out`: a file from this machine onto a phone in the same room.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <qrencode.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include "ca_directory.hpp"
#include "ca_hand_out_server.hpp"
#include "ca_subcommands.hpp"
#include "ca_times.hpp"
#include "certgate/pki/pkcs12.hpp"

namespace certgate::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t pin_digits = 6;
constexpr std::size_t max_hand_out_bytes = 1024 * 1024;
constexpr UnixSeconds max_lifetime = 24 * 3600;

struct HandOutOptions {
  std::string directory;
  std::string name;
  std::string file;
  std::string format = "p12";
  std::string address;
  int port = 0;
  std::string lifetime = "10m";
  std::string pin;
  bool no_qr = false;
};

std::string content_type_of(fs::path const& path) {
  auto const extension = path.extension().string();
  if (extension == ".mobileconfig") return "application/x-apple-aspen-config";
  if (extension == ".p12" || extension == ".pfx") return "application/x-pkcs12";
  if (extension == ".pem" || extension == ".crt" || extension == ".cer") {
    return "application/x-pem-file";
  }
  return "application/octet-stream";
}

std::optional<IpAddress> address_of(sockaddr const* address) {
  if (!address || address->sa_family != AF_INET) return std::nullopt;
  return IpAddress::v4(ntohl(reinterpret_cast<sockaddr_in const*>(address)->sin_addr.s_addr));
}

// The address that the default route leaves from: connecting a datagram socket sends nothing.
std::optional<IpAddress> address_of_default_route() {
  int const socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return std::nullopt;
  sockaddr_in far{};
  far.sin_family = AF_INET;
  far.sin_port = htons(9);
  far.sin_addr.s_addr = htonl(0xc0000201);  // 192.0.2.1, RFC 5737: nobody's
  sockaddr_in own{};
  socklen_t length = sizeof own;
  bool const known = ::connect(socket, reinterpret_cast<sockaddr*>(&far), sizeof far) == 0 &&
                     ::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &length) == 0;
  ::close(socket);
  return known ? address_of(reinterpret_cast<sockaddr*>(&own)) : std::nullopt;
}

std::optional<IpAddress> address_of_some_interface() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return std::nullopt;
  std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> const owner(list, ::freeifaddrs);
  for (auto const* one = list; one; one = one->ifa_next) {
    if ((one->ifa_flags & IFF_UP) == 0) continue;
    auto const address = address_of(one->ifa_addr);
    if (address && address->is_private() && !address->is_loopback()) return address;
  }
  return std::nullopt;
}

Result<IpAddress> choose_address(std::string const& asked) {
  if (!asked.empty()) {
    auto const address = IpAddress::parse(asked);
    if (!address) return fail(ErrorCode::invalid, asked + " is not an IP address");
    if (!address->is_private()) {
      return fail(ErrorCode::invalid, asked +
                                          " is not an address of a local network; hand-out "
                                          "is not for the open internet");
    }
    return *address;
  }
  for (auto const& address : {address_of_default_route(), address_of_some_interface()}) {
    if (address && address->is_private() && !address->is_loopback()) return *address;
  }
  return fail(ErrorCode::not_found,
              "this machine has no address in a local network; name one with --address");
}

// Two modules above one another are one character; light modules are drawn, for dark terminals.
void print_qr(std::string const& text) {
  std::unique_ptr<QRcode, decltype(&QRcode_free)> const code(
      QRcode_encodeString(text.c_str(), 0, QR_ECLEVEL_L, QR_MODE_8, 1), QRcode_free);
  if (!code) return;
  constexpr int quiet_zone = 2;
  bool const terminal = ::isatty(STDOUT_FILENO) == 1;
  auto const light = [&code](int x, int y) {
    if (x < 0 || y < 0 || x >= code->width || y >= code->width) return true;
    return (code->data[y * code->width + x] & 1) == 0;
  };
  for (int y = -quiet_zone; y < code->width + quiet_zone; y += 2) {
    if (terminal) std::cout << "\033[40;97m";
    for (int x = -quiet_zone; x < code->width + quiet_zone; ++x) {
      bool const above = light(x, y);
      bool const below = y + 1 < code->width + quiet_zone && light(x, y + 1);
      std::cout << (above && below ? "\u2588" : above ? "\u2580" : below ? "\u2584" : " ");
    }
    std::cout << (terminal ? "\033[0m\n" : "\n");
  }
}

struct ChosenFile {
  fs::path path;
  std::string bytes;
  std::string password;  // of a PKCS#12 that was made here
};

Result<ChosenFile> choose_file(HandOutOptions const& options) {
  ChosenFile chosen;
  if (!options.file.empty()) {
    chosen.path = options.file;
    CERTGATE_TRY(chosen.bytes, read_file(chosen.path, max_hand_out_bytes));
    return chosen;
  }
  if (options.directory.empty() || options.name.empty()) {
    return fail(ErrorCode::invalid, "say what: DIR NAME, or --file PATH");
  }
  CERTGATE_TRY(auto directory, CaDirectory::open(options.directory));
  auto const issued = directory.issued(options.name);
  std::error_code code;
  if (!fs::is_directory(issued, code)) {
    return fail(ErrorCode::not_found,
                "no certificate was issued for " + options.name + "; issue one with `ca issue`");
  }
  auto const stem = file_name_of(options.name);
  if (options.format == "pem") {
    chosen.path = stem + ".pem";
    CERTGATE_TRY(auto const key, read_file(issued / "key.pem", max_hand_out_bytes));
    CERTGATE_TRY(auto const chain, read_file(issued / "chain.pem", max_hand_out_bytes));
    chosen.bytes = key + chain;
    return chosen;
  }
  auto const suffix = options.format == "p12"          ? ".p12"
                      : options.format == "p12-legacy" ? "-legacy.p12"
                                                       : ".mobileconfig";
  chosen.path = issued / (stem + suffix);
  auto bytes = read_file(chosen.path, max_hand_out_bytes);
  if (!bytes) {
    return fail(bytes.error().code, bytes.error().detail + "; make it with `certgate ca renew " +
                                        options.directory + ' ' + options.name +
                                        " --p12 --keep-key`");
  }
  chosen.bytes = *std::move(bytes);
  if (auto password = read_password(issued / "p12-password.txt")) {
    chosen.password = *std::move(password);
  }
  return chosen;
}

Result<void> hand_out(HandOutOptions const& options) {
  auto const lifetime = parse_length(options.lifetime);
  if (!lifetime || *lifetime > max_lifetime) {
    return fail(ErrorCode::invalid,
                "--for is a length of at most a day, such as 10m; not " + options.lifetime);
  }
  auto pin = options.pin;
  if (pin.empty()) {
    CERTGATE_TRY(pin, pki::make_pin(pin_digits));
  }
  if (pin.size() < 4 || pin.size() > 12 || pin.find_first_not_of("0123456789") != pin.npos) {
    return fail(ErrorCode::invalid, "a PIN has 4 to 12 digits");
  }
  CERTGATE_TRY(auto chosen, choose_file(options));
  CERTGATE_TRY(auto const address, choose_address(options.address));
  HandOut order;
  order.file_name = file_name_of(chosen.path.filename().string());
  order.content_type = content_type_of(chosen.path);
  order.bytes = std::move(chosen.bytes);
  order.pin = pin;
  order.address = address;
  order.port = static_cast<std::uint16_t>(options.port);
  order.lifetime = *lifetime;
  CERTGATE_TRY(auto server, HandOutServer::open(std::move(order)));

  if (!options.no_qr) print_qr(server.url());
  std::cout << "Open on the phone:  " << server.url() << "\nPIN:                " << pin << '\n';
  if (!chosen.password.empty()) {
    std::cout << "Import password:    " << chosen.password << '\n';
  }
  std::cout << "The phone will warn of an unknown certificate; its SHA-256 must be\n  "
            << server.fingerprint() << "\nServed once, for " << options.lifetime
            << "; Ctrl-C ends it." << std::endl;
  switch (server.serve()) {
    case HandOutEnd::fetched:
      std::cout << "Fetched. The address is gone." << std::endl;
      return {};
    case HandOutEnd::expired:
      return fail(ErrorCode::timed_out, "nobody fetched it in time; run this again");
    case HandOutEnd::wrong_pin:
      return fail(ErrorCode::permission, "the PIN was wrong " + std::to_string(max_wrong_pins) +
                                             " times, so this ended; somebody may be guessing");
    case HandOutEnd::interrupted:
      return fail(ErrorCode::closed, "ended before it was fetched");
  }
  return {};
}

}  // namespace

void add_ca_hand_out(CLI::App& ca, int& exit_status) {
  auto* const command =
      ca.add_subcommand("hand-out", "Serve one file once to a phone on the local network");
  auto const options = std::make_shared<HandOutOptions>();
  command->add_option("DIR", options->directory, "The CA");
  command->add_option("NAME", options->name, "Whose certificate");
  command->add_option("--format", options->format, "p12, p12-legacy, mobileconfig or pem")
      ->check(CLI::IsMember({"p12", "p12-legacy", "mobileconfig", "pem"}))
      ->capture_default_str();
  command->add_option("--file", options->file, "This file instead");
  command->add_option("--address", options->address,
                      "Address of this machine in the local network (usual: found)");
  command->add_option("--port", options->port, "Port (usual: any)")->check(CLI::Range(0, 65535));
  command->add_option("--for", options->lifetime, "How long to wait")->capture_default_str();
  command->add_option("--pin", options->pin, "4 to 12 digits (usual: made up)");
  command->add_flag("--no-qr", options->no_qr, "Do not draw the QR code");
  command->footer(
      "Example:\n"
      "  certgate ca hand-out /var/lib/certgate/ca ann-phone --format mobileconfig --for 5m");
  run_when_chosen(command, exit_status, [options] { return hand_out(*options); });
}

}  // namespace certgate::cli
