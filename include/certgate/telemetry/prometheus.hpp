// Metrics as Prometheus reads them: text exposition format, version 0.0.4.
//
// Pure: values in, text out. Help texts and label values are escaped (backslash, line feed, and in
// label values the quote); names are the program's own and are written as they are. Latencies are
// in seconds, as Prometheus wants base units.
// See: https://prometheus.io/docs/instrumenting/exposition_formats/
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "certgate/telemetry/metrics.hpp"

namespace certgate::telemetry {

inline constexpr std::string_view prometheus_content_type =
    "text/plain; version=0.0.4; charset=utf-8";

std::string format_prometheus(std::vector<MetricFamily> const& families);

}  // namespace certgate::telemetry
