#include "fetched_list.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "certgate/gateway/build.hpp"
#include "certgate/x509/pem.hpp"
#include "materials.hpp"
#include "state_files.hpp"

namespace certgate::gateway {
namespace {

constexpr std::string_view kept_magic = "certgate fetched CRL 1\n";
constexpr std::size_t max_kept_head = 32 * 1024;

std::string kept_folder(std::string const& state_directory) { return state_directory + "/crls"; }

// CRL numbers as upper-case hex without leading zero bytes.
bool is_lower_number(std::string const& a, std::string const& b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

bool looks_like_html(std::string_view bytes) {
  auto const start = bytes.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return start != bytes.npos && bytes[start] == '<';
}

struct KeptFile {
  std::string url;
  fetch::Validators validators;
  UnixSeconds fetched_at = 0;
  std::string bytes;
};

Failure<Error> broken(char const* what) { return fail(ErrorCode::invalid, what); }

template <class Number>
bool parse_whole(std::string_view text, Number& number) {
  auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc{} && end == text.data() + text.size();
}

Result<KeptFile> parse_kept_file(std::string contents) {
  std::string_view const text = contents;
  if (!text.starts_with(kept_magic)) return broken("it is not a kept list");
  auto const end = text.substr(0, max_kept_head).find("\n\n");
  if (end == text.npos) return broken("its head is cut off");
  KeptFile kept;
  std::size_t length = 0;
  bool has_length = false;
  auto head = text.substr(kept_magic.size(), end + 1 - kept_magic.size());
  while (!head.empty()) {
    auto const line = head.substr(0, head.find('\n'));
    head.remove_prefix(line.size() + 1);
    auto const colon = line.find(": ");
    if (colon == line.npos) return broken("its head has a line without a name");
    auto const name = line.substr(0, colon);
    auto const value = line.substr(colon + 2);
    if (name == "url") kept.url = value;
    if (name == "etag") kept.validators.etag = value;
    if (name == "last-modified") kept.validators.last_modified = value;
    if (name == "fetched" && !parse_whole(value, kept.fetched_at)) {
      return broken("its head has no time");
    }
    if (name == "length") has_length = parse_whole(value, length);
  }
  if (!has_length || text.size() - (end + 2) != length) return broken("it is cut off");
  contents.erase(0, end + 2);
  kept.bytes = std::move(contents);
  return kept;
}

Result<FetchedList> read_kept_file(std::string const& path, CrlUrl const& url) {
  DiskReader disk;
  auto contents = disk.read(path);
  if (!contents) {
    return fail(Error{contents.error().code, "the kept list " + path + ": " + contents.error().detail});
  }
  auto kept = parse_kept_file(std::move(*contents));
  if (kept && kept->url != url.text()) kept = broken("it is of another address");
  auto judged = kept ? judge_list(std::move(kept->bytes), url) : fail(kept.error());
  if (!judged) {
    return fail(ErrorCode::invalid, "the kept list " + path + " is not used: " + judged.error().detail);
  }
  judged->validators = kept->validators;
  judged->fetched_at = kept->fetched_at;
  return judged;
}

}  // namespace

Result<FetchedList> judge_list(std::string bytes, CrlUrl const& url) {
  if (bytes.empty()) return broken("it is empty");
  if (looks_like_html(bytes)) return broken("it is a web page (HTML), not a CRL");
  FetchedList fetched;
  fetched.bytes = bytes.size();
  auto parsed = x509::parse_crls(bytes);
  if (!parsed) return fail(std::move(parsed).error());
  std::string().swap(bytes);  // the lists have copies
  std::vector<x509::LabelledCrl> labelled;
  for (auto const& crl : *parsed) labelled.push_back({crl, url.text()});
  auto const index = x509::RevocationIndex::build(labelled, url.authorities);
  if (!index) {
    auto detail = index.error().detail;
    // The address is said by whoever tells of this.
    auto const prefix = url.text() + ": ";
    if (detail.starts_with(prefix)) detail.erase(0, prefix.size());
    return fail(Error{index.error().code, std::move(detail)});
  }
  fetched.facts = (*index)->lists();
  fetched.lists = std::move(*parsed);
  return fetched;
}

Result<void> refuse_older_list(FetchedList const& next, FetchedList const& before) {
  for (auto const& is : next.facts) {
    for (auto const& was : before.facts) {
      if (is.issuer != was.issuer || is.scope != was.scope || is.is_delta != was.is_delta) continue;
      if (is_lower_number(is.number, was.number)) {
        return fail(ErrorCode::conflict,
                    "it goes backwards: number " + was.number + " is in force, this is " +
                        (is.number.empty() ? "without a number" : "number " + is.number));
      }
      if (is.this_update < was.this_update) {
        return fail(ErrorCode::conflict, "it goes backwards: one of " + format_day(was.this_update) +
                                             " is in force, this is of " +
                                             format_day(is.this_update));
      }
    }
  }
  return {};
}

bool is_same_list(FetchedList const& a, FetchedList const& b) {
  return std::equal(a.lists.begin(), a.lists.end(), b.lists.begin(), b.lists.end(),
                    [](auto const& x, auto const& y) { return as_text(x->der()) == as_text(y->der()); });
}

std::optional<UnixSeconds> end_of(FetchedList const& list) {
  std::optional<UnixSeconds> first;
  for (auto const& facts : list.facts) {
    if (facts.next_update && (!first || *facts.next_update < *first)) first = facts.next_update;
  }
  return first;
}

std::string describe(FetchedList const& list) {
  std::size_t entries = 0;
  std::string number;
  for (auto const& facts : list.facts) {
    entries += facts.entries;
    if (number.empty() || is_lower_number(number, facts.number)) number = facts.number;
  }
  auto text = std::to_string(entries) + " revoked";
  if (!number.empty()) text += ", number " + number;
  if (auto const end = end_of(list)) text += ", until " + format_day(*end);
  return text;
}

std::string format_kept_list(CrlUrl const& url, FetchedList const& list, std::string_view bytes) {
  std::string text(kept_magic);
  text += "url: " + url.text() + "\n";
  text += "fetched: " + std::to_string(list.fetched_at) + "\n";
  if (!list.validators.etag.empty()) text += "etag: " + list.validators.etag + "\n";
  if (!list.validators.last_modified.empty()) {
    text += "last-modified: " + list.validators.last_modified + "\n";
  }
  text += "length: " + std::to_string(bytes.size()) + "\n\n";
  text.append(bytes);
  return text;
}

Result<FetchedList> read_kept_list(std::string const& state_directory, CrlUrl const& url) {
  if (state_directory.empty()) return fail(ErrorCode::not_found, "nothing is kept");
  auto const folder = kept_folder(state_directory);
  auto exact = read_kept_file(folder + "/" + url.key, url);
  if (exact || exact.error().code != ErrorCode::not_found) return exact;
  // Kept for other CAs: good for these as well if one of them signed it (a CA was added).
  auto const same_address = url.key.substr(0, url.key.find('-') + 1);
  std::error_code error;
  std::vector<std::string> others;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    auto const name = entry->path().filename().string();
    if (name.starts_with(same_address) && name.size() == url.key.size()) others.push_back(name);
  }
  std::sort(others.begin(), others.end());
  for (auto const& name : others) {
    if (auto list = read_kept_file(folder + "/" + name, url)) return list;
  }
  return fail(ErrorCode::not_found, "nothing is kept");
}

Result<void> write_kept_list(std::string const& state_directory, CrlUrl const& url,
                             FetchedList const& list, std::string_view bytes) {
  auto const folder = kept_folder(state_directory);
  CERTGATE_TRY(auto const made, [&]() -> Result<bool> {
    auto done = make_state_directory(folder);
    if (!done) return fail(done.error());
    return true;
  }());
  static_cast<void>(made);
  return replace_state_file(folder + "/" + url.key, format_kept_list(url, list, bytes));
}

}  // namespace certgate::gateway
