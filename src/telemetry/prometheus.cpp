// Writes HELP, TYPE and one line per sample.
#include "certgate/telemetry/prometheus.hpp"

#include <charconv>
#include <cmath>

namespace certgate::telemetry {
namespace {

enum class Quote { kept, escaped };

void append_escaped(std::string& out, std::string_view text, Quote quote) {
  for (char const c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quote == Quote::escaped) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    char digits[32];
    out.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
  }
}

void append_number(std::string& out, std::uint64_t value) { out += std::to_string(value); }

double seconds(std::uint64_t us) { return static_cast<double>(us) / 1e6; }

void append_label(std::string& out, char before, std::string_view name, std::string_view value) {
  out += before;
  out += name;
  out += "=\"";
  append_escaped(out, value, Quote::escaped);
  out += '"';
}

// {name="value",...}, with `le` last when it is given; nothing when there are no labels.
void append_labels(std::string& out, Labels const& labels, std::string_view le = {}) {
  char before = '{';
  for (auto const& [name, value] : labels) {
    append_label(out, before, name, value);
    before = ',';
  }
  if (!le.empty()) {
    append_label(out, before, "le", le);
    before = ',';
  }
  if (before == ',') out += '}';
}

template <class Number>
void append_sample(std::string& out, std::string_view name, std::string_view suffix,
                   Labels const& labels, Number value, std::string_view le = {}) {
  out += name;
  out += suffix;
  append_labels(out, labels, le);
  out += ' ';
  append_number(out, value);
  out += '\n';
}

void append_histogram(std::string& out, std::string_view name, MetricSeries const& series) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < series.buckets.size(); ++i) {
    count += series.buckets[i];
    std::string bound = "+Inf";
    if (i < std::size(latency_bounds_us)) {
      bound.clear();
      append_number(bound, seconds(latency_bounds_us[i]));
    }
    append_sample(out, name, "_bucket", series.labels, count, bound);
  }
  append_sample(out, name, "_sum", series.labels, seconds(series.sum_us));
  append_sample(out, name, "_count", series.labels, count);
}

std::string_view name_of(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return "counter";
    case MetricType::gauge:
      return "gauge";
    case MetricType::histogram:
      return "histogram";
  }
  return "untyped";
}

}  // namespace

std::string format_prometheus(std::vector<MetricFamily> const& families) {
  std::string out;
  for (auto const& family : families) {
    out += "# HELP ";
    out += family.name;
    out += ' ';
    append_escaped(out, family.help, Quote::kept);
    out += "\n# TYPE ";
    out += family.name;
    out += ' ';
    out += name_of(family.type);
    out += '\n';
    for (auto const& series : family.series) {
      if (family.type == MetricType::histogram) {
        append_histogram(out, family.name, series);
      } else {
        append_sample(out, family.name, "", series.labels, series.value);
      }
    }
  }
  return out;
}

}  // namespace certgate::telemetry
