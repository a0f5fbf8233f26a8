// What all connections of one worker share: loop, caches, scratch memory, the Generation in force.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "certgate/http/admission.hpp"
#include "certgate/net/block_pool.hpp"
#include "certgate/net/deadlines.hpp"
#include "certgate/policy/facts.hpp"
#include "certgate/policy/header_values.hpp"
#include "certgate/proxy/worker.hpp"
#include "certgate/tls/server_stream.hpp"
#include "certgate/upstream/pool.hpp"
#include "transfer.hpp"

namespace certgate::proxy {

class Connection;
class Tunnel;

// Scratch of one request between its head and its forwarding, which never suspends. Belongs to a
// Generation because the Generation's limits size it.
struct RequestScratch {
  std::vector<http::Field> request_slots;
  std::vector<http::Field> response_slots;
  std::vector<char> target_bytes;
  http::AdmissionScratch admission;
};

// A worker's own side of a Generation: its pools and its timeout lists.
struct WorkerGeneration {
  std::shared_ptr<Generation const> shared;
  std::vector<std::shared_ptr<upstream::Pool>> pools;  // by origin
  net::DeadlineList* handshake = nullptr;
  net::DeadlineList* header = nullptr;
  net::DeadlineList* body = nullptr;
  net::DeadlineList* keep_alive = nullptr;
  net::DeadlineList* tunnel = nullptr;
  net::DeadlineList* origin_response = nullptr;
  std::unique_ptr<RequestScratch> scratch;
};

// Strings that keep their capacity between uses.
class StringPool {
 public:
  std::string take() {
    if (free_.empty()) return {};
    auto string = std::move(free_.back());
    free_.pop_back();
    string.clear();
    return string;
  }
  void give_back(std::string&& string) {
    if (string.capacity() <= max_kept_bytes && free_.size() < max_kept) {
      free_.push_back(std::move(string));
    }
  }

  void release_spare() { free_.clear(); }

 private:
  static constexpr std::size_t max_kept_bytes = 128 * 1024;
  static constexpr std::size_t max_kept = 256;
  std::vector<std::string> free_;
};

// Unguessable bytes for request ids and seeds, from the kernel, 4 KiB at a time.
class RandomBytes {
 public:
  void fill(std::span<char> out);

 private:
  std::array<char, 4096> bytes_;
  std::size_t used_ = sizeof(bytes_);
};

struct Workspace {
  explicit Workspace(WorkerOptions worker_options);
  ~Workspace();

  std::shared_ptr<WorkerGeneration const> prepare(std::shared_ptr<Generation const> generation);
  // The ClientHello's facts in the form that rules see them; null when nobody asked for them.
  policy::ClientHelloFacts const* hello_of(tls::Session const& session);
  // Judges every tunnel's client again: all of them, or those whose verdict has run out.
  void review_tunnels(bool everything_changed);
  // Reviews once a second as long as there are tunnels.
  void watch_tunnels();
  // An exchange begins. When none has begun for a while, memory that only work needs is given back.
  void note_exchange() {
    ++exchanges_;
    if (!quiet_watch_->is_armed()) watch_for_quiet();
  }
  // IMF-fixdate of now, made once a second.
  std::string_view http_date();
  std::string_view date_line();  // `Date: …` with its CRLF
  UnixSeconds now() const { return options.tls.clock->unix_seconds(); }

  WorkerOptions options;
  net::Loop loop;
  net::Deadlines deadlines;
  net::BlockPool blocks;
  // Larger, so that a response of 16 KiB is read with its head in one piece, and fewer.
  net::BlockPool response_blocks{64, 2 * net::block_bytes};
  StringPool strings;
  TransferBuffer transfer;
  RandomBytes random;
  std::unique_ptr<tls::ServerContext> tls;
  std::shared_ptr<WorkerGeneration const> current;

  // Used between a request's head and its forwarding, which never suspends.
  policy::Scratch policy;
  std::array<char, 16> seed;
  std::string identity;
  std::string address_text;
  std::string shadow_text;
  policy::RenderedHeaders headers;

  policy::BodyFacts body;
  policy::ClientHelloFacts hello;
  std::array<std::string, 4> hello_texts;
  std::string date;  // a whole line
  std::int64_t date_second = -1;

  Connection* connections = nullptr;  // intrusive list
  std::size_t connection_count = 0;
  std::uint64_t connections_begun = 0;
  std::vector<Tunnel*> tunnels;
  bool draining = false;

 private:
  std::shared_ptr<upstream::Pool> pool_for(std::shared_ptr<upstream::Origin> const& origin);
  class TunnelWatch;
  class QuietWatch;
  void watch_for_quiet();
  void release_spare_memory();
  std::unique_ptr<TunnelWatch> tunnel_watch_;
  std::unique_ptr<net::Deadline> quiet_watch_;
  std::uint64_t exchanges_ = 0;
};

}  // namespace certgate::proxy
