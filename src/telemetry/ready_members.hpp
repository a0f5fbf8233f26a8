// What stays the same on a connection, as JSON that was formatted once and is copied since.
//
// A cache that belongs to one worker. It has a fixed number of places; a connection's number says
// which is its own, and whoever comes later takes it. So connections that are idle while others
// work keep nothing, and everything goes when the worker has nothing to do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "certgate/telemetry/access_record.hpp"

namespace certgate::telemetry {

class ReadyMembers {
 public:
  static constexpr std::size_t places = 256;

  // Members in the order in which a line has them.
  struct Parts {
    std::string_view client;       // from "client" to "sni"
    std::string_view tls;          // from "tls_version" to "tls_resumed"
    std::string_view certificate;  // from "cert_subject" to "cert_fingerprint", not the verdict
  };

  // In one piece, so that it comes into the cache as fast as memory can.
  class alignas(64) Place {
   public:
    std::string_view client() const { return {text_.data(), client_size_}; }
    std::string_view tls() const { return {text_.data() + client_size_, tls_size_}; }
    std::string_view certificate() const {
      return {text_.data() + client_size_ + tls_size_, certificate_size_};
    }

   private:
    friend class ReadyMembers;
    std::uint64_t connection_ = 0;
    std::uint16_t client_size_ = 0, tls_size_ = 0, certificate_size_ = 0;
    std::array<char, 1024 - 14> text_;
  };
  // Longer texts are formatted each time.
  static constexpr std::size_t max_kept_bytes = sizeof(Place) - 14;

  // Null: to be formatted, and then kept.
  Place const* find(AccessRecord const& record) const {
    if (record.connection == 0) return nullptr;
    auto const* const place = places_[record.connection % places].get();
    if (place == nullptr || place->connection_ != record.connection) return nullptr;
    if (record.certificate.presented && place->certificate_size_ == 0) return nullptr;
    return place;
  }
  // Without a number the record's connection is not known, and nothing is kept.
  void keep(AccessRecord const& record, Parts const& parts);
  void release() {
    for (auto& place : places_) place.reset();
  }

  // find() will be called soon: what it finds is fetched from memory meanwhile.
  void expect(std::uint64_t connection) const {
    auto const* const place = places_[connection % places].get();
    if (place == nullptr) return;
    auto const* const begin = reinterpret_cast<char const*>(place);
    for (std::size_t at = 0; at < usual_bytes; at += cache_line) __builtin_prefetch(begin + at);
  }

 private:
  static constexpr std::size_t usual_bytes = 512, cache_line = 64;
  std::array<std::unique_ptr<Place>, places> places_;
};

}  // namespace certgate::telemetry
