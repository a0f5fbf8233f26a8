#include "listeners.hpp"

#include <unistd.h>

#include <algorithm>

#include "certgate/net/socket.hpp"
#include "certgate/telemetry/log.hpp"
#include "settings.hpp"

namespace certgate::gateway {
namespace {

constexpr int listen_backlog = 4096;

}  // namespace

void close_sockets(std::vector<OpenListener>& listeners) {
  for (auto& listener : listeners) {
    for (int const fd : listener.sockets) ::close(fd);
    listener.sockets.clear();
  }
}

Result<std::vector<OpenListener>, Diagnostics> open_listeners(
    config::Config const& wanted, std::vector<OpenListener> const& running, std::size_t workers) {
  std::vector<OpenListener> opened;
  Diagnostics diagnostics;
  for (auto const& listener : wanted.listeners) {
    OpenListener open;
    open.written = listener.address->to_string();
    open.settings = std::make_shared<proxy::ListenerSettings>();
    open.settings->name = open.written;
    open.settings->proxy_protocol = protocol_of(*listener.proxy_protocol);
    for (auto const& source : listener.trusted_sources) {
      open.settings->trusted_sources.push_back(*source);
    }
    open.settings->endpoint = *listener.address;

    auto const known = std::find_if(running.begin(), running.end(), [&](auto const& one_running) {
      return one_running.written == open.written;
    });
    if (known != running.end()) {
      open.settings->endpoint = known->settings->endpoint;
      opened.push_back(std::move(open));
      continue;
    }
    Result<void> const is_free = net::check_address_free(*listener.address);
    if (!is_free) {
      diagnostics.add(listener.address.mark.diagnostic(
          is_free.error().detail, "choose another port, or stop the other program"));
      continue;
    }
    for (std::size_t i = 0; i < workers; ++i) {
      auto const fd = net::open_listener(open.settings->endpoint, listen_backlog);
      if (!fd) {
        diagnostics.add(listener.address.mark.diagnostic(fd.error().detail));
        break;
      }
      open.sockets.push_back(*fd);
      // The port that the first socket got, for the others.
      auto const bound = net::local_endpoint(*fd);
      if (bound) open.settings->endpoint = *bound;
    }
    opened.push_back(std::move(open));
  }
  if (diagnostics.has_errors()) {
    close_sockets(opened);
    return fail(std::move(diagnostics));
  }
  return opened;
}

void take_listeners(std::vector<OpenListener>& running, std::vector<OpenListener> wanted,
                    std::vector<std::unique_ptr<proxy::Worker>> const& workers) {
  auto& log = telemetry::process_log();
  for (auto& former : running) {
    auto const next = std::find_if(wanted.begin(), wanted.end(), [&](auto const& listener) {
      return listener.written == former.written;
    });
    if (next != wanted.end()) continue;
    auto const settings = former.settings;
    for (auto const& worker : workers) {
      auto& target = *worker;
      target.loop().post([&target, settings] { target.stop_listening(*settings); });
    }
    log.info("stopped listening", {{"address", settings->endpoint.to_string()}});
  }
  for (auto& listener : wanted) {
    if (listener.sockets.empty()) {
      // Runs already; its PROXY settings may have changed.
      auto const settings = listener.settings;
      for (auto const& worker : workers) {
        auto& target = *worker;
        target.loop().post([&target, settings] { target.change_listener(settings); });
      }
      continue;
    }
    for (std::size_t i = 0; i < workers.size(); ++i) {
      auto& target = *workers[i];
      auto const settings = listener.settings;
      int const fd = listener.sockets[i];
      target.loop().post([&target, settings, fd] { target.listen(settings, fd); });
    }
    listener.sockets.clear();
    log.info("listening", {{"address", listener.settings->endpoint.to_string()}});
  }
  running = std::move(wanted);
}

}  // namespace certgate::gateway
