// Formats a record at a place in memory; how access_log writes straight into its ring.
#pragma once

#include <cstddef>

#include "certgate/telemetry/access_record.hpp"

namespace certgate::telemetry {

class ReadyMembers;

// No formatted record is longer, whatever its texts need when escaped.
std::size_t worst_case_size(AccessRecord const& record);
std::size_t worst_case_size(HandshakeRecord const& record);

// REQUIRES: worst_case_size(record) writable bytes at `to`. Returns the end of the line.
char* write_json(AccessRecord const& record, char* to);
// The same line; what is known of its connection is copied from `ready`, or else kept there.
char* write_json(AccessRecord const& record, char* to, ReadyMembers& ready);
char* write_json(HandshakeRecord const& record, char* to);
char* write_text(AccessRecord const& record, char* to);
char* write_text(HandshakeRecord const& record, char* to);

}  // namespace certgate::telemetry
