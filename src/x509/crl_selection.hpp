// Decides which lists count: verified, usable, the newest of their scope, deltas with their base.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/x509/revocation_index.hpp"

namespace certgate::x509 {

// A complete list and the delta that brings it up to date (null: none). Points into the input.
struct SelectedCrl {
  IssuerId issuer;
  LabelledCrl const* base = nullptr;
  LabelledCrl const* delta = nullptr;

  // CrlFacts::counts_until of both.
  std::optional<UnixSeconds> counts_until() const;
};

struct CrlSelection {
  std::vector<SelectedCrl> lists;
  std::vector<CrlFacts> facts;  // bases and deltas in force
};

Result<CrlSelection> select_crls(std::span<LabelledCrl const> lists,
                                 std::span<Certificate::Pointer const> issuers);

// An error when an issuer's scope would go back behind what `previous` knew.
Result<void> refuse_older(CrlSelection const& selection, RevocationIndex const& previous);

}  // namespace certgate::x509
