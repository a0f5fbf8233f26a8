// A body from one stream to another: whole whatever the pieces, patient, bounded, and told apart
// when either side fails.
#include "transfer.hpp"

#include <optional>
#include <vector>

#include "memory_stream.hpp"

namespace certgate::proxy {
namespace {

using http::BodyKind;

struct Rig {
  net::Loop loop;
  net::Deadlines deadlines{loop};
  TransferBuffer buffer;
  int far_source = -1, far_sink = -1;
  SmallStream source{loop, pair_of_sockets(far_source)};
  SmallStream sink{loop, pair_of_sockets(far_sink)};
  Peer sender{far_source}, receiver{far_sink};
  net::SocketDeadline source_deadline{source.socket()}, sink_deadline{sink.socket()};
  std::chrono::milliseconds source_patience = patience, sink_patience = patience;
  BodyDecoder decoder;
  BodyPace* pace = nullptr;
  TransferCount count;
  std::string surplus;
  TransferResult result;
  bool done = false;
  std::string received;

  void begin(http::BodyFraming framing, BodyKind to) {
    decoder = BodyDecoder(framing);
    net::start(carry(to));
  }
  net::Task<void> carry(BodyKind to) {
    auto const from_end = End{source, source_deadline, deadlines.list(source_patience), pace};
    auto const to_end = End{sink, sink_deadline, deadlines.list(sink_patience)};
    auto const ended =
        co_await transfer_body(buffer, from_end, decoder, to_end, to, count, surplus);
    result = ended;
    done = true;
  }
  // Until it is over, with a receiver that reads.
  bool finish() {
    bool const over = loop.run_until(
        [&] {
          received += receiver.read();
          return done;
        },
        patience);
    received += receiver.read();
    return over;
  }
  // Writes it all, as fast as it is taken.
  void feed(std::string_view bytes) {
    EXPECT_TRUE(loop.run_until(
        [&] {
          bytes.remove_prefix(sender.write(bytes));
          received += receiver.read();
          return bytes.empty() || done;
        },
        patience));
  }
};

TEST(Transfer, every_size_in_every_kind_of_piece) {
  for (std::size_t const size : {1, 100, 16384, 65536, 65537, 1'000'000}) {
    for (std::size_t const most : {std::size_t{1000}, SIZE_MAX}) {
      Rig rig;
      rig.source.most = rig.sink.most = most;
      std::string payload(size, '\0');
      for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 31 + i / 251);
      rig.begin({BodyKind::length, size}, BodyKind::length);
      rig.feed(payload);
      ASSERT_TRUE(rig.finish());
      EXPECT_EQ(rig.result.status, TransferStatus::complete);
      EXPECT_TRUE(rig.received == payload) << size;
      EXPECT_EQ(rig.count.payload, size);
      EXPECT_EQ(rig.count.written, size);
      EXPECT_EQ(rig.surplus, "");
      EXPECT_FALSE(rig.source_deadline.is_armed() || rig.sink_deadline.is_armed());
    }
  }
}

TEST(Transfer, one_byte_at_a_time) {
  Rig rig;
  rig.source.most = rig.sink.most = 1;
  rig.begin({BodyKind::chunked, 0}, BodyKind::length);
  rig.feed("5;x=y\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
  ASSERT_TRUE(rig.finish());
  EXPECT_EQ(rig.received, "hello world");
}

TEST(Transfer, frames_anew_what_has_no_length) {
  Rig rig;
  rig.begin({BodyKind::until_close, 0}, BodyKind::chunked);
  rig.feed("hello");
  EXPECT_TRUE(rig.loop.run_until([&] { return rig.count.payload == 5; }, patience));
  rig.sender.close();
  ASSERT_TRUE(rig.finish());
  EXPECT_EQ(rig.result.status, TransferStatus::complete);
  EXPECT_EQ(rig.received, "5\r\nhello\r\n0\r\n\r\n");
}

TEST(Transfer, leaves_what_follows_the_body) {
  Rig rig;
  rig.begin({BodyKind::length, 5}, BodyKind::length);
  rig.feed("helloGET / HTTP/1.1\r\n");
  ASSERT_TRUE(rig.finish());
  EXPECT_EQ(rig.received, "hello");
  EXPECT_EQ(rig.surplus, "GET / HTTP/1.1\r\n");
}

TEST(Transfer, a_source_cut_short) {
  for (auto const& [framing, bytes] :
       {std::pair{http::BodyFraming{BodyKind::length, 10}, "hello"},
        {http::BodyFraming{BodyKind::chunked, 0}, "5\r\nhel"},
        {http::BodyFraming{BodyKind::chunked, 0}, "5\r\nhello\r\n0\r\n"}}) {
    Rig rig;
    rig.begin(framing, BodyKind::length);
    rig.feed(bytes);
    rig.sender.close();
    ASSERT_TRUE(rig.finish());
    EXPECT_EQ(rig.result.status, TransferStatus::source_failed);
    EXPECT_EQ(rig.result.reason, "truncated_body");
  }
}

TEST(Transfer, a_source_that_breaks_its_framing) {
  Rig rig;
  rig.begin({BodyKind::chunked, 0}, BodyKind::length);
  rig.feed("5\r\nhelloXX");
  ASSERT_TRUE(rig.finish());
  EXPECT_EQ(rig.result.status, TransferStatus::source_failed);
  EXPECT_EQ(rig.result.reason, rig.decoder.reason());
  EXPECT_FALSE(rig.result.reason.empty());
}

TEST(Transfer, a_source_that_says_nothing) {
  Rig rig;
  rig.source_patience = std::chrono::milliseconds{1};
  rig.begin({BodyKind::length, 10}, BodyKind::length);
  rig.feed("half");
  ASSERT_TRUE(rig.finish());
  EXPECT_EQ(rig.result.status, TransferStatus::source_too_slow);
}

TEST(Transfer, a_body_beyond_its_limit) {
  Rig rig;
  rig.count.limit = 10;
  rig.begin({BodyKind::chunked, 0}, BodyKind::chunked);
  rig.feed("6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n");
  ASSERT_TRUE(rig.finish());
  EXPECT_EQ(rig.result.status, TransferStatus::source_too_large);
}

TEST(Transfer, a_sink_that_went_away) {
  Rig rig;
  rig.receiver.close();
  rig.begin({BodyKind::length, 10}, BodyKind::length);
  rig.sender.write("hello");
  EXPECT_TRUE(rig.loop.run_until([&] { return rig.done; }, patience));
  EXPECT_EQ(rig.result.status, TransferStatus::sink_failed);
}

TEST(Transfer, a_sink_that_does_not_read_stops_the_source) {
  Rig rig;
  rig.sink_patience = std::chrono::milliseconds{1};
  constexpr std::size_t size = 64 * 1024 * 1024;
  std::string const piece(65536, 'x');
  rig.begin({BodyKind::length, size}, BodyKind::length);
  std::size_t written = 0;
  EXPECT_TRUE(rig.loop.run_until(
      [&] {
        written += rig.sender.write(piece);
        return rig.done;
      },
      patience));
  EXPECT_EQ(rig.result.status, TransferStatus::sink_too_slow);
  // What two sockets and one buffer hold, and not the body.
  EXPECT_LT(written, size / 4);
}

TEST(Transfer, a_sink_that_reads_again_gets_everything) {
  Rig rig;
  constexpr std::size_t size = 3'000'000;
  std::string const payload(size, 'x');
  rig.begin({BodyKind::length, size}, BodyKind::length);
  std::size_t written = 0;
  // Nobody reads until nothing more is taken.
  for (int idle = 0; idle < 20;) {
    auto const n = rig.sender.write(std::string_view(payload).substr(written));
    written += n;
    idle = n == 0 ? idle + 1 : 0;
    rig.loop.run_until([] { return false; }, std::chrono::milliseconds{1});
  }
  EXPECT_LT(written, size);
  rig.feed(std::string_view(payload).substr(written));
  ASSERT_TRUE(rig.finish());
  EXPECT_EQ(rig.result.status, TransferStatus::complete);
  EXPECT_EQ(rig.received.size(), size);
}

// Never at a loss for bytes.
struct Endless final : net::Stream {
  using Stream::Stream;
  net::IoResult try_read(std::span<char> into) override {
    std::fill(into.begin(), into.end(), 'x');
    return {net::IoStatus::done, into.size()};
  }
  net::IoResult try_write(std::span<char const>) override { return {net::IoStatus::failed, 0}; }
  net::IoStatus flush() override { return net::IoStatus::done; }
  bool has_unsent() const override { return false; }
  bool has_buffered() const override { return false; }
  void finish() override {}
};

// Notes how much it is offered, and takes `room` bytes before it has to be waited for.
struct Meter final : net::Stream {
  using Stream::Stream;
  std::size_t room = SIZE_MAX;
  std::vector<std::size_t> offered;
  net::IoResult try_read(std::span<char>) override { return {net::IoStatus::failed, 0}; }
  net::IoResult try_write(std::span<char const> from) override {
    auto const taken = std::min(room, from.size());
    if (taken == 0) {
      room = SIZE_MAX;  // its socket can be written to: the wait is short
      return {net::IoStatus::want_write, 0};
    }
    offered.push_back(from.size());
    room -= taken;
    return {net::IoStatus::done, taken};
  }
  net::IoStatus flush() override { return net::IoStatus::done; }
  bool has_unsent() const override { return false; }
  bool has_buffered() const override { return false; }
  void finish() override {}
};

TEST(Transfer, offers_more_to_a_sink_that_takes_all_and_less_to_one_that_does_not) {
  constexpr std::size_t careful = TransferBuffer::careful_bytes;
  constexpr std::size_t most = TransferBuffer::payload_bytes;
  static_assert(most == 4 * careful);
  net::Loop loop;
  net::Deadlines deadlines(loop);
  TransferBuffer buffer;
  int far_source = -1, far_sink = -1;
  Endless source(loop, pair_of_sockets(far_source));
  Meter sink(loop, pair_of_sockets(far_sink));
  Peer const sender(far_source), receiver(far_sink);
  net::SocketDeadline source_deadline(source.socket()), sink_deadline(sink.socket());
  // Up to the middle of the fourth piece.
  sink.room = careful + 2 * careful + most + 1000;
  BodyDecoder decoder({BodyKind::length, careful + 2 * careful + most + most + careful});
  TransferCount count;
  std::string surplus;
  std::optional<TransferStatus> status;
  auto const carry = [&]() -> net::Task<void> {
    auto const from_end = End{source, source_deadline, deadlines.list(patience)};
    auto const to_end = End{sink, sink_deadline, deadlines.list(patience)};
    auto const kind = BodyKind::length;
    auto const ended = co_await transfer_body(buffer, from_end, decoder, to_end, kind, count, surplus);
    status = ended.status;
  };
  net::start(carry());
  ASSERT_TRUE(loop.run_until([&] { return status.has_value(); }, patience));
  EXPECT_EQ(*status, TransferStatus::complete);
  std::vector<std::size_t> const expected{careful, 2 * careful, most, most, most - 1000, careful};
  EXPECT_EQ(sink.offered, expected);
}

TEST(BodyPace, is_the_grace_and_the_time_that_the_bytes_may_take) {
  using std::chrono::seconds;
  struct Case {
    int waited;
    std::uint64_t bytes;
    bool too_slow;
  };
  BodyPace pace{.bytes_per_second = 100, .grace = seconds{2}};
  for (auto const& [waited, bytes, too_slow] :
       {Case{2, 0, false}, Case{3, 0, true}, Case{3, 99, true}, Case{3, 100, false},
        Case{12, 999, true}, Case{12, 1000, false}}) {
    pace.waited = seconds{waited};
    EXPECT_EQ(pace.is_too_slow(bytes), too_slow) << bytes;
  }
  pace.waited = seconds{3600};
  EXPECT_FALSE(pace.is_too_slow(UINT64_MAX));
  pace.bytes_per_second = 0;
  EXPECT_FALSE(pace.is_too_slow(0));
}

TEST(Transfer, ends_for_a_source_that_is_never_silent_and_never_done) {
  Rig rig;
  BodyPace pace{.bytes_per_second = 1'000'000'000};
  rig.pace = &pace;
  rig.begin({BodyKind::length, 1'000'000}, BodyKind::length);
  ASSERT_TRUE(rig.loop.run_until(
      [&] {
        if (!rig.done) rig.sender.write("x");
        return rig.done;
      },
      patience));
  EXPECT_EQ(rig.result.status, TransferStatus::source_too_slow);
  EXPECT_LT(rig.count.payload, 1'000'000u);
}

TEST(Transfer, a_cancelled_wait_ends_it) {
  Rig rig;
  rig.begin({BodyKind::length, 10}, BodyKind::length);
  rig.source.socket().cancel();
  ASSERT_TRUE(rig.finish());
  EXPECT_EQ(rig.result.status, TransferStatus::source_failed);
}

TEST(SendNow, tells_what_is_left) {
  net::Loop loop;
  int far = -1;
  SmallStream stream(loop, pair_of_sockets(far));
  Peer peer(far);
  std::string_view rest;
  bool failed = false;
  EXPECT_TRUE(send_now(stream, "hello", rest, failed));
  EXPECT_EQ(peer.read(), "hello");
  std::string const much(16 * 1024 * 1024, 'x');
  EXPECT_FALSE(send_now(stream, much, rest, failed));
  EXPECT_FALSE(failed);
  EXPECT_GT(rest.size(), 0u);
  EXPECT_LT(rest.size(), much.size());
  peer.close();
  EXPECT_FALSE(send_now(stream, "more", rest, failed));
  EXPECT_TRUE(failed);
}

}  // namespace
}  // namespace certgate::proxy
