#include "kept_list.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "materials.hpp"
#include "state_files.hpp"

namespace certgate::gateway {
namespace {

constexpr std::string_view kept_magic = "certgate fetched CRL 1\n";
constexpr std::size_t max_kept_head = 32 * 1024;

std::string kept_folder(std::string const& state_directory) { return state_directory + "/crls"; }

Failure<Error> no_kept_list(char const* what) { return fail(ErrorCode::invalid, what); }

template <class Number>
bool parse_whole(std::string_view text, Number& number) {
  auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc{} && end == text.data() + text.size();
}

Result<FetchedList> read_kept_file(std::string const& path, CrlUrl const& url) {
  DiskReader disk;
  auto contents = disk.read(path);
  if (!contents) {
    return fail(Error{contents.error().code, "the kept list " + path + ": " + contents.error().detail});
  }
  auto kept = parse_kept_list(std::move(*contents));
  if (kept && kept->url != url.text()) kept = no_kept_list("it is of another address");
  auto judged = kept ? judge_list(std::move(kept->bytes), url) : fail(kept.error());
  if (!judged) {
    return fail(ErrorCode::invalid, "the kept list " + path + " is not used: " + judged.error().detail);
  }
  judged->validators = kept->validators;
  judged->fetched_at = kept->fetched_at;
  return judged;
}

// A name that write_kept_list() gives: "<64 hex digits>-<64 hex digits>".
bool is_key(std::string_view name) {
  constexpr std::size_t digits = 64;
  if (name.size() != 2 * digits + 1 || name[digits] != '-') return false;
  auto const is_digit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
  };
  return std::all_of(name.begin(), name.begin() + digits, is_digit) &&
         std::all_of(name.begin() + digits + 1, name.end(), is_digit);
}

// The address part of a key, with the hyphen.
std::string_view address_of(std::string_view key) { return key.substr(0, key.find('-') + 1); }

// Whether there is a file that certgate wrote; its address, as far as it was written.
bool is_ours(std::filesystem::path const& path, std::string& url) {
  std::error_code error;
  if (std::filesystem::symlink_status(path, error).type() != std::filesystem::file_type::regular) {
    return false;
  }
  std::ifstream file(path, std::ios::binary);
  std::string head(kept_magic.size(), '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  if (!kept_magic.starts_with(head)) return false;
  std::string line;
  if (head == kept_magic && std::getline(file, line) && line.starts_with("url: ")) {
    url = line.substr(5);
  }
  return path.extension() == ".new" || head == kept_magic;
}

}  // namespace

Result<KeptList> parse_kept_list(std::string contents) {
  std::string_view const text = contents;
  if (!text.starts_with(kept_magic)) return no_kept_list("it is not a kept list");
  auto const end = text.substr(0, max_kept_head).find("\n\n");
  if (end == text.npos) return no_kept_list("its head is cut off");
  KeptList kept;
  std::size_t length = 0;
  bool has_length = false;
  auto head = text.substr(kept_magic.size(), end + 1 - kept_magic.size());
  while (!head.empty()) {
    auto const line = head.substr(0, head.find('\n'));
    head.remove_prefix(line.size() + 1);
    // Validators go into the next request, and this file may be another's by now.
    bool const is_text = std::none_of(line.begin(), line.end(), [](char c) {
      return static_cast<unsigned char>(c) < ' ' || c == 0x7F;
    });
    if (!is_text) return no_kept_list("its head has control characters");
    auto const colon = line.find(": ");
    if (colon == line.npos) return no_kept_list("its head has a line without a name");
    auto const name = line.substr(0, colon);
    auto const value = line.substr(colon + 2);
    if (name == "url") kept.url = value;
    if (name == "etag") kept.validators.etag = value;
    if (name == "last-modified") kept.validators.last_modified = value;
    if (name == "fetched" && !parse_whole(value, kept.fetched_at)) {
      return no_kept_list("its head has no time");
    }
    if (name == "length") has_length = parse_whole(value, length);
  }
  if (!has_length || text.size() - (end + 2) != length) return no_kept_list("it is cut off");
  contents.erase(0, end + 2);
  kept.bytes = std::move(contents);
  return kept;
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
  if (auto made = make_state_directory(folder); !made) return made;
  return replace_state_file(folder + "/" + url.key, format_kept_list(url, list, bytes));
}

std::vector<RemovedList> remove_unwanted_lists(std::string const& state_directory,
                                               std::vector<CrlUrl> const& wanted) {
  std::vector<RemovedList> removed;
  if (state_directory.empty()) return removed;
  std::set<std::string> keys;
  for (auto const& url : wanted) keys.insert(url.key);
  std::error_code error;
  std::set<std::string> names;
  for (std::filesystem::directory_iterator entry(kept_folder(state_directory), error), end;
       !error && entry != end; entry.increment(error)) {
    names.insert(entry->path().filename().string());
  }
  // What read_kept_list() may still turn to: another file of an address that has none of its own.
  auto const is_needed = [&](std::string_view key) {
    return std::any_of(keys.begin(), keys.end(), [&](std::string const& own) {
      return own == key || (address_of(own) == address_of(key) && !names.contains(own));
    });
  };
  for (auto const& name : names) {
    auto const path = std::filesystem::path(kept_folder(state_directory)) / name;
    std::string_view key = name;
    if (key.ends_with(".new")) key.remove_suffix(4);
    RemovedList gone;
    if (!is_key(key) || is_needed(key) || !is_ours(path, gone.url)) continue;
    if (::unlink(path.c_str()) != 0) {
      gone.problem = "cannot remove " + path.string() + ": " + std::strerror(errno);
    }
    removed.push_back(std::move(gone));
  }
  return removed;
}

}  // namespace certgate::gateway
