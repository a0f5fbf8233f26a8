// The PROXY header, versions 1 and 2: whole, cut at every byte, damaged, and taken off a socket.
#include "proxy_header.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace certgate::proxy {
namespace {

using Status = ProxyHeader::Status;

ProxyHeader parse(std::string_view bytes, ProxyProtocol expected = ProxyProtocol::any) {
  return parse_proxy_header({bytes.data(), bytes.size()}, expected);
}

std::string v2(char version_command, char family, std::string const& body) {
  std::string header("\r\n\r\n\0\r\nQUIT\n", 12);
  header += version_command;
  header += family;
  header += static_cast<char>(body.size() >> 8);
  header += static_cast<char>(body.size() & 0xff);
  return header + body;
}

// 192.0.2.1:4660 -> 198.51.100.2:443
std::string const v4_addresses("\xC0\x00\x02\x01\xC6\x33\x64\x02\x12\x34\x01\xBB", 12);
std::string const v6_addresses = [] {
  std::string body;
  body += std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + '\1';
  body += std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + '\2';
  return body + std::string("\x12\x34\x01\xBB", 4);
}();
std::string const tlv("\x04\x00\x03\x00\x00\x00", 6);  // PP2_TYPE_NOOP

struct Good {
  char const* name;
  std::string header;
  ProxyProtocol only;  // the version that it is of
  std::string source, destination;  // "": the connection's own
};

std::vector<Good> good() {
  auto const v1 = ProxyProtocol::v1;
  auto const two = ProxyProtocol::v2;
  return {
      {"v1 TCP4", "PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n", v1, "192.0.2.1:4660",
       "198.51.100.2:443"},
      {"v1 TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 4660 443\r\n", v1, "[2001:db8::1]:4660",
       "[2001:db8::2]:443"},
      {"v1 port 0 and 65535", "PROXY TCP4 192.0.2.1 198.51.100.2 0 65535\r\n", v1, "192.0.2.1:0",
       "198.51.100.2:65535"},
      {"v1 UNKNOWN", "PROXY UNKNOWN\r\n", v1, "", ""},
      {"v1 UNKNOWN with addresses", "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", v1, "", ""},
      {"v2 TCP4", v2(0x21, 0x11, v4_addresses), two, "192.0.2.1:4660", "198.51.100.2:443"},
      {"v2 TCP6", v2(0x21, 0x21, v6_addresses), two, "[2001:db8::1]:4660", "[2001:db8::2]:443"},
      {"v2 with a TLV", v2(0x21, 0x11, v4_addresses + tlv), two, "192.0.2.1:4660",
       "198.51.100.2:443"},
      {"v2 as long as it may be", v2(0x21, 0x11, v4_addresses + std::string(2048 - 12, 'x')), two,
       "192.0.2.1:4660", "198.51.100.2:443"},
      {"v2 LOCAL", v2(0x20, 0x00, ""), two, "", ""},
      {"v2 LOCAL with addresses", v2(0x20, 0x11, v4_addresses), two, "", ""},
      {"v2 PROXY, unspecified family", v2(0x21, 0x00, ""), two, "", ""},
  };
}

TEST(ProxyHeader, gives_the_addresses) {
  for (auto const& row : good()) {
    auto const header = parse(row.header);
    ASSERT_EQ(header.status, Status::complete) << row.name << header.reason;
    EXPECT_EQ(header.bytes, row.header.size()) << row.name;
    EXPECT_EQ(header.source ? header.source->to_string() : "", row.source) << row.name;
    EXPECT_EQ(header.destination ? header.destination->to_string() : "", row.destination);
  }
}

TEST(ProxyHeader, takes_nothing_of_what_follows) {
  for (auto const& row : good()) {
    auto const header = parse(row.header + "\x16\x03\x01\r\n\r\n");
    ASSERT_EQ(header.status, Status::complete) << row.name;
    EXPECT_EQ(header.bytes, row.header.size()) << row.name;
  }
}

TEST(ProxyHeader, cut_at_every_byte_needs_more) {
  for (auto const& row : good()) {
    for (std::size_t size = 0; size < row.header.size(); ++size) {
      for (auto const expected : {row.only, ProxyProtocol::any}) {
        // In memory of its own, so that a sanitizer sees every byte read beyond the end.
        std::vector<char> const piece(row.header.begin(),
                                      row.header.begin() + static_cast<std::ptrdiff_t>(size));
        auto const header = parse_proxy_header(piece, expected);
        EXPECT_EQ(header.status, Status::need_more) << row.name << " cut at " << size;
      }
    }
  }
}

TEST(ProxyHeader, only_the_version_that_is_expected) {
  for (auto const& row : good()) {
    auto const other = row.only == ProxyProtocol::v1 ? ProxyProtocol::v2 : ProxyProtocol::v1;
    EXPECT_EQ(parse(row.header, row.only).status, Status::complete) << row.name;
    EXPECT_EQ(parse(row.header, other).status, Status::refused) << row.name;
  }
}

TEST(ProxyHeader, malformed_version_1_is_refused) {
  for (std::string const line : {
           "PROXY", "PROXY ", "PROXY TCP4", "PROXY TCP5 1.2.3.4 1.2.3.4 1 2",
           "PROXY tcp4 192.0.2.1 198.51.100.2 1 2", "PROXY TCP4 192.0.2.1 198.51.100.2 1",
           "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3", "PROXY TCP4  192.0.2.1 198.51.100.2 1 2",
           "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 ", "PROXY TCP4 192.0.2.1 198.51.100.2 01 2",
           "PROXY TCP4 192.0.2.1 198.51.100.2 1 65536", "PROXY TCP4 192.0.2.1 198.51.100.2 -1 2",
           "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2", "PROXY TCP4 192.0.2.1 198.51.100.2 1 0x2",
           "PROXY TCP4 192.0.2.1 198.51.100.2  2", "PROXY TCP4 ::1 ::2 1 2",
           "PROXY TCP6 192.0.2.1 198.51.100.2 1 2", "PROXY TCP4 192.0.2.1 2001:db8::2 1 2",
           "PROXY TCP4 192.0.2.256 198.51.100.2 1 2", "PROXY TCP4 192.0.2.1/8 198.51.100.2 1 2",
           "PROXY TCP4 localhost 198.51.100.2 1 2", "PROXY\tTCP4 192.0.2.1 198.51.100.2 1 2"}) {
    EXPECT_EQ(parse(line + "\r\n").status, Status::refused) << line;
  }
  std::string const good = "PROXY TCP4 192.0.2.1 198.51.100.2 1 2";
  // A bare line feed ends nothing; at its greatest length the header has to have ended.
  EXPECT_EQ(parse(good + "\n").status, Status::need_more);
  EXPECT_EQ(parse(good + "\n" + std::string(max_proxy_v1_bytes, 'x')).status, Status::refused);
  EXPECT_EQ(parse("PROXY UNKNOWN " + std::string(max_proxy_v1_bytes - 14, 'x')).status,
            Status::refused);
}

TEST(ProxyHeader, version_1_as_long_as_it_may_be) {
  std::string const start = "PROXY UNKNOWN ";
  auto const header = start + std::string(max_proxy_v1_bytes - 2 - start.size(), 'x') + "\r\n";
  ASSERT_EQ(header.size(), max_proxy_v1_bytes);
  EXPECT_EQ(parse(header).status, Status::complete);
}

TEST(ProxyHeader, malformed_version_2_is_refused) {
  struct Bad {
    char const* name;
    std::string header;
  };
  for (auto const& row : std::vector<Bad>{
           {"version 1", v2(0x11, 0x11, v4_addresses)},
           {"version 3", v2(0x31, 0x11, v4_addresses)},
           {"command 2", v2(0x22, 0x11, v4_addresses)},
           {"command 15", v2(0x2f, 0x11, v4_addresses)},
           {"UDP", v2(0x21, 0x12, v4_addresses)},
           {"a unix socket", v2(0x21, 0x31, std::string(216, 'x'))},
           {"an unknown family", v2(0x21, 0x41, v4_addresses)},
           {"v4 addresses cut short", v2(0x21, 0x11, v4_addresses.substr(1))},
           {"no v4 addresses", v2(0x21, 0x11, "")},
           {"v6 addresses cut short", v2(0x21, 0x21, v6_addresses.substr(1))},
           {"v6 with addresses of v4", v2(0x21, 0x21, v4_addresses)},
           {"too long", v2(0x21, 0x11, v4_addresses + std::string(2049 - 12, 'x'))},
           {"65535 bytes", v2(0x21, 0x11, v4_addresses + std::string(65535 - 12, 'x'))},
       }) {
    EXPECT_EQ(parse(row.header).status, Status::refused) << row.name;
  }
}

TEST(ProxyHeader, what_is_too_long_is_refused_before_it_is_there) {
  auto const header = v2(0x21, 0x11, v4_addresses + std::string(2049 - 12, 'x'));
  EXPECT_EQ(parse(header.substr(0, 16)).status, Status::refused);
}

TEST(ProxyHeader, anything_else_is_refused_at_its_first_strange_byte) {
  for (std::string const start : {"G", "\x16", "PROXX", "PROXY\r", "\r\n\r\n1", " PROXY", "proxy "}) {
    EXPECT_EQ(parse(start).status, Status::refused) << start;
  }
}

TEST(ProxyHeader, mapped_addresses_are_the_v4_that_they_are) {
  auto body = std::string(10, '\0') + "\xff\xff\xC0" + std::string("\x00\x02\x01", 3);
  body += body + std::string("\x00\x01\x00\x02", 4);
  auto const header = parse(v2(0x21, 0x21, body));
  ASSERT_TRUE(header.source);
  EXPECT_EQ(header.source->to_string(), "192.0.2.1:1");

  auto const text = parse("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 443\r\n");
  ASSERT_TRUE(text.source);
  EXPECT_EQ(text.source->to_string(), "192.0.2.1:1");
  EXPECT_EQ(text.destination->to_string(), "198.51.100.2:443");
}

struct Pair {
  int ends[2];
  Pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0); }
  ~Pair() {
    ::close(ends[0]);
    if (ends[1] >= 0) ::close(ends[1]);
  }
  void send(std::string_view bytes) {
    EXPECT_EQ(::send(ends[1], bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  std::string rest() {
    char bytes[4096];
    auto const n = ::recv(ends[0], bytes, sizeof(bytes), 0);
    return n > 0 ? std::string(bytes, static_cast<std::size_t>(n)) : "";
  }
};

ListenerSettings trusting(std::string const& network) {
  ListenerSettings listener;
  listener.proxy_protocol = ProxyProtocol::any;
  listener.trusted_sources.push_back(*IpNetwork::parse(network));
  return listener;
}

TEST(TakeProxyHeader, consumes_exactly_the_header) {
  for (auto const& row : good()) {
    Pair pair;
    pair.send(row.header + "hello");
    auto const header =
        take_proxy_header(pair.ends[0], trusting("127.0.0.0/8"), *IpAddress::parse("127.0.0.1"));
    EXPECT_EQ(header.status, Status::complete) << row.name;
    EXPECT_EQ(pair.rest(), "hello") << row.name;
  }
}

TEST(TakeProxyHeader, an_incomplete_header_stays_where_it_is) {
  Pair pair;
  auto const listener = trusting("127.0.0.0/8");
  auto const peer = *IpAddress::parse("127.0.0.1");
  EXPECT_EQ(take_proxy_header(pair.ends[0], listener, peer).status, Status::need_more);
  pair.send("PROXY UNKN");
  EXPECT_EQ(take_proxy_header(pair.ends[0], listener, peer).status, Status::need_more);
  pair.send("OWN\r\nx");
  EXPECT_EQ(take_proxy_header(pair.ends[0], listener, peer).status, Status::complete);
  EXPECT_EQ(pair.rest(), "x");
}

TEST(TakeProxyHeader, from_a_stranger_is_refused_unread) {
  Pair pair;
  pair.send("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n");
  auto const header =
      take_proxy_header(pair.ends[0], trusting("10.0.0.0/8"), *IpAddress::parse("127.0.0.1"));
  EXPECT_EQ(header.status, Status::refused);
  EXPECT_EQ(pair.rest().substr(0, 5), "PROXY");
}

TEST(TakeProxyHeader, an_end_before_the_header_is_refused) {
  Pair pair;
  ::close(std::exchange(pair.ends[1], -1));
  auto const header =
      take_proxy_header(pair.ends[0], trusting("0.0.0.0/0"), *IpAddress::parse("127.0.0.1"));
  EXPECT_EQ(header.status, Status::refused);
}

}  // namespace
}  // namespace certgate::proxy
