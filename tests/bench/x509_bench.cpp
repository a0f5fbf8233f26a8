// What certificates and revocation lists cost: reading facts, verifying, building and asking the
// index.
#include <benchmark/benchmark.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>

#include "certgate/x509/pem.hpp"
#include "certgate/x509/verdict.hpp"
#include "certgate/x509/verification_cache.hpp"
#include "support/openssl_parts.hpp"
#include "support/test_ca.hpp"

namespace certgate::x509 {
namespace {

using testing::Issued;
using testing::test_now;

Issued const& root() {
  static Issued const made = testing::make_ca("Bench Root");
  return made;
}
Issued const& issuer() {
  static Issued const made = testing::make_ca("Bench CA", &root());
  return made;
}
Issued const& client() {
  static Issued const made = testing::make_client("bench-client", issuer());
  return made;
}

// A list of `entries` random serials of 16 bytes.
std::string const& crl_of(std::int64_t entries) {
  static std::map<std::int64_t, std::string> lists;
  auto at = lists.find(entries);
  if (at != lists.end()) return at->second;
  std::mt19937_64 random(1);
  testing::CrlSpec spec;
  for (std::int64_t i = 0; i < entries; ++i) {
    char serial[33];
    std::snprintf(serial, sizeof serial, "%016llX%016llX",
                  static_cast<unsigned long long>(random() >> 1 | 1ULL << 60),
                  static_cast<unsigned long long>(random()));
    spec.entries.push_back({serial, 1, {}, {}});
  }
  return lists.emplace(entries, testing::make_crl(spec, issuer())).first->second;
}

RevocationIndex::Pointer index_of(std::int64_t entries) {
  static std::map<std::int64_t, RevocationIndex::Pointer> indexes;
  RevocationIndex::Pointer& index = indexes[entries];
  if (!index) {
    std::vector<LabelledCrl> const lists{{testing::read_crl(crl_of(entries)), "bench.crl"}};
    std::vector<Certificate::Pointer> const issuers{issuer().facts};
    index = *RevocationIndex::build(lists, issuers);
  }
  return index;
}

void facts_from_der(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(Certificate::parse_der(as_bytes(client().der)));
  }
  state.counters["bytes_beside_der"] =
      static_cast<double>(client().facts->memory_bytes() - client().der.size());
}
BENCHMARK(facts_from_der);

void facts_from_openssl(benchmark::State& state) {
  X509* const certificate = testing::decode(client().der);
  for (auto _ : state) benchmark::DoNotOptimize(Certificate::parse_openssl(certificate));
  X509_free(certificate);
}
BENCHMARK(facts_from_openssl);

void verify_path(benchmark::State& state) {
  auto const trust = *Trust::build({root().facts});
  auto const chain = ClientChain::make(client().facts, {issuer().facts});
  for (auto _ : state) benchmark::DoNotOptimize(trust->verify(*chain, test_now()));
}
BENCHMARK(verify_path);

void verify_path_cached(benchmark::State& state) {
  auto const trust = *Trust::build({root().facts});
  auto const chain = ClientChain::make(client().facts, {issuer().facts});
  VerificationCache cache;
  for (auto _ : state) benchmark::DoNotOptimize(cache.verify(*trust, *chain, test_now()));
}
BENCHMARK(verify_path_cached);

void judge_with_index(benchmark::State& state) {
  ClientPolicy policy;
  policy.mode = ClientAuthMode::request;
  policy.trust = *Trust::build({root().facts});
  policy.revocations = index_of(100'000);
  auto const chain = ClientChain::make(client().facts, {issuer().facts});
  Verification const verification = policy.trust->verify(*chain, test_now());
  for (auto _ : state) {
    benchmark::DoNotOptimize(judge(policy, chain.get(), &verification, test_now()));
  }
}
BENCHMARK(judge_with_index);

void parse_crl(benchmark::State& state) {
  std::string const& der = crl_of(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(Crl::parse_der(der));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(der.size()));
}
BENCHMARK(parse_crl)->Arg(10'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void parse_crl_pem(benchmark::State& state) {
  std::string const pem = format_pem("X509 CRL", as_bytes(crl_of(state.range(0))));
  for (auto _ : state) benchmark::DoNotOptimize(parse_crls(pem));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(pem.size()));
}
BENCHMARK(parse_crl_pem)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

// Signature check included.
void build_index(benchmark::State& state) {
  std::vector<LabelledCrl> const lists{{testing::read_crl(crl_of(state.range(0))), "bench.crl"}};
  std::vector<Certificate::Pointer> const issuers{issuer().facts};
  std::size_t bytes = 0;
  for (auto _ : state) bytes = (*RevocationIndex::build(lists, issuers))->memory_bytes();
  state.counters["bytes_per_entry"] =
      static_cast<double>(bytes) / static_cast<double>(state.range(0));
}
BENCHMARK(build_index)->Arg(10'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

// Random serials, every second one revoked, so that every look-up misses the processor's caches.
void look_up(benchmark::State& state) {
  auto const index = index_of(state.range(0));
  IssuerId const id = issuer().facts->id_as_issuer();
  std::vector<std::array<std::uint8_t, 16>> serials;
  auto const crl = testing::read_crl(crl_of(state.range(0)));
  CrlEntry entry;
  for (auto cursor = crl->entries(); cursor.next(entry);) {
    auto& serial = serials.emplace_back();
    std::copy(entry.serial.begin(), entry.serial.end(), serial.begin());
    if (serials.size() % 2 == 0) serial.back() ^= 1;
  }
  std::shuffle(serials.begin(), serials.end(), std::mt19937(2));
  std::size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(index->find(id, serials[at]));
    if (++at == serials.size()) at = 0;
  }
}
BENCHMARK(look_up)->Arg(10'000)->Arg(100'000)->Arg(1'000'000);

}  // namespace
}  // namespace certgate::x509
