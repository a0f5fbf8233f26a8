#include "crl_store.hpp"

namespace certgate::gateway {

CrlStore::List CrlStore::find(std::string const& key) const {
  std::lock_guard const lock(mutex_);
  auto const at = lists_.find(key);
  return at == lists_.end() ? nullptr : at->second;
}

void CrlStore::put(std::string const& key, List list) {
  std::lock_guard const lock(mutex_);
  lists_.insert_or_assign(key, std::move(list));
}

void CrlStore::forget(std::string const& key) {
  std::lock_guard const lock(mutex_);
  lists_.erase(key);
}

std::vector<x509::LabelledCrl> CrlStore::lists(std::vector<CrlUrl> const& urls) const {
  std::vector<x509::LabelledCrl> found;
  for (auto const& url : urls) {
    auto const list = find(url.key);
    if (list == nullptr) continue;
    for (auto const& crl : list->lists) found.push_back({crl, url.text()});
  }
  return found;
}

}  // namespace certgate::gateway
