// The light tree against libyaml's own document tree, and the limits on what it takes.
#include "yaml_tree.hpp"

#include <gtest/gtest.h>
#include <yaml.h>

#include <filesystem>

#include "certgate/config/read_config.hpp"
#include "folder_reader.hpp"

namespace certgate::config {
namespace {

std::string shape(Value value) {
  if (value.is_scalar()) {
    return (value.is_plain() ? "=" : "\"") + std::string{value.text()} + "\n";
  }
  std::string out = value.is_mapping() ? "{\n" : "[\n";
  for (Value child = value.first(); child; child = child.next()) out += shape(child);
  return out + (value.is_mapping() ? "}\n" : "]\n");
}

// The slow and obvious way: yaml_parser_load.
std::string shape_of(yaml_document_t& document, int id) {
  yaml_node_t const* node = yaml_document_get_node(&document, id);
  std::string out;
  if (node->type == YAML_SCALAR_NODE) {
    bool const plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return (plain ? "=" : "\"") +
           std::string{reinterpret_cast<char const*>(node->data.scalar.value),
                       node->data.scalar.length} +
           "\n";
  }
  if (node->type == YAML_SEQUENCE_NODE) {
    out = "[\n";
    for (auto* item = node->data.sequence.items.start; item < node->data.sequence.items.top;
         ++item) {
      out += shape_of(document, *item);
    }
    return out + "]\n";
  }
  out = "{\n";
  for (auto* pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; ++pair) {
    out += shape_of(document, pair->key) + shape_of(document, pair->value);
  }
  return out + "}\n";
}

std::string slow_shape(std::string const& text) {
  yaml_parser_t parser;
  yaml_parser_initialize(&parser);
  yaml_parser_set_input_string(&parser, reinterpret_cast<unsigned char const*>(text.data()),
                               text.size());
  yaml_document_t document;
  std::string out;
  if (yaml_parser_load(&parser, &document) == 1) {
    if (yaml_document_get_root_node(&document) != nullptr) out = shape_of(document, 1);
    yaml_document_delete(&document);
  }
  yaml_parser_delete(&parser);
  return out;
}

std::string fast_shape(std::string const& text) {
  SourceText const source{"x.yaml", text};
  Diagnostics mistakes;
  YamlTree const tree{source, mistakes};
  return tree.root() ? shape(tree.root()) : "";
}

TEST(YamlTree, AgreesWithLibyamlsOwnTree) {
  std::size_t compared = 0;
  for (std::string const& folder : {std::string{CERTGATE_TEST_DIR} + "/golden/config",
                                   std::string{CERTGATE_SOURCE_DIR} + "/config"}) {
    for (auto const& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.path().extension() != ".yaml") continue;
      FolderReader files{"/"};
      std::string const text = files.read(entry.path().string()).value_or(std::string{});
      // Merge keys are expanded here and not there.
      if (text.find("<<:") != text.npos) continue;
      std::string const fast = fast_shape(text);
      if (fast.empty()) continue;  // refused, which is the goldens' business
      EXPECT_EQ(fast, slow_shape(text)) << entry.path();
      ++compared;
    }
  }
  EXPECT_GT(compared, 80u);
}

TEST(YamlTree, ExpandsAliasesAndMerges) {
  EXPECT_EQ(fast_shape("a: &x [1, 2]\nb: *x\n"), "{\n=a\n[\n=1\n=2\n]\n=b\n[\n=1\n=2\n]\n}\n");
  // What stands in the map itself wins, then the earlier of the merged ones.
  EXPECT_EQ(fast_shape("- &x {a: 1, b: 1}\n- &y {b: 2, c: 2}\n- {<<: [*x, *y], a: 3}\n"),
            "[\n{\n=a\n=1\n=b\n=1\n}\n{\n=b\n=2\n=c\n=2\n}\n{\n=a\n=3\n=b\n=1\n=c\n=2\n}\n]\n");
  EXPECT_EQ(fast_shape("{<<: {a: 1}}"), "{\n=a\n=1\n}\n");
  EXPECT_EQ(fast_shape("{\"<<\": 1}"), "{\n\"<<\n=1\n}\n");
  // An anchor may be used again: the latest before the alias counts.
  EXPECT_EQ(fast_shape("[&x 1, *x, &x 2, *x]"), "[\n=1\n=1\n=2\n=2\n]\n");
  // Merged maps can be merged on.
  EXPECT_EQ(fast_shape("- &x {a: 1}\n- &y {<<: *x, b: 2}\n- {<<: *y}\n"),
            "[\n{\n=a\n=1\n}\n{\n=b\n=2\n=a\n=1\n}\n{\n=b\n=2\n=a\n=1\n}\n]\n");
}

TEST(YamlTree, TakesAByteOrderMarkAtTheStart) {
  SourceText const source{"x.yaml",
                          "\xEF\xBB\xBF"
                          "a: 1\nb: \xE2\x82\xAC x\nc: z\n"};
  Diagnostics mistakes;
  YamlTree const tree{source, mistakes};
  ASSERT_TRUE(tree.root());
  Value value = tree.root().first();
  for (std::string_view const wanted : {"a", "1", "b", "\xE2\x82\xAC x", "c", "z"}) {
    EXPECT_EQ(value.text(), wanted);
    EXPECT_EQ(source.text().substr(value.mark().offset(), value.mark().length()), wanted);
    value = value.next();
  }
}

TEST(YamlTree, DepthIsLimited) {
  auto const nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_NE(fast_shape(nested(max_yaml_depth)), "");
  EXPECT_EQ(fast_shape(nested(max_yaml_depth + 1)), "");
  // Depth that comes from an alias counts as well.
  auto const through_alias = [&](std::size_t depth) {
    return "- &deep " + nested(max_yaml_depth - 1) + "\n- " + std::string(depth, '[') + "*deep" +
           std::string(depth, ']');
  };
  EXPECT_NE(fast_shape(through_alias(0)), "");
  EXPECT_EQ(fast_shape(through_alias(1)), "");
}

TEST(YamlTree, AliasExpansionIsLimited) {
  // 1 + 99 nodes each time.
  std::string list = "- &x [";
  for (int i = 0; i < 99; ++i) list += "1,";
  list += "]\n";
  std::string text = list;
  for (std::size_t i = 0; i < max_alias_expansion / 100; ++i) text += "- *x\n";
  EXPECT_NE(fast_shape(text), "");
  EXPECT_EQ(fast_shape(text + "- *x\n"), "");
}

// Reading 64 MiB takes its time, so the file begins with another mistake, which is found first.
TEST(YamlTree, FileSizeIsLimited) {
  auto const first_mistake = [](std::size_t size) {
    std::string text(size, 'x');
    text[0] = '\x01';
    SourceText const source{"x.yaml", std::move(text)};
    Diagnostics mistakes;
    YamlTree const tree{source, mistakes};
    return mistakes.items().at(0).message;
  };
  EXPECT_EQ(first_mistake(max_file_bytes), "control character 0x01 in the file");
  EXPECT_EQ(first_mistake(max_file_bytes + 1), "the file is larger than 64 MiB");
}

}  // namespace
}  // namespace certgate::config
