#include "transfer.hpp"

#include <algorithm>
#include <cstring>

#include "certgate/net/loop.hpp"

namespace certgate::proxy {
namespace {

using net::IoStatus;
using net::Ready;

// A transfer that never has to wait still lets the worker's other connections run: after this many
// buffers it waits for the sink to be writable, which goes through the event loop.
constexpr int rounds_before_yield = 4;

// A TLS stream reads many records at a time into a large room, up to here before its end.
constexpr std::size_t not_worth_reading = 20 * 1024;

struct Filled {
  std::size_t bytes = 0;
  IoStatus last = IoStatus::done;  // why it stopped, when not for want of room
};

// As much as there is: fewer, larger writes cost fewer system calls and fill TLS records.
Filled fill(net::Stream& source, std::span<char> room) {
  Filled filled;
  while (filled.bytes + not_worth_reading < room.size()) {
    auto const result = source.try_read(room.subspan(filled.bytes));
    filled.last = result.status;
    if (result.status != IoStatus::done) break;
    filled.bytes += result.bytes;
  }
  return filled;
}

net::Task<bool> wait_patiently(End end, IoStatus what) {
  end.deadline.arm(end.patience);
  auto const ready = co_await net::wait_for(end.stream, what);
  end.deadline.disarm();
  co_return ready == Ready::ready;
}

}  // namespace

bool send_now(net::Stream& sink, std::string_view bytes, std::string_view& rest, bool& failed) {
  rest = bytes;
  failed = false;
  while (!rest.empty()) {
    auto const result = sink.try_write(std::span<char const>(rest.data(), rest.size()));
    if (result.status == IoStatus::done) {
      rest.remove_prefix(result.bytes);
      continue;
    }
    failed = result.status == IoStatus::failed || result.status == IoStatus::closed;
    return false;
  }
  return !sink.has_unsent();
}

net::Task<TransferStatus> send_all(End sink, std::string_view bytes) {
  auto rest = bytes;
  for (;;) {
    IoStatus status = IoStatus::done;
    if (!rest.empty()) {
      auto const result = sink.stream.try_write(std::span<char const>(rest.data(), rest.size()));
      status = result.status;
      if (status == IoStatus::done) {
        rest.remove_prefix(result.bytes);
        continue;
      }
    } else {
      if (!sink.stream.has_unsent()) co_return TransferStatus::complete;
      status = sink.stream.flush();
      if (status == IoStatus::done) co_return TransferStatus::complete;
    }
    if (status != IoStatus::want_read && status != IoStatus::want_write) {
      co_return TransferStatus::sink_failed;
    }
    auto const ready = co_await wait_patiently(sink, status);
    if (!ready) {
      co_return sink.deadline.expired() ? TransferStatus::sink_too_slow
                                        : TransferStatus::sink_failed;
    }
  }
}

net::Task<TransferResult> transfer_body(TransferBuffer& buffer, End source, BodyDecoder& decoder,
                                        End sink, http::BodyKind sink_kind, TransferCount& count,
                                        std::string& surplus) {
  std::string unsent;
  int rounds = 0;
  auto piece_bytes = TransferBuffer::careful_bytes;
  while (!decoder.is_complete()) {
    auto const room = buffer.payload(piece_bytes);
    auto const filled = fill(source.stream, room);

    std::size_t decoded = 0;
    bool complete = false;
    auto left = room.first(filled.bytes);
    if (!left.empty()) {
      auto const piece = decoder.decode(left);
      if (piece.status == BodyDecoder::Status::refused) {
        co_return TransferResult{TransferStatus::source_failed, decoder.reason()};
      }
      complete = piece.status == BodyDecoder::Status::complete;
      decoded = piece.data.size();
      count.payload += decoded;
      if (count.payload > count.limit) {
        co_return TransferResult{TransferStatus::source_too_large, {}};
      }
      if (complete) surplus.append(left.data() + piece.consumed, left.size() - piece.consumed);

      bool const ends_by_close = filled.last == IoStatus::closed && !complete &&
                                 decoder.end_of_stream() == BodyDecoder::Status::complete;
      complete = complete || ends_by_close;
      auto const framed =
          encode_in_place(sink_kind, piece.data, complete ? Piece::last : Piece::more_to_come);
      std::string_view rest;
      bool failed = false;
      bool const sent = send_now(sink.stream, framed, rest, failed);
      if (failed) co_return TransferResult{TransferStatus::sink_failed, {}};
      count.written += framed.size();
      if (sent) {
        piece_bytes = std::min(2 * piece_bytes, TransferBuffer::payload_bytes);
      } else {
        piece_bytes = TransferBuffer::careful_bytes;
        // The shared buffer must not be held while waiting: what the sink did not take is copied.
        unsent.assign(rest);
        auto const view = std::string_view(unsent);
        auto const status = co_await send_all(sink, view);
        if (status != TransferStatus::complete) co_return TransferResult{status, {}};
        rounds = 0;
      }
      if (complete) break;
      if (filled.last == IoStatus::closed) {
        co_return TransferResult{TransferStatus::source_failed, "truncated_body"};
      }
    } else if (filled.last == IoStatus::closed) {
      if (decoder.end_of_stream() != BodyDecoder::Status::complete) {
        co_return TransferResult{TransferStatus::source_failed, "truncated_body"};
      }
      auto const framed = encode_in_place(sink_kind, room.first(0), Piece::last);
      unsent.assign(framed);
      auto const view = std::string_view(unsent);
      auto const status = co_await send_all(sink, view);
      if (status != TransferStatus::complete) co_return TransferResult{status, {}};
      count.written += framed.size();
      break;
    }

    if (filled.last == IoStatus::failed) {
      co_return TransferResult{TransferStatus::source_failed, "connection_lost"};
    }
    if (filled.last == IoStatus::want_read || filled.last == IoStatus::want_write) {
      auto const what = filled.last;
      auto const began = net::Loop::nanoseconds();
      auto const ready = co_await wait_patiently(source, what);
      if (!ready) {
        co_return TransferResult{source.deadline.expired() ? TransferStatus::source_too_slow
                                                           : TransferStatus::source_failed,
                                 "connection_lost"};
      }
      if (source.pace != nullptr) {
        source.pace->waited += std::chrono::nanoseconds{net::Loop::nanoseconds() - began};
        if (source.pace->is_too_slow(count.payload)) {
          co_return TransferResult{TransferStatus::source_too_slow, {}};
        }
      }
      rounds = 0;
    } else if (++rounds == rounds_before_yield) {
      auto const what = IoStatus::want_write;
      auto const ready = co_await wait_patiently(sink, what);
      if (!ready) {
        co_return TransferResult{sink.deadline.expired() ? TransferStatus::sink_too_slow
                                                         : TransferStatus::sink_failed,
                                 {}};
      }
      rounds = 0;
    }
  }
  co_return TransferResult{};
}

}  // namespace certgate::proxy
