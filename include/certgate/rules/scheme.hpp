// The names a rule may use: fields, functions and lists, declared by whoever embeds the engine.
//
// Build one Scheme, then compile any number of expressions against it. It must outlive the
// compilation but not the Programs. Not to be changed while another thread compiles.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "certgate/rules/function.hpp"
#include "certgate/rules/list.hpp"
#include "certgate/rules/value.hpp"

namespace certgate::rules {

// Dense: 0, 1, 2... in the order of add_field(). The index into Values.
using FieldId = std::uint32_t;

// Which letters the values of a Bytes field (or of its elements) can contain. Only `folded` changes
// what a rule means; the others let the checker warn that a literal can never be equal.
enum class Letters {
  any,
  lower,   // always lower case, such as a hexadecimal fingerprint: an upper-case literal is warned
           // of
  upper,   // always upper case, such as a serial number
  folded,  // the embedder hands in lower case, and literals compared with it are lower-cased when
           // compiled: `http.host eq "API.example.com"` means what its writer expects
};

struct FieldOptions {
  std::string doc;  // one sentence for people
  Letters letters = Letters::any;
  Letters key_letters = Letters::any;  // of a Map's keys; `lower` warns of ["Accept"]
  bool never_missing = false;          // lets the prover reason about `ne`; a promise
  bool hexadecimal = false;  // hints speak of hexadecimal, and warn of colons in a literal
};

struct Field {
  std::string name;
  Type type;
  FieldOptions options;
};

// Why a name that people know cannot be used here.
struct Unavailable {
  std::string reason;  // "only known inside Cloudflare's network"; completes "is not available: "
  std::string hint;
};

class Scheme {
 public:
  Scheme();  // knows no field and no function, not even any()
  ~Scheme();
  Scheme(Scheme&&) noexcept;
  Scheme& operator=(Scheme&&) noexcept;

  // REQUIRES of every add_*: the name is new. Names are dot-separated [A-Za-z0-9_]+, and a field's
  // must not start with `not` (the language reads that as the operator).
  FieldId add_field(std::string name, Type type, FieldOptions options = {});
  // Known, but every use is an error that says why.
  void add_unavailable_field(std::string name, Unavailable why);
  void add_function(Function function);
  void add_unavailable_function(std::string name, Unavailable why);
  void add_list(std::string name, ListPtr list);
  void add_unavailable_list(std::string name, Unavailable why);
  // For the prover: whenever Bool field `if_true` is true, so is `then_true` (revoked => verified).
  void add_implication(FieldId if_true, FieldId then_true);

  std::size_t field_count() const { return fields_.size(); }
  Field const& field(FieldId id) const { return fields_[id]; }
  std::optional<FieldId> find_field(std::string_view name) const;
  Function const* find_function(std::string_view name) const;
  ListPtr find_list(std::string_view name) const;
  Unavailable const* find_unavailable_field(std::string_view name) const;
  Unavailable const* find_unavailable_function(std::string_view name) const;
  Unavailable const* find_unavailable_list(std::string_view name) const;

  // The known name nearest to a mistyped one, or empty.
  std::string_view nearest_field(std::string_view name) const;
  std::string_view nearest_function(std::string_view name) const;
  std::string_view nearest_list(std::string_view name) const;
  std::vector<std::pair<FieldId, FieldId>> const& implications() const { return implications_; }

 private:
  struct Names;
  std::vector<Field> fields_;
  std::vector<std::pair<FieldId, FieldId>> implications_;
  std::unique_ptr<Names> names_;
};

}  // namespace certgate::rules
