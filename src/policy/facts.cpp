// Fills the values of the fields that a policy reads from what is known of a request.
#include "certgate/policy/facts.hpp"

#include <cstring>
#include <new>

#include "body_values.hpp"
#include "maps.hpp"

namespace certgate::policy {

using rules::ValueView;

Scratch::Scratch(std::size_t fact_bytes, std::size_t evaluation_bytes)
    : evaluation_(evaluation_bytes), facts_(fact_bytes), values_(valued_field_count()) {
  leaf_text_.reserve(x509::max_rfc9440_bytes);
  chain_text_.reserve(x509::max_rfc9440_chain_bytes);
}

class Filler {
 public:
  Filler(Facts const& facts, Scratch& scratch)
      : facts_(facts), scratch_(scratch), maps_(scratch.facts_), body_(facts, maps_) {
    scratch_.facts_.rewind(0);
  }

  bool fill(FillPlan const& plan) {
    for (auto const id : plan.ids()) scratch_.values_[id] = value_of(id);
    for (auto const& set_by_hand : facts_.overrides) {
      scratch_.values_[set_by_hand.field] = set_by_hand.value;
    }
    return !maps_.exhausted() && !body_.is_unknown();
  }

 private:
  static ValueView text(std::string_view value) { return ValueView::bytes(value); }
  static ValueView flag(bool value) { return ValueView::boolean(value); }

  ValueView value_of(rules::FieldId id) {
    if (is_certificate_field(id)) return certificate(static_cast<Field>(id));
    if (is_fixed(id)) return fixed(id);
    if (is_body_field(id)) return body_.value_of(static_cast<Field>(id));
    return other(static_cast<Field>(id));
  }

  ValueView fixed(rules::FieldId id) {
    switch (field_table()[id].type.kind()) {
      case rules::Kind::boolean:
        return flag(false);
      case rules::Kind::integer:
        return ValueView::integer(0);
      default:
        return text({});
    }
  }

  ValueView certificate(Field field) {
    auto const* const verdict = facts_.verdict;
    switch (field) {
      case Field::cert_presented:
        return flag(verdict != nullptr && verdict->presented);
      case Field::cert_verified:
        return flag(verdict != nullptr && verdict->verified);
      case Field::cert_revoked:
        return flag(verdict != nullptr && verdict->revoked);
      default:
        break;
    }
    auto const* const chain = facts_.chain;
    if (chain == nullptr) {
      // Cloudflare: these fields "default to" false or "" without a client certificate.
      return field == Field::cert_rfc9440_too_large || field == Field::cert_chain_rfc9440_too_large
                 ? flag(false)
                 : text({});
    }
    auto const& leaf = chain->leaf();
    switch (field) {
      case Field::cert_subject_dn:
        return text(leaf.subject_dn());
      case Field::cert_issuer_dn:
        return text(leaf.issuer_dn());
      case Field::cert_subject_dn_rfc2253:
        return text(leaf.subject_dn_rfc2253());
      case Field::cert_issuer_dn_rfc2253:
        return text(leaf.issuer_dn_rfc2253());
      case Field::cert_subject_dn_legacy:
        return text(leaf.subject_dn_legacy());
      case Field::cert_issuer_dn_legacy:
        return text(leaf.issuer_dn_legacy());
      case Field::cert_serial:
        return text(leaf.serial());
      case Field::cert_issuer_serial:
        return text(facts_.verification ? facts_.verification->issuer_serial(leaf)
                                        : leaf.authority_serial());
      case Field::cert_fingerprint_sha256:
        return text(leaf.fingerprint_sha256());
      case Field::cert_fingerprint_sha1:
        return text(leaf.fingerprint_sha1());
      case Field::cert_not_before:
        return text(leaf.not_before_text());
      case Field::cert_not_after:
        return text(leaf.not_after_text());
      case Field::cert_ski:
        return text(leaf.subject_key_id());
      case Field::cert_issuer_ski:
        return text(facts_.verification ? facts_.verification->issuer_key_id(leaf)
                                        : leaf.authority_key_id());
      case Field::cert_rfc9440:
        scratch_.leaf_text_.clear();
        leaf.append_rfc9440(scratch_.leaf_text_);
        return text(scratch_.leaf_text_);
      case Field::cert_rfc9440_too_large:
        return flag(leaf.is_rfc9440_too_large());
      case Field::cert_chain_rfc9440:
        scratch_.chain_text_.clear();
        chain->append_rfc9440_chain(scratch_.chain_text_);
        return text(scratch_.chain_text_);
      case Field::cert_chain_rfc9440_too_large:
        return flag(chain->is_rfc9440_chain_too_large());
      default:
        return {};
    }
  }

  ValueView other(Field field) {
    auto const& head = *facts_.head;
    auto const& target = *facts_.target;
    static constexpr ClientHelloFacts not_recorded;
    auto const& hello = facts_.client_hello ? *facts_.client_hello : not_recorded;
    switch (field) {
      case Field::ssl:
        return flag(true);
      case Field::tls_version:
        return text(facts_.tls_version);
      case Field::tls_cipher:
        return text(facts_.tls_cipher);
      case Field::tls_client_hello_length:
        return ValueView::integer(hello.length);
      case Field::tls_client_random:
        return text(hello.random);
      case Field::tls_client_extensions_sha1:
        return text(hello.extensions_sha1);
      case Field::tls_client_extensions_sha1_le:
        return text(hello.extensions_sha1_little_endian);
      case Field::tls_ciphers_sha1:
        return text(hello.ciphers_sha1);
      case Field::ip_src:
        return ValueView::ip(facts_.client_ip);
      case Field::edge_server_ip:
        return ValueView::ip(facts_.local_ip);
      case Field::edge_server_port:
        return ValueView::integer(facts_.local_port);
      case Field::edge_client_tcp:
        return flag(true);
      case Field::ray_id:
        return text(facts_.request_id);
      case Field::random_seed:
        return text(facts_.random_seed);
      case Field::timestamp_sec:
        return ValueView::integer(facts_.time_msec / 1000);
      case Field::timestamp_msec:
        return ValueView::integer(facts_.time_msec % 1000);
      case Field::host:
        return text(facts_.host);
      case Field::method:
        return text(head.method);
      case Field::version:
        return text(http::format_version(head.version));
      case Field::full_uri:
        return maps_.joined({"https://", facts_.host, target.origin_form});
      case Field::uri:
        return text(target.origin_form);
      case Field::path:
        return text(target.path);
      case Field::path_extension:
        return maps_.lowered(http::path_extension(target.path));
      case Field::query:
        return text(target.query);
      case Field::args:
        return maps_.arguments(target.query);
      case Field::args_names:
        return maps_.argument_names(target.query);
      case Field::args_values:
        return maps_.argument_values(target.query);
      case Field::raw_full_uri:
        return maps_.joined({"https://", facts_.host, target.raw});
      case Field::raw_uri:
        return text(target.raw);
      case Field::raw_path:
        return text(target.raw_path);
      case Field::raw_path_extension:
        return maps_.lowered(http::path_extension(target.raw_path));
      case Field::raw_query:
        return text(target.raw_query);
      case Field::raw_args:
        return maps_.arguments(target.raw_query);
      case Field::raw_args_names:
        return maps_.argument_names(target.raw_query);
      case Field::raw_args_values:
        return maps_.argument_values(target.raw_query);
      case Field::headers:
        return maps_.headers(head.fields);
      case Field::headers_names:
        return maps_.header_names(head.fields);
      case Field::headers_values:
        return maps_.header_values(head.fields);
      case Field::headers_truncated:
        return flag(false);
      // A client may send a field several times; a rule sees all of it, as the origin will.
      case Field::cookie:
        return maps_.combined(head.fields, http::FieldName::cookie, "; ");
      case Field::cookies:
        return maps_.cookies(head.fields);
      case Field::user_agent:
        return maps_.combined(head.fields, http::FieldName::user_agent, ", ");
      case Field::referer:
        return maps_.combined(head.fields, http::FieldName::referer, ", ");
      case Field::x_forwarded_for:
        return maps_.combined(head.fields, http::FieldName::x_forwarded_for, ", ");
      case Field::accepted_languages:
        return maps_.accepted_languages(head.fields);
      default:
        return {};
    }
  }

  Facts const& facts_;
  Scratch& scratch_;
  Maps maps_;
  BodyValues body_;
};

bool fill_values(Facts const& facts, FillPlan const& plan, Scratch& scratch) noexcept {
  return Filler{facts, scratch}.fill(plan);
}

}  // namespace certgate::policy
