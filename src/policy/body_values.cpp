// Fills the fields of a body from its beginning.
#include "body_values.hpp"

#include <algorithm>
#include <limits>

#include "certgate/base/encoding.hpp"
#include "sniff.hpp"

namespace certgate::policy {

using rules::ValueView;

namespace {

constexpr BodyFacts no_body{{}, 0, false};

// A head that announces a body whose bytes nobody gave.
bool announces_body(http::Fields fields) {
  return http::find(fields, http::FieldName::transfer_encoding) != nullptr ||
         http::value_of(fields, http::FieldName::content_length).find_first_not_of('0') !=
             std::string_view::npos;
}

template <class Take>
void for_each_disposition_parameter(Part const& part, Take take) {
  PartFieldReader fields{part.head};
  while (auto const field = fields.next()) {
    if (!ascii_iequal(field->name, "content-disposition")) continue;
    ParameterReader parameters{field->value};
    while (auto const parameter = parameters.next()) take(*parameter);
  }
}

template <class Take>
void for_each_part_name(Part const& part, Take take) {
  for_each_disposition_parameter(part, [&](Parameter const& parameter) {
    if (ascii_iequal(parameter.name, "name")) take(parameter);
  });
}

template <class Take>
void for_each_filename(Part const& part, Take take) {
  for_each_disposition_parameter(part, [&](Parameter const& parameter) {
    // RFC 7578 §4.2 forbids `filename*`, but there are origins that read it.
    if (ascii_iequal(parameter.name, "filename") || ascii_iequal(parameter.name, "filename*")) {
      take(parameter);
    }
  });
}

}  // namespace

bool BodyValues::is(BodyType::Kind kind) {
  if (facts_.body == nullptr || facts_.body->content.empty()) return false;
  if (!type_) type_ = read_body_type(facts_.head->fields);
  if (type_->is_ambiguous) is_unknown_ = true;
  return type_->kind == kind && !is_unknown_;
}

std::string_view BodyValues::form() {
  return is(BodyType::Kind::form) ? facts_.body->content : std::string_view{};
}

std::span<Part const> BodyValues::parts() {
  if (has_parts_ || !is(BodyType::Kind::multipart)) return parts_;
  has_parts_ = true;
  auto const& body = *facts_.body;
  if (type_->boundary.empty() || !is_unequivocal(body.content, type_->boundary, body.truncated)) {
    is_unknown_ = true;
    return parts_;
  }
  std::size_t count = 0;
  for (PartReader reader{body.content, type_->boundary, body.truncated}; reader.next();) ++count;
  auto* const parts = maps_.allocate<Part>(count);
  if (parts == nullptr) return parts_;
  PartReader reader{body.content, type_->boundary, body.truncated};
  for (std::size_t i = 0; i < count; ++i) parts[i] = *reader.next();
  parts_ = {parts, count};
  for (auto const& part : parts_) {
    bool const may_be_cut = body.truncated && &part == &parts_.back();
    for_each_disposition_parameter(part, [&](Parameter const& parameter) {
      if (!is_unequivocal(parameter) && !may_be_cut) is_unknown_ = true;
    });
  }
  return parts_;
}

ValueView BodyValues::text_of(Parameter const& parameter) {
  return ValueView::bytes(parameter.has_backslash ? maps_.unescaped(parameter.value)
                                                  : parameter.value);
}

ValueView BodyValues::contents() {
  auto const all = parts();
  auto* const values = maps_.allocate<ValueView>(all.size());
  if (values == nullptr) return {};
  for (std::size_t i = 0; i < all.size(); ++i) values[i] = ValueView::bytes(all[i].content);
  return ValueView::array({values, all.size()});
}

ValueView BodyValues::contents_by_name() {
  std::size_t count = 0;
  for (auto const& part : parts()) {
    for_each_part_name(part, [&](Parameter const&) { ++count; });
  }
  auto* const pairs = maps_.allocate<Maps::Pair>(count);
  if (pairs == nullptr) return {};
  std::uint32_t next = 0;
  for (auto const& part : parts_) {
    for_each_part_name(part, [&](Parameter const& name) {
      pairs[next] = {text_of(name).as_bytes(), ValueView::bytes(part.content), next};
      ++next;
    });
  }
  return maps_.exhausted() ? ValueView{} : maps_.grouped({pairs, count});
}

template <class ForEach>
ValueView BodyValues::lists(ForEach for_each) {
  auto const all = parts();
  auto* const lists = maps_.allocate<ValueView>(all.size());
  if (lists == nullptr) return {};
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::size_t count = 0;
    for_each(all[i], [&](auto const&) { ++count; });
    auto* const values = maps_.allocate<ValueView>(count);
    if (values == nullptr) return {};
    std::size_t next = 0;
    for_each(all[i], [&](auto const& found) { values[next++] = found; });
    lists[i] = ValueView::array({values, count});
  }
  return ValueView::array({lists, all.size()});
}

ValueView BodyValues::fields_called(std::string_view name) {
  return lists([name](Part const& part, auto take) {
    PartFieldReader fields{part.head};
    while (auto const field = fields.next()) {
      if (ascii_iequal(field->name, name)) take(ValueView::bytes(field->value));
    }
  });
}

ValueView BodyValues::value_of(Field field) {
  if (facts_.body == nullptr && announces_body(facts_.head->fields)) is_unknown_ = true;
  auto const& body = facts_.body != nullptr ? *facts_.body : no_body;
  switch (field) {
    case Field::body_raw:
      return ValueView::bytes(body.content);
    case Field::body_size: {
      if (!body.size) {
        is_unknown_ = true;
        return {};
      }
      constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
      return ValueView::integer(static_cast<std::int64_t>(std::min(*body.size, most)));
    }
    case Field::body_truncated:
      return ValueView::boolean(body.truncated);
    case Field::body_mime:
      return ValueView::bytes(sniff_media_type(body.content));
    case Field::body_form:
      return maps_.arguments(form());
    case Field::body_form_names:
      return maps_.argument_names(form());
    case Field::body_form_values:
      return maps_.argument_values(form());
    case Field::body_multipart:
      return contents_by_name();
    case Field::body_multipart_values:
      return contents();
    case Field::body_multipart_names:
      return lists([this](Part const& part, auto take) {
        for_each_part_name(part, [&](Parameter const& name) { take(text_of(name)); });
      });
    case Field::body_multipart_filenames:
      return lists([this](Part const& part, auto take) {
        for_each_filename(part, [&](Parameter const& name) { take(text_of(name)); });
      });
    case Field::body_multipart_content_types:
      return fields_called("content-type");
    case Field::body_multipart_content_dispositions:
      return fields_called("content-disposition");
    case Field::body_multipart_transfer_encodings:
      return fields_called("content-transfer-encoding");
    default:
      return {};
  }
}

}  // namespace certgate::policy
