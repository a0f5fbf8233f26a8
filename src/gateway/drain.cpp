// The orderly end: no new connections, time for requests under way, then everything is closed.
#include <condition_variable>

#include "inside.hpp"

namespace certgate::gateway {

Gateway::Inside::~Inside() {
  serving = false;
  admin_server = nullptr;
  crl_watch = nullptr;
  commands.stop();
  if (command_thread.joinable()) command_thread.join();
  reloads.stop();
  if (reload_thread.joinable()) reload_thread.join();
  if (!threads.empty()) drain();
  for (auto const& worker : workers) {
    if (worker != nullptr) worker->loop().stop();
  }
  for (auto& thread : threads) thread.join();
  background.stop();
  if (background_thread.joinable()) background_thread.join();
  if (names != nullptr) names->stop();
  if (health != nullptr) {
    background.run_until([this] { return health->stop(); }, std::chrono::seconds{5});
  }
}

void Gateway::Inside::on_each_worker(std::function<void(proxy::Worker&)> const& work) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable all_done;
    std::size_t left = 0;
  };
  // Not on this stack: the last worker may still be letting go of the mutex when we go on.
  auto const waiting = std::make_shared<Waiting>();
  waiting->left = workers.size();
  for (auto const& worker : workers) {
    auto& target = *worker;
    target.loop().post([&target, &work, waiting] {
      work(target);
      std::lock_guard const lock(waiting->mutex);
      if (--waiting->left == 0) waiting->all_done.notify_one();
    });
  }
  std::unique_lock lock(waiting->mutex);
  waiting->all_done.wait(lock, [&] { return waiting->left == 0; });
}

void Gateway::Inside::drain() {
  {
    // A reload that is about to swap would open listeners again: either it has, or it will see this.
    std::lock_guard const no_change(changing);
    if (draining.exchange(true)) return;
  }
  log.info("draining", {{"connections", connections->open.load()}});
  on_each_worker([](proxy::Worker& worker) { worker.drain(); });
  std::chrono::milliseconds patience{0};
  {
    std::lock_guard const lock(mutex);
    patience = *config->timeouts.drain;
  }
  auto const is_empty = [&] {
    std::atomic<std::size_t> left{0};
    on_each_worker([&left](proxy::Worker& worker) { left += worker.connection_count(); });
    return left == 0;
  };
  auto const wait_until_empty = [&](std::chrono::milliseconds at_most) {
    auto const end = std::chrono::steady_clock::now() + at_most;
    while (!is_empty()) {
      if (std::chrono::steady_clock::now() >= end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return true;
  };
  if (!wait_until_empty(patience)) {
    log.warning("closing the connections that are left", {{"connections", connections->open.load()}});
    on_each_worker([](proxy::Worker& worker) { worker.close_all(); });
    wait_until_empty(std::chrono::seconds{5});
  }
  access_log->flush(std::chrono::seconds{2});
  log.info("stopped");
}

}  // namespace certgate::gateway
