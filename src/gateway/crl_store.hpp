// The last good list of each address: written by the fetcher, read by builds. Any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fetched_list.hpp"

namespace certgate::gateway {

class CrlStore {
 public:
  using List = std::shared_ptr<FetchedList const>;

  // Null: this address never gave one.
  List find(std::string const& key) const;
  void put(std::string const& key, List list);
  void forget(std::string const& key);

  // Those of these addresses, for a build.
  std::vector<x509::LabelledCrl> lists(std::vector<CrlUrl> const& urls) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, List> lists_;
};

}  // namespace certgate::gateway
