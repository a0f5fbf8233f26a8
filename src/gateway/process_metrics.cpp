// What monitors ask of every process, and of this one's origins and reloads: read when somebody asks.
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "inside.hpp"
#include "status.hpp"

namespace certgate::gateway {
namespace {

using telemetry::MetricType;
using Values = telemetry::MetricRegistry::Values;

template <class Number>
Values single(Number value) {
  return {{{}, static_cast<double>(value)}};
}

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  auto const seconds = [](timeval const& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

std::size_t resident_bytes() {
  std::size_t pages = 0;
  if (auto* const file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%*u %zu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  if (auto* const folder = ::opendir("/proc/self/fd")) {
    while (auto const* entry = ::readdir(folder)) count += entry->d_name[0] != '.';
    ::closedir(folder);
    --count;  // the folder itself
  }
  return count;
}

Values origin_servers(proxy::Generation const& generation) {
  Values values;
  auto const now = net::Loop::coarse_milliseconds();
  for (auto const& origin : generation.origins) {
    for (auto const& server : origin->servers()) {
      bool const is_up = !server->is_ejected(now) && !server->is_probed_down();
      values.push_back(
          {{{"origin", origin->settings().name}, {"server", server->settings().label}},
           is_up ? 1.0 : 0.0});
    }
  }
  return values;
}

template <class Number>
Values of_names(upstream::NameWatch const& names, Number const& number) {
  Values values;
  for (auto const& state : names.states()) {
    values.push_back({{{"name", state.name}}, static_cast<double>(number(state))});
  }
  return values;
}

}  // namespace

void Gateway::Inside::register_own_metrics() {
  registry->read_with("certgate_denied_entries", "Entries of the operator's deny list in force",
                      MetricType::gauge, [this] {
                        return single(denied->entries(options.clock->unix_seconds()).size());
                      });
  registry->read_with("certgate_origin_server_up",
                      "1: the server of an origin gets requests; 0: it is down or left alone for a "
                      "while",
                      MetricType::gauge,
                      [this] { return origin_servers(*generation_in_force()); });
  registry->read_with("certgate_origin_name_addresses",
                      "Addresses in use of a name that origins' servers are at, looked up again "
                      "every resolve_every",
                      MetricType::gauge, [this] {
                        return of_names(*names, [](auto const& state) { return state.addresses; });
                      });
  registry->read_with("certgate_origin_name_failures_total",
                      "Times that such a name could not be resolved; its addresses stayed",
                      MetricType::counter, [this] {
                        return of_names(*names, [](auto const& state) { return state.failures; });
                      });
  registry->read_with("certgate_origin_name_changes_total",
                      "Times that other addresses of a name were put in force between reloads",
                      MetricType::counter, [this] { return single(names_followed.load()); });
  registry->read_with("certgate_reloads_total",
                      "Reloads that were taken (ok) or refused (refused)", MetricType::counter,
                      [this] {
                        std::lock_guard const lock(mutex);
                        return Values{{{{"result", "ok"}}, static_cast<double>(reloads_taken)},
                                      {{{"result", "refused"}}, static_cast<double>(failed_reloads)}};
                      });
  auto const began = options.clock->unix_seconds();
  registry->read_with("process_start_time_seconds", "Start of the process, in UNIX time",
                      MetricType::gauge, [began] { return single(began); });
  registry->read_with("process_cpu_seconds_total", "CPU time, user and system",
                      MetricType::counter, [] { return single(cpu_seconds()); });
  registry->read_with("process_resident_memory_bytes", "Memory that is resident",
                      MetricType::gauge, [] { return single(resident_bytes()); });
  registry->read_with("process_open_fds", "Open file descriptors", MetricType::gauge,
                      [] { return single(open_descriptors()); });
  registry->read_with("process_max_fds", "Most file descriptors that may be open",
                      MetricType::gauge, [this] { return single(descriptors); });
}

}  // namespace certgate::gateway
