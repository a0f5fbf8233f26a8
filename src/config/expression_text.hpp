// Takes an expression out of a YAML scalar together with the way back to the file.
#pragma once

#include "certgate/config/rule.hpp"
#include "yaml_tree.hpp"

namespace certgate::config {

// REQUIRES: value.is_scalar(). White space at the end is dropped.
ExpressionText expression_text(Value value);

}  // namespace certgate::config
