#include "sample.hpp"

namespace certgate::rules::test {

namespace {

ValueView text(std::string_view value) { return ValueView::bytes(value); }

ValueView address(std::string_view value) { return ValueView::ip(*IpAddress::parse(value)); }

}  // namespace

ValueView Sample::array(std::vector<ValueView> elements) {
  arrays_.push_back(std::make_unique<std::vector<ValueView>>(std::move(elements)));
  return ValueView::array(*arrays_.back());
}

ValueView Sample::map(std::vector<MapEntry> entries) {
  maps_.push_back(std::make_unique<std::vector<MapEntry>>(std::move(entries)));
  return ValueView::map(*maps_.back());
}

void Sample::add(std::string name, Type type, ValueView value, FieldOptions options) {
  scheme_.add_field(std::move(name), type, std::move(options));
  values_.push_back(value);
}

Sample::Sample() {
  add_standard_functions(scheme_);
  auto const texts = Type::array_of(bytes_type);
  add("yes", bool_type, ValueView::boolean(true));
  add("off", bool_type, ValueView::boolean(false));
  add("gone_bool", bool_type, {});
  add("port", int_type, ValueView::integer(443));
  add("debt", int_type, ValueView::integer(-7));
  add("gone_int", int_type, {});
  add("host", bytes_type, text("api.example.com"), {.letters = Letters::folded});
  add("path", bytes_type, text("/v1/Users/42"));
  add("text", bytes_type, text("Hello World"));
  add("odd", bytes_type, text(std::string_view("a\"b\\c\n\x80*", 8)));
  add("empty", bytes_type, text(""));
  add("gone", bytes_type, {});
  add("ip", ip_type, address("192.0.2.7"));
  add("ip6", ip_type, address("2001:db8::7"));
  add("gone_ip", ip_type, {});
  add("names", texts, array({text("Ann"), text("Bob"), text("Cy")}));
  add("nobody", texts, array({}));
  add("gone_names", texts, {});
  add("numbers", Type::array_of(int_type),
      array({ValueView::integer(1), ValueView::integer(2), ValueView::integer(3)}));
  add("flags", Type::array_of(bool_type),
      array({ValueView::boolean(true), ValueView::boolean(false)}));
  add("gone_flags", Type::array_of(bool_type), {});
  add("no_flags", Type::array_of(bool_type), array({}));
  add("headers", Type::map_of(texts),
      map({{"accept", array({text("text/html"), text("*/*")})}, {"empty", array({})}}),
      {.key_letters = Letters::lower});
  add("ages", Type::map_of(int_type),
      map({{"ann", ValueView::integer(31)}, {"bob", ValueView::integer(17)}}));
  add("switches", Type::map_of(Type::array_of(bool_type)),
      map({{"on", array({ValueView::boolean(true)})}, {"none", array({})}}));
  add("parts", Type::array_of(texts),
      array({array({text("a"), text("b")}), array({}), array({text("c")})}));
  add("deep", Type::map_of(Type::map_of(texts)), map({{"k", map({{"l", array({text("m")})}})}}));
  add("hash", bytes_type, text("00ff12ab"), {.letters = Letters::lower, .hexadecimal = true});
  add("serial", bytes_type, text("0AFF"), {.letters = Letters::upper, .hexadecimal = true});
  add("json", bytes_type,
      text(R"({"name":"x\n\u00e9","n":42,"f":42.0,"list":[1,{"k":"v"}],"n":43,"o":{"p":"q"}})"));
  add("seed", bytes_type, text("0123456789abcdef"));
  add("query", bytes_type, text("a=1&b=2&a=3&c"));
  add("encoded", bytes_type, text("a%20b+c%2541%zz%u00e9"));
  scheme_.add_unavailable_field("secret", {"it is only known to somebody else", "use `text`"});
  scheme_.add_list("ips", parse_list(ListKind::ip, "192.0.2.0/24\n2001:db8::/32\n").value());
  scheme_.add_list("ports", parse_list(ListKind::integer, "80\n443\n8000..8999\n").value());
  scheme_.add_list("words", parse_list(ListKind::bytes, "Hello World\nbeta\n").value());
  scheme_.add_list("hosts", parse_list(ListKind::host, "*.Example.com\n").value());
  scheme_.add_unavailable_list("cf.malware", {"managed lists are Cloudflare's", ""});
}

void Sample::set(std::string_view field, ValueView value) {
  values_[*scheme_.find_field(field)] = value;
}

std::string Sample::outcome(std::string_view expression, Limits const& limits) {
  auto const compiled = compile(scheme_, expression, limits);
  if (!compiled) return compiled.error()[0].message;
  switch (evaluate(compiled->program, values_, scratch_)) {
    case Outcome::match:
      return "match";
    case Outcome::no_match:
      return "no match";
    case Outcome::failed:
      break;
  }
  return "failed";
}

std::string Sample::value(std::string_view expression) {
  auto const compiled = compile_value(scheme_, expression);
  if (!compiled) return compiled.error()[0].message;
  auto const result = evaluate_value(compiled->program, values_, scratch_);
  return result.failed ? "failed" : format_value(result.value);
}

}  // namespace certgate::rules::test
