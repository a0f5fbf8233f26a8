// Which host and which origin a request belongs to.
#include "certgate/proxy/generation.hpp"

#include <gtest/gtest.h>

namespace certgate::proxy {
namespace {

TEST(Site, takes_the_first_route_that_covers_the_path) {
  Site site;
  site.origin = 9;
  site.routes = {{"/api/v2/deep", 3}, {"/api/v2", 2}, {"/api", 1}};  // longest first
  struct Row {
    char const* path;
    std::size_t origin;
  };
  for (auto const& [path, origin] : {
           Row{"/", 9}, Row{"/ap", 9}, Row{"/api", 1}, Row{"/api/", 1}, Row{"/apix", 9},
           Row{"/api/v1", 1}, Row{"/api/v2", 2}, Row{"/api/v2/", 2}, Row{"/api/v20", 1},
           Row{"/api/v2/deep", 3}, Row{"/api/v2/deep/er", 3}, Row{"/api/v2/deeper", 2},
           Row{"/API", 9}, Row{"*", 9}}) {
    EXPECT_EQ(site.origin_for(path), origin) << path;
  }
}

TEST(Site, a_route_for_everything) {
  Site site;
  site.origin = 9;
  site.routes = {{"/", 1}};
  EXPECT_EQ(site.origin_for("/"), 1u);
  EXPECT_EQ(site.origin_for("/x/y"), 1u);
}

struct Hosts {
  std::shared_ptr<Site> exact = std::make_shared<Site>();
  std::shared_ptr<Site> wildcard = std::make_shared<Site>();
  std::shared_ptr<Site> any = std::make_shared<Site>();

  Generation generation(bool with_any) const {
    auto table = std::make_shared<HostTable<Site const*>>();
    table->insert(*HostPattern::parse("api.example.com"), exact.get());
    table->insert(*HostPattern::parse("*.example.com"), wildcard.get());
    if (with_any) table->insert(*HostPattern::parse("*"), any.get());
    Generation generation;
    generation.sites = {exact, wildcard, any};
    generation.hosts = std::move(table);
    return generation;
  }
};

TEST(Generation, finds_the_host_by_its_canonical_name) {
  Hosts const hosts;
  auto const generation = hosts.generation(true);
  EXPECT_EQ(generation.find_site("api.example.com"), hosts.exact.get());
  EXPECT_EQ(generation.find_site("www.example.com"), hosts.wildcard.get());
  EXPECT_EQ(generation.find_site("a.b.example.com"), hosts.any.get());
  EXPECT_EQ(generation.find_site("example.com"), hosts.any.get());
  EXPECT_EQ(generation.find_site("[::1]"), hosts.any.get());
}

TEST(Generation, no_name_at_all_is_the_default_host) {
  Hosts const hosts;
  EXPECT_EQ(hosts.generation(true).find_site(""), hosts.any.get());
  EXPECT_EQ(hosts.generation(false).find_site(""), nullptr);
}

TEST(Generation, without_a_default_host_others_are_unknown) {
  Hosts const hosts;
  EXPECT_EQ(hosts.generation(false).find_site("other.test"), nullptr);
}

}  // namespace
}  // namespace certgate::proxy
