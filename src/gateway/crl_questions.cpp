// Asks each configured CRL address for its list, as a run would, and keeps nothing of it.
#include "certgate/gateway/gateway.hpp"
#include "certgate/gateway/kept_state.hpp"
#include "certgate/net/resolve.hpp"
#include "list_fetch.hpp"
#include "materials.hpp"

namespace certgate::gateway {
namespace {

struct CrlQuestion {
  CrlQuestion(net::Loop& loop, net::Deadlines& deadlines, CrlUrl wanted, CrlStore::List had)
      : url(std::move(wanted)),
        known(std::move(had)),
        asking(loop, deadlines, net::resolve) {}

  CrlUrl url;
  CrlStore::List known;
  ListFetch asking;
  Result<ListFetched> fetched = fail(ErrorCode::timed_out, "it took too long");
};

net::Task<void> ask_address(CrlQuestion& question, CrlFetchSettings settings, std::size_t& left) {
  auto fetched = co_await question.asking.run(question.url, settings, question.known);
  question.fetched = std::move(fetched);
  --left;
}

CrlAnswer answer_of(CrlQuestion const& question) {
  CrlAnswer answer;
  answer.url = question.url.text();
  answer.host = question.url.host;
  answer.is_from_certificate = question.url.from_certificate;
  if (!question.fetched) {
    answer.problem = question.fetched.error().detail;
    return answer;
  }
  auto const& fetched = *question.fetched;
  answer.delta_url = fetched.delta_url;
  answer.delta_problem = fetched.delta_problem;
  answer.state = question.known == nullptr ? "first" : fetched.is_unchanged ? "unchanged" : "new";
  answer.list = describe(fetched.list);
  answer.number = x509::highest_number(fetched.list.facts);
  answer.next_update = end_of(fetched.list);
  for (auto const& list : fetched.list.facts) answer.entries += list.entries;
  return answer;
}

}  // namespace

Result<std::vector<CrlAnswer>, Diagnostics> ask_crl_addresses(Checked const& checked) {
  CERTGATE_TRY(auto const settings, crl_fetch_settings(checked.config.crl_refresh));
  auto const kept = load_kept_state(checked.config, SystemClock{});
  net::Loop loop;
  net::Deadlines deadlines(loop);
  std::vector<std::unique_ptr<CrlQuestion>> questions;
  for (auto& url : wanted_crl_urls(checked.config)) {
    auto known = kept ? kept->fetched->find(url.key) : nullptr;
    questions.push_back(
        std::make_unique<CrlQuestion>(loop, deadlines, std::move(url), std::move(known)));
  }
  std::size_t left = questions.size();
  for (auto const& question : questions) {
    net::start(ask_address(*question, settings, left));
  }
  // Each fetch ends by its own deadline; judging what came takes a little longer.
  loop.run_until([&left] { return left == 0; },
                 settings.timeout + std::chrono::seconds{10});
  std::vector<CrlAnswer> answers;
  for (auto const& question : questions) {
    if (left != 0) question->asking.cancel();
    answers.push_back(answer_of(*question));
  }
  loop.run_until([&left] { return left == 0; }, std::chrono::seconds{10});
  return answers;
}

std::string describe_crl_answers(std::vector<CrlAnswer> const& answers, UnixSeconds at) {
  std::string text = answers.empty() ? "no CRL address is configured\n" : "CRL addresses\n";
  for (auto const& answer : answers) {
    text += "  " + answer.url + " (" + answer.host + (answer.is_from_certificate ? ", distribution point" : "") + "): ";
    if (!answer.problem.empty()) {
      text += "NOT fetched: " + answer.problem + "\n";
      continue;
    }
    text += answer.state + ": " + answer.list;
    if (answer.next_update && *answer.next_update <= at) text += ", HAS ENDED";
    text += "\n";
    if (answer.delta_url.empty()) continue;
    text += "    delta " + answer.delta_url + ": " +
            (answer.delta_problem.empty() ? "fetched" : "NOT fetched: " + answer.delta_problem) +
            "\n";
  }
  return text;
}

}  // namespace certgate::gateway
