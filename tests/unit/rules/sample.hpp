// A schema that has nothing to do with HTTP, and one set of values for it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "certgate/rules/program.hpp"

namespace certgate::rules::test {

class Sample {
 public:
  Sample();
  Scheme const& scheme() const { return scheme_; }
  Scheme& scheme() { return scheme_; }
  std::vector<ValueView>& values() { return values_; }
  void set(std::string_view field, ValueView value);
  // "match", "no match", "failed", or the first mistake's message.
  std::string outcome(std::string_view expression, Limits const& limits = {});
  // format_value() of a value expression, "failed", or the first mistake's message.
  std::string value(std::string_view expression);
  Scratch& scratch() { return scratch_; }

 private:
  void add(std::string name, Type type, ValueView value, FieldOptions options = {});

  Scheme scheme_;
  std::vector<ValueView> values_;
  Scratch scratch_;
  std::vector<std::unique_ptr<std::vector<ValueView>>> arrays_;
  std::vector<std::unique_ptr<std::vector<MapEntry>>> maps_;
  ValueView array(std::vector<ValueView> elements);
  ValueView map(std::vector<MapEntry> entries);
};

}  // namespace certgate::rules::test
