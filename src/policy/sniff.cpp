// The signatures of media types.
#include "sniff.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "certgate/base/encoding.hpp"

namespace certgate::policy {
namespace {

using namespace std::string_view_literals;

// Standard §5.2: no more than this is looked at.
constexpr std::size_t resource_header_bytes = 1445;

struct MediaSignature {
  std::string_view first;  // the content begins so
  std::string_view later;  // and at `later_at` there is this
  std::size_t later_at;
  std::string_view media_type;
};

// In the order of §7.1 and, within it, §6.1, §6.2 and §6.4; then fonts, §6.3.
constexpr MediaSignature media_signatures[] = {
    {"%PDF-"sv, ""sv, 0, "application/pdf"},
    {"%!PS-Adobe-"sv, ""sv, 0, "application/postscript"},
    {"\xFE\xFF"sv, ""sv, 0, "text/plain"},
    {"\xFF\xFE"sv, ""sv, 0, "text/plain"},
    {"\xEF\xBB\xBF"sv, ""sv, 0, "text/plain"},
    {"\0\0\1\0"sv, ""sv, 0, "image/x-icon"},
    {"\0\0\2\0"sv, ""sv, 0, "image/x-icon"},
    {"BM"sv, ""sv, 0, "image/bmp"},
    {"GIF87a"sv, ""sv, 0, "image/gif"},
    {"GIF89a"sv, ""sv, 0, "image/gif"},
    {"RIFF"sv, "WEBPVP"sv, 8, "image/webp"},
    {"\x89PNG\r\n\x1A\n"sv, ""sv, 0, "image/png"},
    {"\xFF\xD8\xFF"sv, ""sv, 0, "image/jpeg"},
    {"FORM"sv, "AIFF"sv, 8, "audio/aiff"},
    {"ID3"sv, ""sv, 0, "audio/mpeg"},
    {"OggS\0"sv, ""sv, 0, "application/ogg"},
    {"MThd\0\0\0\6"sv, ""sv, 0, "audio/midi"},
    {"RIFF"sv, "AVI "sv, 8, "video/avi"},
    {"RIFF"sv, "WAVE"sv, 8, "audio/wave"},
    {"\x1F\x8B\x08"sv, ""sv, 0, "application/x-gzip"},
    {"PK\3\4"sv, ""sv, 0, "application/zip"},
    {"Rar \x1A\7\0"sv, ""sv, 0, "application/x-rar-compressed"},  // as the standard has it,
    {"Rar!\x1A\7"sv, ""sv, 0, "application/x-rar-compressed"},    // and as it is
    {"\0\1\0\0"sv, ""sv, 0, "font/ttf"},
    {"OTTO"sv, ""sv, 0, "font/otf"},
    {"ttcf"sv, ""sv, 0, "font/collection"},
    {"wOFF"sv, ""sv, 0, "font/woff"},
    {"wOF2"sv, ""sv, 0, "font/woff2"},
};

constexpr std::string_view html_tags[] = {"<!DOCTYPE HTML",
                                          "<HTML",
                                          "<HEAD",
                                          "<SCRIPT",
                                          "<IFRAME",
                                          "<H1",
                                          "<DIV",
                                          "<FONT",
                                          "<TABLE",
                                          "<A",
                                          "<STYLE",
                                          "<TITLE",
                                          "<B",
                                          "<BODY",
                                          "<BR",
                                          "<P",
                                          "<!--"};

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

// §7.1 with the scripts among them: a tag counts when a space or `>` ends it.
std::string_view sniff_markup(std::string_view content) {
  auto const start = content.find_first_not_of("\t\n\f\r "sv);
  if (start == std::string_view::npos) return {};
  content.remove_prefix(start);
  if (content.starts_with("<?xml")) return "text/xml";
  for (auto const tag : html_tags) {
    if (content.size() <= tag.size() || !ascii_iequal(content.substr(0, tag.size()), tag)) continue;
    char const end = content[tag.size()];
    if (end == ' ' || end == '>') return "text/html";
  }
  return {};
}

// §6.2.1
bool is_mp4(std::string_view content) {
  if (content.size() < 12 || content.substr(4, 4) != "ftyp") return false;
  std::size_t box = 0;
  for (std::size_t i = 0; i < 4; ++i) box = box * 256 + byte_at(content, i);
  if (content.size() < box || box % 4 != 0) return false;
  if (content.substr(8, 3) == "mp4") return true;
  for (std::size_t at = 16; at + 3 <= box; at += 4) {
    if (content.substr(at, 3) == "mp4") return true;
  }
  return false;
}

// §6.2.2: EBML whose DocType (0x42 0x82, its length as a number of variable size) is "webm".
bool is_webm(std::string_view content) {
  if (!content.starts_with("\x1A\x45\xDF\xA3"sv)) return false;
  for (std::size_t at = 4; at < 38 && at + 2 < content.size(); ++at) {
    if (content.substr(at, 2) != "\x42\x82"sv) continue;
    std::size_t length = 1;
    for (unsigned bit = 0x80; length < 8 && (byte_at(content, at + 2) & bit) == 0; bit >>= 1) {
      ++length;
    }
    auto const text = content.substr(std::min(at + 2 + length, content.size()));
    auto const start = std::min(text.find_first_not_of('\0'), text.size());
    return text.substr(start).starts_with("webm");
  }
  return false;
}

// §6.2.3: the bytes of the MP3 frame that begins here; 0 when none does.
std::size_t mp3_frame_bytes(std::string_view content) {
  static constexpr std::uint32_t rates_of_mp3[] = {0,      32000,  40000,  48000,  56000,
                                                   64000,  80000,  96000,  112000, 128000,
                                                   160000, 192000, 224000, 256000, 320000};
  static constexpr std::uint32_t rates_of_mp25[] = {0,     8000,   16000,  24000,  32000,
                                                    40000, 48000,  56000,  64000,  80000,
                                                    96000, 112000, 128000, 144000, 160000};
  static constexpr std::uint32_t sample_rates[] = {44100, 48000, 32000};
  if (content.size() < 4 || byte_at(content, 0) != 0xFF || (byte_at(content, 1) & 0xE0) != 0xE0) {
    return 0;
  }
  unsigned const layer = (byte_at(content, 1) & 0x06U) >> 1;
  unsigned const bit_rate = (byte_at(content, 2) & 0xF0U) >> 4;
  unsigned const sample_rate = (byte_at(content, 2) & 0x0CU) >> 2;
  if (layer != 1 || bit_rate == 15 || sample_rate == 3) return 0;  // 1 means layer III
  unsigned const version = (byte_at(content, 1) & 0x18U) >> 3;
  auto const rate = (version & 1) == 0 ? rates_of_mp25[bit_rate] : rates_of_mp3[bit_rate];
  std::size_t const scale = version == 1 ? 72 : 144;
  return rate * scale / sample_rates[sample_rate] + ((byte_at(content, 2) & 0x02U) >> 1);
}

bool is_mp3(std::string_view content) {
  auto const frame = mp3_frame_bytes(content);
  return frame >= 4 && frame <= content.size() && mp3_frame_bytes(content.substr(frame)) != 0;
}

// §3: a binary data byte.
bool is_binary(char c) {
  auto const byte = static_cast<std::uint8_t>(c);
  return byte <= 0x08 || byte == 0x0B || (byte >= 0x0E && byte <= 0x1A) ||
         (byte >= 0x1C && byte <= 0x1F);
}

}  // namespace

std::string_view sniff_media_type(std::string_view content) {
  content = content.substr(0, resource_header_bytes);
  if (content.empty()) return {};
  if (auto const markup = sniff_markup(content); !markup.empty()) return markup;
  for (auto const& signature : media_signatures) {
    if (!content.starts_with(signature.first)) continue;
    if (content.size() < signature.later_at) continue;
    if (content.substr(signature.later_at).starts_with(signature.later)) {
      return signature.media_type;
    }
  }
  if (is_mp4(content)) return "video/mp4";
  if (is_webm(content)) return "video/webm";
  if (is_mp3(content)) return "audio/mpeg";
  if (std::none_of(content.begin(), content.end(), is_binary)) return "text/plain";
  // §6.3: two letters after 34 bytes of anything, so text comes first.
  if (content.size() > 34 && content.substr(34).starts_with("LP")) {
    return "application/vnd.ms-fontobject";
  }
  return {};
}

}  // namespace certgate::policy
