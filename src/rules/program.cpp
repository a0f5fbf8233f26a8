#include "certgate/rules/program.hpp"

#include "certgate/rules/checker.hpp"
#include "code.hpp"

namespace certgate::rules {

void FieldSet::insert(FieldId id) {
  if (id / 64 >= words_.size()) words_.resize(id / 64 + 1);
  words_[id / 64] |= std::uint64_t{1} << (id % 64);
}

void FieldSet::insert_all(FieldSet const& other) {
  if (other.words_.size() > words_.size()) words_.resize(other.words_.size());
  for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
}

std::vector<FieldId> FieldSet::ids() const {
  std::vector<FieldId> ids;
  for (FieldId id = 0; id < words_.size() * 64; ++id) {
    if (contains(id)) ids.push_back(id);
  }
  return ids;
}

bool FieldSet::empty() const {
  for (auto const word : words_) {
    if (word != 0) return false;
  }
  return true;
}

Program::Program(std::shared_ptr<Code const> code) : code_(std::move(code)) {}

Type Program::type() const { return code_ ? code_->type : bool_type; }

FieldSet const& Program::fields_used() const {
  static FieldSet const none;
  return code_ ? code_->fields : none;
}

std::size_t Program::memory_bytes() const {
  if (!code_) return 0;
  auto bytes = sizeof(Code) + code_->instructions.capacity() * sizeof(Instruction) +
               code_->needles.capacity() * sizeof(Needle) + code_->needle_text.capacity() +
               code_->constants.capacity() * sizeof(ValueView) +
               code_->steps.capacity() * sizeof(IndexStep) +
               code_->calls.capacity() * sizeof(CallSite);
  for (auto const& predicate : code_->predicates) bytes += predicate.memory_bytes();
  for (auto const& literal : code_->literals) bytes += sizeof *literal + literal->capacity();
  return bytes;
}

Result<Compiled, Mistakes> compile(Scheme const& scheme, std::string_view text,
                                   Limits const& limits) {
  auto checked = check(scheme, text, limits, Wanted::condition);
  if (!checked) return fail(std::move(checked).error());
  return Compiled{compile_checked(*checked), std::move(checked->warnings)};
}

Result<Compiled, Mistakes> compile_value(Scheme const& scheme, std::string_view text,
                                         Limits const& limits) {
  auto checked = check(scheme, text, limits, Wanted::value);
  if (!checked) return fail(std::move(checked).error());
  return Compiled{compile_checked(*checked), std::move(checked->warnings)};
}

}  // namespace certgate::rules
