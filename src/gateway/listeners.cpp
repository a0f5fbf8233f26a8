#include "listeners.hpp"

#include <unistd.h>

#include <algorithm>

#include "certgate/net/socket.hpp"
#include "certgate/telemetry/log.hpp"
#include "settings.hpp"

namespace certgate::gateway {
namespace {

constexpr int listen_backlog = 4096;

bool is_every_address(IpAddress const& address) {
  static auto const every_v4 = IpAddress::parse("0.0.0.0"), every_v6 = IpAddress::parse("::");
  return address == *every_v4 || address == *every_v6;
}

// A connection to `narrow` could be one to `wide`.
bool covers(IpEndpoint const& wide, IpEndpoint const& narrow) {
  if (wide.port != narrow.port || wide.address.is_v4() != narrow.address.is_v4()) return false;
  return wide.address == narrow.address || is_every_address(wide.address);
}

bool runs_at(std::vector<OpenListener> const& running, IpEndpoint const& endpoint) {
  return std::any_of(running.begin(), running.end(), [&](auto const& listener) {
    return std::find(listener.bound.begin(), listener.bound.end(), endpoint) !=
           listener.bound.end();
  });
}

// We listen on that port ourselves, so that asking the kernel whether somebody does tells nothing;
// another program would have been noticed when that listener was opened.
bool overlaps(std::vector<OpenListener> const& ours, IpEndpoint const& endpoint) {
  return std::any_of(ours.begin(), ours.end(), [&](auto const& listener) {
    auto const touches = [&](IpEndpoint const& bound) {
      return covers(bound, endpoint) || covers(endpoint, bound);
    };
    return std::any_of(listener.bound.begin(), listener.bound.end(), touches) ||
           (!listener.sockets.empty() && touches(listener.settings->endpoint));
  });
}

OpenListener listener_of(config::Listener const& listener) {
  OpenListener open;
  open.written = listener.address->to_string();
  open.settings = std::make_shared<proxy::ListenerSettings>();
  open.settings->name = open.written;
  open.settings->proxy_protocol = protocol_of(*listener.proxy_protocol);
  for (auto const& source : listener.trusted_sources) {
    open.settings->trusted_sources.push_back(*source);
  }
  open.settings->endpoint = *listener.address;
  open.mark = listener.address.mark;
  return open;
}

std::string hint_for(ErrorCode code) {
  if (code == ErrorCode::conflict) return "choose another port, or stop the other program";
  if (code == ErrorCode::not_found) {
    return "`ip address` lists those that it has; 0.0.0.0 and [::] stand for all of them";
  }
  return {};
}

Result<void> open_sockets(OpenListener& listener, std::size_t workers, bool is_shared) {
  if (!is_shared) {
    auto const is_free = net::check_address_free(listener.settings->endpoint);
    if (!is_free) return fail(is_free.error());
  }
  for (std::size_t i = 0; i < workers; ++i) {
    CERTGATE_TRY(int const fd, net::bind_listener(listener.settings->endpoint));
    listener.sockets.push_back(fd);
    // The port that the first socket got, for the others.
    CERTGATE_TRY(listener.settings->endpoint, net::local_endpoint(fd));
  }
  return {};
}

// Narrower sockets that run and that nobody else wants go on under the wider address.
void take_narrower(std::vector<OpenListener>& wanted, std::vector<OpenListener> const& running) {
  for (auto const& former : running) {
    for (auto const& bound : former.bound) {
      if (runs_at(wanted, bound)) continue;
      auto const wider = std::find_if(wanted.begin(), wanted.end(), [&](auto const& listener) {
        return covers(listener.settings->endpoint, bound);
      });
      if (wider != wanted.end()) wider->bound.push_back(bound);
    }
  }
}

bool has_equal_settings(OpenListener const& a, OpenListener const& b) {
  return a.settings->proxy_protocol == b.settings->proxy_protocol &&
         a.settings->trusted_sources == b.settings->trusted_sources;
}

// For each wanted listener the running one that it continues, or null. Listeners at port 0 may be
// written alike: each running one goes on once, rather as one with its settings than in its place.
std::vector<OpenListener const*> former_ones(std::vector<OpenListener> const& wanted,
                                             std::vector<OpenListener> const& running) {
  std::vector<OpenListener const*> former(wanted.size(), nullptr);
  for (bool const settings_too : {true, false}) {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (former[i] != nullptr) continue;
      auto const found = std::find_if(running.begin(), running.end(), [&](auto const& candidate) {
        return candidate.written == wanted[i].written &&
               (!settings_too || has_equal_settings(candidate, wanted[i])) &&
               std::find(former.begin(), former.end(), &candidate) == former.end();
      });
      if (found != running.end()) former[i] = &*found;
    }
  }
  return former;
}

}  // namespace

void close_sockets(std::vector<OpenListener>& listeners) {
  for (auto& listener : listeners) {
    for (int const fd : listener.sockets) ::close(fd);
    listener.sockets.clear();
  }
}

Result<std::vector<OpenListener>, Diagnostics> open_listeners(
    config::Config const& wanted, std::vector<OpenListener> const& running, std::size_t workers) {
  std::vector<OpenListener> opened, described;
  Diagnostics diagnostics;
  for (auto const& listener : wanted.listeners) described.push_back(listener_of(listener));
  auto const former = former_ones(described, running);
  for (std::size_t i = 0; i < described.size(); ++i) {
    auto& open = described[i];
    if (former[i] != nullptr) open.settings->endpoint = former[i]->settings->endpoint;
    auto const& endpoint = open.settings->endpoint;
    if (endpoint.port != 0 && runs_at(running, endpoint)) {
      open.bound.push_back(endpoint);
      opened.push_back(std::move(open));
      continue;
    }
    bool const is_shared = overlaps(running, endpoint) || overlaps(opened, endpoint);
    if (auto const done = open_sockets(open, workers, is_shared); !done) {
      diagnostics.add(open.mark.diagnostic(done.error().detail, hint_for(done.error().code)));
    }
    opened.push_back(std::move(open));
  }
  if (diagnostics.has_errors()) {
    close_sockets(opened);
    return fail(std::move(diagnostics));
  }
  take_narrower(opened, running);
  return opened;
}

Result<void, Diagnostics> start_listening(std::vector<OpenListener> const& opened) {
  for (auto const& listener : opened) {
    for (int const fd : listener.sockets) {
      if (auto const done = net::start_listening(fd, listen_backlog); !done) {
        return fail(one(listener.mark.diagnostic(done.error().detail)));
      }
    }
  }
  return {};
}

void take_listeners(std::vector<OpenListener>& running, std::vector<OpenListener> wanted,
                    std::vector<std::unique_ptr<proxy::Worker>> const& workers) {
  auto& log = telemetry::process_log();
  for (auto& listener : wanted) {
    listener.mark = {};  // the configuration may go before the listener
    auto const settings = listener.settings;
    for (auto const& bound : listener.bound) {
      // Runs already; its PROXY settings may have changed.
      for (auto const& worker : workers) {
        auto& target = *worker;
        target.loop().post(
            [&target, bound, settings] { target.change_listener(bound, settings); });
      }
    }
    if (listener.sockets.empty()) continue;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      auto& target = *workers[i];
      int const fd = listener.sockets[i];
      target.loop().post([&target, settings, fd] { target.listen(settings, fd); });
    }
    listener.sockets.clear();
    listener.bound.push_back(settings->endpoint);
    log.info("listening", {{"address", settings->endpoint.to_string()}});
  }
  for (auto const& former : running) {
    for (auto const& bound : former.bound) {
      if (runs_at(wanted, bound)) continue;
      for (auto const& worker : workers) {
        auto& target = *worker;
        target.loop().post([&target, bound] { target.stop_listening(bound); });
      }
      log.info("stopped listening", {{"address", bound.to_string()}});
    }
  }
  running = std::move(wanted);
}

}  // namespace certgate::gateway
