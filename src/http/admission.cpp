// Puts framing, target and host together.
#include "certgate/http/admission.hpp"

#include "certgate/base/encoding.hpp"

namespace certgate::http {
namespace {

bool is_method(std::string_view method) {
  if (method.empty() || method.size() > max_method_bytes) return false;
  for (char const c : method) {
    if (!((c >= 'A' && c <= 'Z') || c == '-' || c == '_')) return false;
  }
  return true;
}

}  // namespace

Result<AdmittedRequest, Refusal> admit_request(RequestHead const& head, Normalisation type,
                                               AdmissionScratch& scratch) {
  if (!is_method(head.method)) return fail(Refusal{400, "bad_method"});
  // TRACE would show the client what certgate tells the origin about it.
  if (head.method == "TRACE") return fail(Refusal{405, "trace_refused"});
  CERTGATE_TRY(auto target, parse_target(head.method, head.target, type, scratch.target));
  CERTGATE_TRY(auto framing, frame_request(head));

  AdmittedRequest request{framing, target, {}};
  bool const has_host = head.version != Version::http_1_0 || find(head.fields, FieldName::host);
  if (has_host) {
    auto const authority = parse_authority(framing.host, scratch.host);
    if (!authority) return fail(Refusal{400, "bad_host"});
    request.authority = *authority;
  }
  if (target.form == TargetForm::absolute) {
    auto const authority = parse_authority(target.authority, scratch.target_host);
    if (!authority) return fail(Refusal{400, "bad_authority"});
    // RFC 9112 §3.2.2 lets the target win over Host; one that differs is refused instead, for not
    // every origin knows that rule.
    std::uint16_t const default_port = target.scheme.size() == 5 ? 443 : 80;
    if (has_host && !same_authority(*authority, request.authority, default_port)) {
      return fail(Refusal{400, "authority_differs"});
    }
    request.authority = *authority;
  }
  return request;
}

}  // namespace certgate::http
