// One usual request on its way through, for callgrind to count: parsed, decided, written for the
// origin, and its answer written for the client. Driven by instructions.py.
//
// Each part is a function of its own that is not inlined, so that its count can be read off.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "certgate/http/admission.hpp"
#include "certgate/http/forward.hpp"
#include "certgate/http1/reader.hpp"
#include "certgate/policy/decide.hpp"

namespace {

using namespace certgate;

// About 900 bytes and 15 fields.
std::string const request =
    "GET /v1/devices/4711/measurements.json?from=2026-01-01&limit=100 HTTP/1.1\r\n"
    "Host: api.example.com\r\n"
    "User-Agent: ExampleApp/7.3.1 (iPhone; iOS 19.1; Scale/3.00) CFNetwork/1568.200.51 "
    "Darwin/24.1.0\r\n"
    "Accept: application/json, text/plain;q=0.9, */*;q=0.8\r\n"
    "Accept-Language: de-DE,de;q=0.9,en-GB;q=0.8,en;q=0.7\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Authorization: Bearer "
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJkZXZpY2UtNDcxMSIsImV4cCI6MTc5OTk5OTk5OX0."
    "c2lnbmF0dXJlLW9mLWEtdXN1YWwtbGVuZ3RoLW9mLTY0LWJ5dGVzLWluLWJhc2U2NC11cmw\r\n"
    "Cookie: session=5f2b8c1d9e7a4036; theme=dark; consent=all\r\n"
    "Cache-Control: no-cache\r\n"
    "Connection: keep-alive\r\n"
    "X-App-Version: 7.3.1 (20260114)\r\n"
    "X-Device-Id: 0d8f3c5e-6b7a-4c1d-9e2f-123456789abc\r\n"
    "X-Trace-Id: 4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7\r\n"
    "If-None-Match: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"\r\n"
    "Origin: https://app.example.com\r\n"
    "Referer: https://app.example.com/devices/4711\r\n"
    "\r\n";

std::string const response =
    "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 20 Apr 2021 02:07:55 GMT\r\n"
    "Content-Type: application/json\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n"
    "ETag: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"\r\nCache-Control: private\r\n"
    "Vary: Accept-Encoding\r\n\r\n";

[[noreturn]] void die(char const* what) {
  std::fprintf(stderr, "request_instructions: %s failed\n", what);
  std::exit(1);
}

// A thousand hosts with a rule each, in the form that Cloudflare's mTLS rules have.
policy::Policy make_policy() {
  policy::PolicyText text;
  for (int i = 0; i < 1000; ++i) {
    policy::RuleText rule;
    rule.name = "rule " + std::to_string(i);
    auto const host = i == 500 ? std::string("api") : "h" + std::to_string(i);
    rule.expression = "http.host in {\"" + host +
                      ".example.com\"} and (not cf.tls_client_auth.cert_verified or "
                      "cf.tls_client_auth.cert_revoked)";
    text.live.rules.push_back(std::move(rule));
  }
  auto built = policy::Policy::build(std::move(text));
  if (!built) die("building the policy");
  return std::move(*built);
}

struct Worker {
  policy::Policy const policy = make_policy();
  http::ForwardingPolicy const forwarding;
  std::array<http::Field, http1::default_max_fields> slots;
  std::string target = std::string(http::target_scratch_bytes(8192), '\0');
  http::AdmissionScratch admission{{}, {}, target};
  policy::Scratch scratch;
  x509::Verdict verdict;
  std::string out;
};

[[gnu::noinline]] http::AdmittedRequest part_parse(Worker& worker, http::RequestHead& head) {
  http1::RequestReader reader(worker.slots);
  if (reader.feed(request) != http1::Feed::complete) die("reading");
  head = reader.head();
  auto const admitted =
      http::admit_request(head, http::Normalisation::cloudflare, worker.admission);
  if (!admitted) die("admitting");
  return *admitted;
}

[[gnu::noinline]] void part_decide(Worker& worker, http::RequestHead const& head,
                                   http::AdmittedRequest const& admitted) {
  policy::Facts facts;
  facts.verdict = &worker.verdict;
  facts.head = &head;
  facts.target = &admitted.target;
  facts.host = admitted.authority.host;
  auto const decision = policy::decide(worker.policy, facts, worker.scratch);
  if (decision.action != policy::Action::allow) die("deciding");
}

[[gnu::noinline]] void part_serialise(Worker& worker, http::RequestHead const& head,
                                      http::AdmittedRequest const& admitted) {
  http::ForwardValues values;
  values.origin_form = admitted.target.origin_form;
  values.client_ip = "192.0.2.17";
  values.host = admitted.framing.host;
  values.request_id = "01J9ZK8Q4X3V5T7W9Y2B4D6F8H";
  worker.out.clear();
  http::append_request_head(worker.out, head, admitted.framing, worker.forwarding, values);
  http::append_host(worker.out, "api.example.com");
}

[[gnu::noinline]] void part_answer(Worker& worker) {
  http1::ResponseReader reader(worker.slots);
  if (reader.feed(response) != http1::Feed::complete) die("reading the answer");
  auto const framing = http::frame_response(reader.head(), "GET");
  if (!framing) die("framing the answer");
  http::ResponseValues values;
  values.body = framing->body;
  worker.out.clear();
  http::append_response_head(worker.out, reader.head(), values);
}

}  // namespace

int main(int, char** argv) {
  Worker worker;
  worker.verdict.presented = worker.verdict.verified = true;
  auto const requests = argv[1] == nullptr ? 1 : std::atoi(argv[1]);
  for (int i = 0; i < requests; ++i) {
    http::RequestHead head;
    auto const admitted = part_parse(worker, head);
    part_decide(worker, head, admitted);
    part_serialise(worker, head, admitted);
    part_answer(worker);
  }
  return 0;
}
