// Asks each https:// origin for its certificate, as a run would, and tells what is wrong with it.
#include <algorithm>

#include "certgate/gateway/gateway.hpp"
#include "certgate/net/deadlines.hpp"
#include "certgate/net/socket.hpp"
#include "certgate/tls/connector.hpp"
#include "certgate/x509/name.hpp"
#include "materials.hpp"

namespace certgate::gateway {
namespace {

// For all of them together: they are asked at once.
constexpr std::chrono::milliseconds question_time{2000};
constexpr std::size_t most_questions = 256;
constexpr UnixSeconds soon = UnixSeconds{30} * 86'400;

struct Question {
  upstream::ServerSettings const* server = nullptr;
  config::Mark mark;
  bool is_verified = true;  // tls.verify
  std::string unreachable;  // why nobody could be asked
  std::string refused;      // why a run would not talk to it
  x509::Certificate::Pointer certificate;
};

net::Task<void> ask_server(net::Loop& loop, net::Deadlines& deadlines, Question& question,
                           std::size_t& left) {
  tls::ClientStream stream(loop, question.server->tls);
  net::SocketDeadline deadline(stream.socket());
  deadline.arm(deadlines.list(question_time));
  auto const& address = question.server->address;
  auto const connected = co_await net::connect(stream.socket(), address);
  if (!connected) {
    question.unreachable = connected.error().detail;
    --left;
    co_return;
  }
  auto const shaken = co_await stream.handshake();
  if (shaken) {
    question.certificate = stream.peer_certificate();
  } else if (shaken.error().code == ErrorCode::crypto) {
    question.refused = shaken.error().detail;
  } else {
    question.unreachable = shaken.error().detail;
  }
  --left;
}

// The servers of an origin stand in the order of its URLs, each with one entry per address.
std::vector<Question> questions_of(Checked const& checked) {
  std::vector<Question> questions;
  for (std::size_t i = 0; i < checked.config.origins.size(); ++i) {
    auto const& written = checked.config.origins[i];
    for (auto const& server : checked.built.generation->origins[i]->servers()) {
      auto const& settings = server->settings();
      if (settings.tls == nullptr) continue;
      Question question;
      question.server = &settings;
      question.is_verified = *written.tls.verify;
      for (auto const& url : written.servers) {
        if (settings.written == url->to_string()) question.mark = url.mark;
      }
      questions.push_back(std::move(question));
    }
  }
  return questions;
}

std::string hint_for_refused(std::string_view reason) {
  if (reason.find("is not accepted") != reason.npos) {
    return "name its CA with `tls.ca`, the name in its certificate with `tls.server_name`, or give "
           "the origin another certificate";
  }
  if (reason.find("wrong version number") != reason.npos) {
    return "what answers there does not speak TLS: write http://, or name the port that does";
  }
  return "its own log may say why; one that wants a certificate gets it with `tls.certificate`";
}

void judge_answer(Question const& question, UnixSeconds at, Diagnostics& diagnostics) {
  auto const tell = [&](Severity severity, std::string message, std::string hint) {
    diagnostics.add(question.mark.diagnostic(std::move(message), std::move(hint), severity));
  };
  auto const& label = question.server->label;
  auto const& name = question.server->tls->options().server_name;
  if (!question.unreachable.empty()) {
    tell(Severity::note, "the certificate of " + label + " was not looked at: " +
                             question.unreachable,
         "check again when the origin runs, or with --offline to ask nobody");
    return;
  }
  if (!question.refused.empty()) {
    tell(Severity::warning, "no request will reach " + label + ": " + question.refused,
         hint_for_refused(question.refused));
    return;
  }
  if (question.certificate == nullptr) return;
  auto const& certificate = *question.certificate;
  auto const match = x509::match_host(certificate, name);
  if (match == x509::HostMatch::none) {
    tell(Severity::warning, "the certificate of " + label + " does not cover the name `" + name +
                                "`",
         question.is_verified ? "" : "nobody notices, since `tls.verify` is off");
  }
  if (match == x509::HostMatch::wildcard) {
    tell(Severity::warning, "the certificate of " + label + " covers `" + name +
                                "` by a wildcard only",
         "whoever holds that key for a neighbour's sake can pose as this origin; a certificate of "
         "its own is safer");
  }
  if (certificate.not_after() < at + soon) {
    auto const* const when = certificate.not_after() < at ? "has expired on " : "expires on ";
    tell(Severity::warning, "the certificate of " + label + " " + when +
                                format_day(certificate.not_after()),
         "from then on no request reaches it");
  }
}

}  // namespace

Diagnostics ask_origins(Checked const& checked, UnixSeconds at) {
  auto questions = questions_of(checked);
  Diagnostics diagnostics;
  if (questions.size() > most_questions) {
    diagnostics.add(questions[most_questions].mark.diagnostic(
        "only the first " + std::to_string(most_questions) +
            " servers were asked for their certificate",
        "", Severity::note));
    questions.resize(most_questions);
  }
  net::Loop loop;
  net::Deadlines deadlines(loop);
  std::size_t left = questions.size();
  for (auto& question : questions) net::start(ask_server(loop, deadlines, question, left));
  // Each ends by its own deadline.
  loop.run_until([&left] { return left == 0; }, 2 * question_time);
  for (auto const& question : questions) judge_answer(question, at, diagnostics);
  diagnostics.sort();
  return diagnostics;
}

}  // namespace certgate::gateway
