// Writes gathered lines, keeps them while the disk is full, and changes files between two lines.
#include "access_log_writer.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace certgate::telemetry {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// The longest sleep of an idle writer: a worker may just miss that it has fallen asleep.
constexpr milliseconds longest_sleep{1000};
// How long one write may wait for a pipe's reader.
constexpr milliseconds pipe_patience{100};
constexpr mode_t log_file_mode = 0640;

int as_poll_time(milliseconds time) { return static_cast<int>(time.count()); }

std::uint64_t count_lines(std::string_view text) {
  std::uint64_t lines = 0;
  char const* at = text.data();
  char const* const end = at + text.size();
  while (at != end) {
    auto const* const newline = std::memchr(at, '\n', static_cast<std::size_t>(end - at));
    if (newline == nullptr) break;
    at = static_cast<char const*>(newline) + 1;
    ++lines;
  }
  return lines;
}

bool is_terminal_or_pipe(int descriptor, struct stat const& status) {
  return S_ISFIFO(status.st_mode) || (S_ISCHR(status.st_mode) && isatty(descriptor) == 1);
}

}  // namespace

Result<LogTarget> LogTarget::open(std::string const& path) {
  LogTarget target;
  target.descriptor_ = STDOUT_FILENO;
  if (!path.empty()) {
    // O_NONBLOCK: a named pipe that nobody reads is an error, not a wait.
    int const flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    target.file_ = FileDescriptor{::open(path.c_str(), flags, log_file_mode)};
    target.descriptor_ = target.file_.get();
    if (target.descriptor_ < 0) {
      auto const code = errno == EACCES || errno == EPERM ? ErrorCode::permission : ErrorCode::io;
      return fail(code, "cannot open access log " + path + ": " + std::strerror(errno));
    }
  }
  struct stat status {};
  if (fstat(target.descriptor_, &status) == 0) {
    if (S_ISSOCK(status.st_mode)) target.kind_ = Kind::socket;
    if (is_terminal_or_pipe(target.descriptor_, status)) target.kind_ = Kind::pipe;
  }
  return target;
}

ssize_t LogTarget::write(iovec const* pieces, int count, milliseconds patience) const {
  if (kind_ == Kind::file) return writev(descriptor_, pieces, count);
  pollfd ready{descriptor_, POLLOUT, 0};
  if (poll(&ready, 1, as_poll_time(patience)) == 0) return 0;
  ssize_t done;
  if (kind_ == Kind::socket) {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces);
    message.msg_iovlen = static_cast<std::size_t>(count);
    done = sendmsg(descriptor_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } else {
    // A pipe that is ready takes this much at once, even when it is shared and blocking.
    done = ::write(descriptor_, pieces[0].iov_base,
                   std::min<std::size_t>(pieces[0].iov_len, PIPE_BUF));
  }
  return done < 0 && errno == EAGAIN ? 0 : done;
}

AccessLog::Writer::Writer(AccessLog const& log, AccessLogOptions options, LogTarget target,
                          FileDescriptor event)
    : log_(log),
      options_(std::move(options)),
      target_(std::move(target)),
      event_(std::move(event)),
      path_(options_.path) {
  // Signals belong to the gateway; a pipe whose reader has gone is an error, not a signal.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

AccessLog::Writer::~Writer() {
  stopping_.store(true, std::memory_order_release);
  wake();
  thread_.join();
}

void AccessLog::Writer::wake_once() {
  if (woken_.load(std::memory_order_relaxed)) return;
  if (woken_.exchange(true, std::memory_order_relaxed)) return;
  wake();
}

void AccessLog::Writer::wake() {
  std::uint64_t const one = 1;
  // The counter can only be full when the writer is about to wake anyway.
  [[maybe_unused]] auto const done = ::write(event_.get(), &one, sizeof(one));
}

void AccessLog::Writer::replace(std::string path, LogTarget target) {
  {
    std::lock_guard const lock{mutex_};
    path_ = std::move(path);
    new_target_ = std::move(target);
  }
  wake();
}

std::string AccessLog::Writer::path() const {
  std::lock_guard const lock{mutex_};
  return path_;
}

bool AccessLog::Writer::flush(milliseconds timeout) {
  std::vector<std::uint64_t> wanted;
  for (auto const& worker : log_.workers_) wanted.push_back(worker->ring_->written());
  auto const reached = [&] {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (ring(i).read() < wanted[i]) return false;
    }
    return true;
  };
  wake();
  std::unique_lock lock{mutex_};
  return drained_.wait_for(lock, timeout, reached);
}

void AccessLog::Writer::run() {
  std::optional<steady_clock::time_point> end;
  Drained last = Drained::nothing;
  while (true) {
    wait(last);
    bool const stopping = stopping_.load(std::memory_order_acquire);
    if (stopping && !end) end = steady_clock::now() + options_.shutdown;
    take_new_target();
    last = drain();
    { std::lock_guard const lock{mutex_}; }
    drained_.notify_all();
    if (stopping && (last == Drained::nothing || steady_clock::now() >= *end)) return;
  }
}

void AccessLog::Writer::wait(Drained last) {
  bool const stopping = stopping_.load(std::memory_order_acquire);
  auto time = options_.interval;
  if (stopping) time = last == Drained::stuck ? std::min(time, milliseconds{20}) : milliseconds{0};
  if (last == Drained::nothing && !stopping) {
    asleep_.store(true, std::memory_order_seq_cst);
    bool const quiet = std::all_of(log_.workers_.begin(), log_.workers_.end(),
                                   [](auto const& one) { return one->ring_->readable().empty(); });
    time = quiet ? longest_sleep : milliseconds{0};
  }
  pollfd event{event_.get(), POLLIN, 0};
  if (poll(&event, 1, as_poll_time(time)) > 0) {
    std::uint64_t count;
    [[maybe_unused]] auto const done = ::read(event_.get(), &count, sizeof(count));
  }
  asleep_.store(false, std::memory_order_relaxed);
  // While writing fails, full queues must not make workers call for help at every record.
  woken_.store(failing_, std::memory_order_relaxed);
}

void AccessLog::Writer::take_new_target() {
  std::optional<LogTarget> next;
  {
    std::lock_guard const lock{mutex_};
    next.swap(new_target_);
  }
  if (!next) return;
  if (torn_) finish_torn_line();
  target_ = std::move(*next);
}

// The rest of a line goes where its beginning went; if that fails, it goes nowhere.
void AccessLog::Writer::finish_torn_line() {
  std::string_view const waiting = ring(first_).readable();
  std::size_t const length = std::min(waiting.find('\n'), waiting.size() - 1) + 1;
  iovec const piece{const_cast<char*>(waiting.data()), length};
  [[maybe_unused]] auto const done = target_.write(&piece, 1, milliseconds{0});
  consumed(first_, waiting.substr(0, length), count_lines(waiting.substr(0, length)));
}

AccessLog::Writer::Drained AccessLog::Writer::drain() {
  std::size_t const count = log_.workers_.size();
  auto result = Drained::nothing;
  // A round takes everything that waits; a busy worker must not keep this from ever ending.
  for (int round = 0; round < 64; ++round) {
    std::vector<iovec> pieces;
    struct Source {
      std::size_t worker;
      LineRing::Waiting waiting;
    };
    std::vector<Source> sources;
    for (std::size_t i = 0; i < count && pieces.size() < IOV_MAX; ++i) {
      std::size_t const worker = (first_ + i) % count;
      auto const waiting = ring(worker).waiting();
      if (waiting.text.empty()) continue;
      pieces.push_back({const_cast<char*>(waiting.text.data()), waiting.text.size()});
      sources.push_back({worker, waiting});
    }
    if (pieces.empty()) return result;
    ssize_t const done =
        target_.write(pieces.data(), static_cast<int>(pieces.size()), pipe_patience);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) failing(errno);
    if (done <= 0) return Drained::stuck;
    working();
    auto rest = static_cast<std::size_t>(done);
    for (auto const& [worker, waiting] : sources) {
      if (rest == 0) break;
      auto const part = waiting.text.substr(0, rest);
      bool const whole = part.size() == waiting.text.size() && waiting.lines.has_value();
      consumed(worker, part, whole ? *waiting.lines : count_lines(part));
      rest -= part.size();
    }
    result = Drained::all;
  }
  return result;
}

void AccessLog::Writer::consumed(std::size_t worker, std::string_view text, std::uint64_t lines) {
  torn_ = text.back() != '\n';
  first_ = worker;
  ring(worker).consume(text.size(), lines);
  written_.store(written_.load(std::memory_order_relaxed) + lines, std::memory_order_relaxed);
}

std::string AccessLog::Writer::shown(std::string const& path) {
  return path.empty() ? "(standard output)" : path;
}

void AccessLog::Writer::failing(int reason) {
  write_errors_.store(write_errors_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (std::exchange(failing_, true) || !options_.report) return;
  options_.report("cannot write to access log " + shown(path()) + ": " + std::strerror(reason));
}

void AccessLog::Writer::working() {
  if (!std::exchange(failing_, false) || !options_.report) return;
  options_.report("access log " + shown(path()) + " is written again");
}

}  // namespace certgate::telemetry
