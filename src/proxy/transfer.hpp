// Carries one body from one stream to another with bounded memory and back-pressure.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "body.hpp"
#include "certgate/net/deadlines.hpp"
#include "certgate/net/stream.hpp"

namespace certgate::proxy {

// Where payload is gathered between a read and the write that follows it at once: one per worker,
// never held across a suspension.
class TransferBuffer {
 public:
  // Each piece wakes the receiver and lets the sender go on: fewer of them cost less.
  static constexpr std::size_t payload_bytes = 256 * 1024;
  // For a sink that has not shown that it takes more: what is left over is kept while it waits.
  static constexpr std::size_t careful_bytes = 64 * 1024;
  // REQUIRES: at_most <= payload_bytes.
  std::span<char> payload(std::size_t at_most) { return {bytes_.get() + body_headroom, at_most}; }

 private:
  std::unique_ptr<char[]> bytes_{new char[body_headroom + payload_bytes + body_tailroom]};
};

// What ends a peer that sends a byte now and then: all waits for it together may take `grace` and
// the time in which `bytes_per_second` (0: any) would have brought what came.
struct BodyPace {
  std::uint64_t bytes_per_second = 0;
  std::chrono::nanoseconds grace{0};
  std::chrono::nanoseconds waited{0};

  bool is_too_slow(std::uint64_t bytes) const {
    if (bytes_per_second == 0) return false;
    std::chrono::duration<double> const due{static_cast<double>(bytes) /
                                            static_cast<double>(bytes_per_second)};
    return waited > grace + due;
  }
};

// One end of a transfer: the stream and how long it may be silent; of a source, how slow it may be.
struct End {
  net::Stream& stream;
  net::SocketDeadline& deadline;
  net::DeadlineList& patience;
  BodyPace* pace = nullptr;
};

enum class TransferStatus {
  complete,
  source_failed,    // broken, cut short, or malformed
  source_too_slow,
  source_too_large,
  sink_failed,
  sink_too_slow,
};

struct TransferResult {
  TransferStatus status = TransferStatus::complete;
  std::string_view reason;  // token for the log when the source's framing is refused
};

// What a transfer has moved so far; shared with whoever watches.
struct TransferCount {
  std::uint64_t payload = 0;  // bytes of the body itself
  std::uint64_t written = 0;  // with its framing
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();  // of payload
};

// Until the body is complete. Bytes behind the end of the body are left in `surplus` (a pipelined
// request, or an origin that says too much). Deadlines are disarmed when it returns.
net::Task<TransferResult> transfer_body(TransferBuffer& buffer, End source, BodyDecoder& decoder,
                                        End sink, http::BodyKind sink_kind, TransferCount& count,
                                        std::string& surplus);

// Writes all of `bytes`, waiting within the sink's patience.
net::Task<TransferStatus> send_all(End sink, std::string_view bytes);

// The write that usually succeeds at once: true when all of it was taken and nothing waits inside
// the stream. Otherwise `rest` is what is still to be written with send_all().
bool send_now(net::Stream& sink, std::string_view bytes, std::string_view& rest, bool& failed);

}  // namespace certgate::proxy
