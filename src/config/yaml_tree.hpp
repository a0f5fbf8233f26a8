// A YAML text as a light tree with the exact extent of every node (libyaml inside).
//
// libyaml and not yaml-cpp: 100,000 rules (13 MB) take it 0.5 s, yaml-cpp's event interface 6 s.
// Every scalar stays text; what it means is decided by the key that it belongs to, so that `off`,
// `no` or 1e3 never change under the reader's hands. Aliases are shared nodes, merge keys are
// expanded, duplicate keys are found; all within the limits of read_config.hpp.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "certgate/base/diagnostic.hpp"
#include "certgate/config/mark.hpp"

namespace certgate::config {

enum class NodeKind : std::uint8_t { scalar, sequence, mapping };
enum class ScalarStyle : std::uint8_t { plain, single_quoted, double_quoted, literal, folded };

struct Node {
  NodeKind kind = NodeKind::scalar;
  ScalarStyle style = ScalarStyle::plain;
  bool flow = false;            // a collection in [] or {}
  std::uint32_t offset = 0;     // of the text itself, behind any anchor
  std::uint32_t length = 0;     // 1 for collections
  std::string_view text;        // scalars
  Node const* first = nullptr;  // first child of a collection; mappings alternate key and value
  Node const* next = nullptr;   // next sibling
  Node const* alias = nullptr;  // this node stands for that one (never itself an alias)
  std::uint32_t count = 0;      // children: elements, or pairs of a mapping
  std::uint32_t size = 1;       // nodes in this subtree with aliases expanded
  std::uint32_t height = 1;
};

// A node and the source it stands in.
class Value {
 public:
  Value() = default;
  Value(Node const* node, SourceText const* source)
      : node_(node == nullptr || node->alias == nullptr ? node : node->alias),
        from_(node),
        source_(source) {}

  explicit operator bool() const { return node_ != nullptr; }
  bool is_scalar() const { return node_->kind == NodeKind::scalar; }
  bool is_sequence() const { return node_->kind == NodeKind::sequence; }
  bool is_mapping() const { return node_->kind == NodeKind::mapping; }
  // Nothing written, `~` or `null`.
  bool is_null() const;
  bool is_plain() const { return is_scalar() && node_->style == ScalarStyle::plain; }
  std::string_view text() const { return node_->text; }
  ScalarStyle style() const { return node_->style; }
  std::size_t count() const { return node_->count; }
  Value first() const { return {node_->first, source_}; }
  Value next() const { return {from_->next, source_}; }
  SourceText const& source() const { return *source_; }
  Node const& node() const { return *node_; }
  // A scalar's text; of a mapping in block style its first key, else the bracket or dash.
  Mark mark() const;

 private:
  Node const* node_ = nullptr;
  Node const* from_ = nullptr;
  SourceText const* source_ = nullptr;
};

class YamlTree {
 public:
  // Adds to `mistakes` what is wrong. The root is null when the text cannot be read as YAML or
  // holds nothing; that is a mistake of its own. `source` must outlive the tree.
  YamlTree(SourceText const& source, Diagnostics& mistakes);
  Value root() const { return {root_, source_}; }

 private:
  friend class TreeBuilder;
  SourceText const* source_;
  std::deque<Node> nodes_;
  std::deque<std::string> texts_;  // scalars that do not stand in the source as they are
  Node const* root_ = nullptr;
};

}  // namespace certgate::config
