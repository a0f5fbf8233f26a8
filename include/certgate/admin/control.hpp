// What the operator's API can ask of the running process; the gateway implements it.
//
// Every call arrives on the admin server's thread, one at a time, and should return at once: while
// one runs, no other request is answered, health checks included. Slow commands answer later
// through `Done`, from any thread, exactly once; that is harmless after the server has gone.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace certgate::admin {

struct Outcome {
  bool ok = false;   // false: 422, what was asked for could not be done and nothing changed
  std::string text;  // for a person: the receipt, or the diagnostics
};
using Done = std::function<void(Outcome)>;

class Control {
 public:
  virtual ~Control() = default;

  // Every listener accepts and the process is not draining.
  virtual bool ready() = 0;
  virtual std::string status() = 0;   // a JSON object
  virtual std::string metrics() = 0;  // Prometheus text format

  // Reads the configuration again and answers when the verdict is known.
  // `body`: '{"json": true}' asks for JSON instead of sentences; anything else is passed over.
  virtual void reload(std::string_view body, Done done) = 0;

  // POST /`name` with `body`, for commands that come later ("deny"). Only over the unix socket,
  // where the caller is known. False: there is no such command, and `done` is not kept.
  virtual bool command(std::string_view name, std::string_view body, Done done) {
    (void)name, (void)body, (void)done;
    return false;
  }
};

}  // namespace certgate::admin
