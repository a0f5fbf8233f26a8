#include "run_command.hpp"

#include <malloc.h>
#include <signal.h>
#include <systemd/sd-daemon.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <memory>

#include "certgate/gateway/gateway.hpp"
#include "certgate/telemetry/log.hpp"
#include "certgate/tls/library.hpp"

namespace certgate::cli {
namespace {

// Every signal that means something is taken by the main thread with sigwait(); worker threads
// inherit the mask and are never interrupted.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int const signal : {SIGHUP, SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  // A file that may not grow any more (ulimit -f) is a failed write, like a full disk.
  ::signal(SIGXFSZ, SIG_IGN);
  return signals;
}

// Off this thread, which must go on taking signals: SIGTERM does not wait for a reload.
void reload_on_signal(gateway::Gateway& gateway, std::atomic<bool> const& is_ending) {
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
             static_cast<unsigned long long>(net::Loop::nanoseconds() / 1000));
  gateway.reload_soon([&is_ending](Result<gateway::Receipt, Diagnostics> const& result) {
    if (is_ending) return;
    auto const status = result ? "STATUS=" + result->to_string()
                               : std::string("STATUS=reload refused, the old configuration stays");
    sd_notify(0, ("READY=1\n" + status).c_str());
  });
}

int serve(std::string const& path) {
  auto const signals = block_signals();
  std::atomic<bool> is_ending{false};  // outlives the gateway, whose threads look at it
  // What a CRL or a list needs while it is read goes back to the system afterwards. Left alone, the
  // allocator would keep blocks as large as the largest it has seen.
  ::mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
  tls::keep_freed_memory();
  gateway::GatewayOptions options;
  options.config_path = path;
  auto started = gateway::Gateway::start(std::move(options));
  if (!started) {
    std::fputs(render(started.error()).c_str(), stderr);
    return 2;
  }
  auto& gateway = **started;
  sd_notify(0, "READY=1\nSTATUS=serving");
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal == SIGHUP) {
      reload_on_signal(gateway, is_ending);
    } else if (signal == SIGUSR1) {
      auto const done = gateway.reopen_logs();
      if (!done) telemetry::process_log().error("cannot reopen the logs: " + done.error().detail);
    } else {
      is_ending = true;
      sd_notify(0, "STOPPING=1\nSTATUS=draining");
      gateway.drain();
      return 0;
    }
  }
}

}  // namespace

void add_run_command(CLI::App& root, int& exit_status) {
  auto* const command = root.add_subcommand("run", "Run in the foreground until SIGTERM");
  auto const path = std::make_shared<std::string>("/etc/certgate/certgate.yaml");
  command->add_option("-c,--config", *path, "The configuration file")->capture_default_str();
  command->footer(
      "Signals: SIGHUP reloads, SIGTERM and SIGINT drain and end, SIGUSR1 reopens the log files.\n"
      "Example: certgate run --config certgate.yaml");
  command->callback([path, &exit_status] { exit_status = serve(*path); });
}

}  // namespace certgate::cli
