// The one gate every request passes before anything is decided about it: framing, target, host.
//
// Neutral to the protocol version: http1 and http2 both yield a RequestHead, and only what this
// function returns is judged and forwarded.
//
// Lifetime: the result points into the head's buffer and into the scratch.
#pragma once

#include <span>

#include "certgate/base/host_name.hpp"
#include "certgate/http/framing.hpp"
#include "certgate/http/message.hpp"
#include "certgate/http/target.hpp"

namespace certgate::http {

// Per worker, reused by every request that has no other in flight between head and forwarding.
struct AdmissionScratch {
  HostBuffer host;
  HostBuffer target_host;
  std::span<char> target;  // target_scratch_bytes(limit on the target)
};

struct AdmittedRequest {
  RequestFraming framing;
  Target target;
  Authority authority;  // host is empty only in an HTTP/1.0 request without Host
};

inline constexpr std::size_t max_method_bytes = 32;

// Refuses, besides what framing.hpp and target.hpp say: a method with anything but upper-case
// letters, `-` and `_` (400), CONNECT and TRACE (405), an absolute-form whose authority is not that
// of Host (400), a malformed Host (400).
Result<AdmittedRequest, Refusal> admit_request(RequestHead const& head, Normalisation type,
                                               AdmissionScratch& scratch);

}  // namespace certgate::http
