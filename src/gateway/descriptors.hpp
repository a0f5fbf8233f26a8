// How many connections the process has descriptors for.
#pragma once

#include <cstddef>
#include <cstdint>

namespace certgate::gateway {

// Raises the soft limit on open files to the hard one, as far as that is allowed; says what it is.
std::uint64_t raise_descriptor_limit();

// The most of `wanted` client connections that leave an eighth of the descriptors (64 at least) for
// everything else: origins, the admin address, logs, files that a reload reads. Never 0.
std::size_t connections_within(std::uint64_t descriptors, std::size_t wanted);

}  // namespace certgate::gateway
