// The file in which a fetched list is kept for the next start.
//
// One text head (address, validators, time, length), an empty line, and then the bytes as they came;
// written whole or not at all, mode 0600. Somebody else may have written it since, so what is read
// back is judged as what a server sent.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/result.hpp"
#include "fetched_list.hpp"

namespace certgate::gateway {

// A kept file taken apart, not judged.
struct KeptList {
  std::string url;
  fetch::Validators validators;
  UnixSeconds fetched_at = 0;
  std::string bytes;
};
Result<KeptList> parse_kept_list(std::string contents);
std::string format_kept_list(CrlUrl const& url, FetchedList const& list, std::string_view bytes);

// Judged. Error `not_found`: nothing is kept. Other errors name the file.
Result<FetchedList> read_kept_list(std::string const& state_directory, CrlUrl const& url);
Result<void> write_kept_list(std::string const& state_directory, CrlUrl const& url,
                             FetchedList const& list, std::string_view bytes);

// A file of an address that is not wanted any more; `problem` says why it is still there.
struct RemovedList {
  std::string url;  // "" when nobody can tell any more (a file that was never finished)
  std::string problem;
};
// Removes what certgate has kept of addresses that are not among `wanted`. Files that certgate did
// not write stay; so does what was kept for other CAs as long as nothing is kept for those of now.
std::vector<RemovedList> remove_unwanted_lists(std::string const& state_directory,
                                               std::vector<CrlUrl> const& wanted);

}  // namespace certgate::gateway
