#include "ca_bulk.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <iostream>
#include <map>
#include <set>

#include "ca_subcommands.hpp"
#include "ca_times.hpp"
#include "certgate/base/encoding.hpp"

namespace certgate::cli {
namespace {

// How many certificates one commit records: what a kill can cost is less than a second of work.
constexpr std::size_t batch_size = 100;
constexpr std::size_t progress_width = 30;

struct Cell {
  std::string text;
  std::size_t offset = 0;
  std::size_t length = 0;
};
using Row = std::vector<Cell>;

// RFC 4180, with line ends of either kind.
class CsvReader {
 public:
  CsvReader(SourceText const& source, Diagnostics& mistakes)
      : source_(source), text_(source.text()), mistakes_(mistakes) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;  // what spreadsheets put in front
  }

  // False at the end. Empty lines and lines that begin with # are passed over.
  bool next(Row& row) {
    while (at_ < text_.size()) {
      if (text_[at_] == '\n' || text_[at_] == '\r') {
        ++at_;
        continue;
      }
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        continue;
      }
      row.clear();
      while (read_field(row)) {
      }
      return true;
    }
    return false;
  }

 private:
  // True when another field follows on the line.
  bool read_field(Row& row) {
    Cell field;
    field.offset = at_;
    if (at_ < text_.size() && text_[at_] == '"') {
      read_quoted(field);
    } else {
      auto const end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
      field.text = std::string(text_.substr(at_, end - at_));
      at_ = end;
    }
    field.length = std::max<std::size_t>(1, at_ - field.offset);
    row.push_back(std::move(field));
    if (at_ < text_.size() && text_[at_] == ',') {
      ++at_;
      return true;
    }
    return false;
  }

  void read_quoted(Cell& field) {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] != '"') {
        field.text += text_[at_];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        field.text += text_[++at_];
      } else {
        ++at_;
        if (at_ < text_.size() && text_.find_first_of(",\r\n", at_) != at_) {
          mistakes_.add(make_diagnostic(source_, at_, 1, "text after the closing quote",
                                        "write \"\" for a quote inside a quoted field"));
          at_ = std::min(text_.find_first_of(",\r\n", at_), text_.size());
        }
        return;
      }
    }
    mistakes_.add(make_diagnostic(source_, field.offset, 1, "the quote is never closed"));
  }

  SourceText const& source_;
  std::string_view text_;
  Diagnostics& mistakes_;
  std::size_t at_ = 0;
};

std::vector<std::string_view> const columns{"name", "profile", "dns",  "uri",     "email",
                                            "ip",   "unit",    "days", "key_type"};

class DeviceTable {
 public:
  DeviceTable(SourceText const& source, IssueOrder const& defaults, UnixSeconds now)
      : source_(source), defaults_(defaults), now_(now) {}

  Result<std::vector<IssueOrder>, Diagnostics> read() {
    CsvReader reader(source_, mistakes_);
    Row row;
    if (!reader.next(row)) {
      add_mistake({{}, 0, 1}, "the table is empty", "the first line names the columns: name,dns");
    } else {
      read_header(row);
    }
    while (mistakes_.empty() && reader.next(row)) read_rows(reader, row);
    if (!mistakes_.empty()) return fail(std::move(mistakes_));
    return std::move(orders_);
  }

 private:
  void read_header(Row const& row) {
    for (auto const& field : row) {
      auto const name = ascii_lower(field.text);
      if (std::find(columns.begin(), columns.end(), name) == columns.end()) {
        auto const meant = nearest(name, columns);
        add_mistake(field, "unknown column `" + field.text + "`",
                    meant.empty() ? "columns are name, profile, dns, uri, email, ip, unit, days, "
                                    "key_type"
                                  : "did you mean `" + std::string(meant) + "`?");
      } else if (std::find(header_.begin(), header_.end(), name) != header_.end()) {
        add_mistake(field, "the column `" + name + "` stands here twice");
      }
      header_.push_back(name);
    }
    if (std::find(header_.begin(), header_.end(), "name") == header_.end()) {
      add_mistake(row.front(), "the column `name` is missing",
                  "the first line names the columns: name,dns");
    }
  }

  void read_rows(CsvReader& reader, Row& row) {
    do {
      read_row(row);
    } while (mistakes_.size() < max_mistakes && reader.next(row));
  }

  void read_row(Row const& row) {
    if (row.size() != header_.size()) {
      add_mistake(row.front(), "the line has " + std::to_string(row.size()) +
                                   " fields, the first " + std::to_string(header_.size()));
      return;
    }
    auto order = defaults_;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (row[i].text.empty() && header_[i] != "name") continue;
      read_field(order, header_[i], row[i]);
    }
    for (auto const& name : order.names) {
      if (!pki::profile_of(order.profile).allows(name)) {
        add_mistake(row.front(), "profile " + std::string(pki::profile_of(order.profile).name) +
                                     " does not allow the " +
                                     std::string(pki::name_of(name.kind())) + " name " +
                                     name.text());
      }
    }
    orders_.push_back(std::move(order));
  }

  void read_field(IssueOrder& order, std::string const& column, Cell const& field) {
    if (column == "name") {
      order.name = field.text;
      auto const fine = pki::check_subject({field.text, {}, {}});
      if (!fine) add_mistake(field, fine.error().detail);
      if (!names_.insert(field.text).second) {
        add_mistake(field, "the name " + field.text + " stands here twice");
      }
    } else if (column == "profile") {
      auto const profile = pki::parse_profile(field.text);
      if (profile && !pki::profile_of(*profile).is_authority) {
        order.profile = *profile;
      } else {
        add_mistake(field, "unknown profile `" + field.text + "`",
                    "profiles are mobile, iot, service, server");
      }
    } else if (column == "unit") {
      order.unit = field.text;
    } else if (column == "days") {
      int days = 0;
      auto const* const end = field.text.data() + field.text.size();
      auto const parsed = std::from_chars(field.text.data(), end, days);
      if (parsed.ec != std::errc{} || parsed.ptr != end || days < 1 || days > 36500) {
        add_mistake(field, "`" + field.text + "` is not a number of days from 1 to 36500");
      } else {
        order.not_after = now_ + days * seconds_per_day;
      }
    } else if (column == "key_type") {
      auto const type = pki::parse_key_type(field.text);
      if (type) {
        order.key_type = *type;
      } else {
        add_mistake(field, "unknown key type `" + field.text + "`",
                    "key types are p256, p384, rsa2048, rsa4096, ed25519");
      }
    } else {
      read_names(order, column, field);
    }
  }

  void read_names(IssueOrder& order, std::string const& column, Cell const& field) {
    auto const kind = column == "dns"     ? pki::NameKind::dns
                      : column == "uri"   ? pki::NameKind::uri
                      : column == "email" ? pki::NameKind::email
                                          : pki::NameKind::ip;
    std::string_view rest = field.text;
    while (!rest.empty()) {
      auto const end = std::min(rest.find(' '), rest.size());
      if (end > 0) {
        auto name = pki::AlternativeName::parse(kind, rest.substr(0, end));
        if (name) {
          order.names.push_back(*std::move(name));
        } else {
          add_mistake(field, name.error().detail);
        }
      }
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }

  void add_mistake(Cell const& field, std::string message, std::string hint = {}) {
    mistakes_.add(
        make_diagnostic(source_, field.offset, field.length, std::move(message), std::move(hint)));
  }

  static constexpr std::size_t max_mistakes = 20;
  SourceText const& source_;
  IssueOrder const& defaults_;
  UnixSeconds now_;
  Diagnostics mistakes_;
  std::vector<std::string> header_;
  std::set<std::string> names_;
  std::vector<IssueOrder> orders_;
};

// A bar that redraws itself on a terminal, a line per thousand elsewhere.
class Progress {
 public:
  explicit Progress(std::size_t total) : total_(total), terminal_(::isatty(STDERR_FILENO) == 1) {}
  void show(std::size_t done) {
    if (!terminal_) {
      if (done / 1000 != shown_ / 1000 || done == total_) {
        std::cerr << done << " of " << total_ << " issued\n";
      }
      shown_ = done;
      return;
    }
    auto const filled = total_ == 0 ? progress_width : done * progress_width / total_;
    std::cerr << "\r[" << std::string(filled, '#') << std::string(progress_width - filled, '.')
              << "] " << done << " of " << total_ << (done == total_ ? "\n" : "") << std::flush;
  }

 private:
  std::size_t total_;
  std::size_t shown_ = 0;
  bool terminal_;
};

}  // namespace

Result<std::vector<IssueOrder>, Diagnostics> parse_devices(SourceText const& source,
                                                           IssueOrder const& defaults,
                                                           UnixSeconds now) {
  return DeviceTable(source, defaults, now).read();
}

Result<void> issue_in_bulk(CaDirectory& directory, std::vector<IssueOrder> const& orders,
                           CaReport& report) {
  auto const now = now_in_seconds();
  CERTGATE_TRY(auto const issuer, Issuer::open(directory));
  CERTGATE_TRY(auto const entries, directory.store().all());
  std::set<std::string> held_names;
  for (auto const& entry : entries) {
    auto const status = pki::status_at(entry.state, entry.not_after, now);
    if (status == pki::Status::active || status == pki::Status::held) held_names.insert(entry.name);
  }
  auto& answer = report.answer();
  answer["certificates"] = CaReport::Json::array();
  answer["passed_over"] = CaReport::Json::array();
  std::vector<IssueOrder const*> open_orders;
  for (auto const& order : orders) {
    if (!held_names.contains(order.name)) {
      open_orders.push_back(&order);
    } else if (report.is_json()) {
      answer["passed_over"].push_back(order.name);
    }
  }
  auto const already = orders.size() - open_orders.size();
  if (already > 0 && !report.is_json()) {
    std::cerr << already << " of " << orders.size()
              << " have a certificate already and are passed over\n";
  }
  Progress progress(open_orders.size());
  std::vector<Parcel> batch;
  for (std::size_t at = 0; at < open_orders.size();) {
    batch.clear();
    for (; at < open_orders.size() && batch.size() < batch_size; ++at) {
      auto parcel = issuer.prepare(*open_orders[at], now);
      if (!parcel) {
        return fail(parcel.error().code, open_orders[at]->name + ": " + parcel.error().detail);
      }
      batch.push_back(*std::move(parcel));
    }
    if (auto done = directory.deliver(batch, SameName::conflict); !done) return done;
    if (!report.is_json()) progress.show(at);
    for (auto const& parcel : batch) {
      if (!report.is_json()) break;
      answer["certificates"].push_back(
          parcel_as_json(parcel, directory.issued(parcel.entry.name)));
    }
  }
  report.text() << "Issued " << open_orders.size() << " certificates into "
                << (directory.path() / "issued").string() << '\n';
  return {};
}

}  // namespace certgate::cli
