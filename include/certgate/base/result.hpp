// A value or the reason why there is none: std::expected's names, before C++23.
//
// See docs/decisions/0001-result.md for why this is not boost::system::result or std::expected.
#pragma once

#include <cassert>
#include <type_traits>
#include <utility>
#include <variant>

#include "certgate/base/error.hpp"

namespace certgate {

template <class E>
struct Failure {
  E error;
};

// Makes a failure of whatever error type the function returns: `return fail(Error{...});`
template <class E>
[[nodiscard]] Failure<std::decay_t<E>> fail(E&& error) {
  return {std::forward<E>(error)};
}

[[nodiscard]] inline Failure<Error> fail(ErrorCode code, std::string detail) {
  return {Error{code, std::move(detail)}};
}

template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = E;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  template <class U, class = std::enable_if_t<std::is_convertible_v<U&&, T> &&
                                              !std::is_same_v<std::decay_t<U>, Result> &&
                                              !std::is_same_v<std::decay_t<U>, T>>>
  Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}
  template <class G>
  Result(Failure<G> failure) : state_(std::in_place_index<1>, std::move(failure.error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // REQUIRES: has_value().
  T& value() & { return assert(has_value()), *std::get_if<0>(&state_); }
  T const& value() const& { return assert(has_value()), *std::get_if<0>(&state_); }
  T&& value() && { return assert(has_value()), std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  T const& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  T const* operator->() const { return &value(); }

  // REQUIRES: !has_value().
  E& error() & { return assert(!has_value()), *std::get_if<1>(&state_); }
  E const& error() const& { return assert(!has_value()), *std::get_if<1>(&state_); }
  E&& error() && { return assert(!has_value()), std::move(*std::get_if<1>(&state_)); }

  template <class U>
  T value_or(U&& otherwise) const& {
    return has_value() ? value() : static_cast<T>(std::forward<U>(otherwise));
  }

 private:
  std::variant<T, E> state_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  using value_type = void;
  using error_type = E;

  Result() = default;
  template <class G>
  Result(Failure<G> failure) : failed_(true), error_(std::move(failure.error)) {}

  bool has_value() const { return !failed_; }
  explicit operator bool() const { return has_value(); }
  void value() const { assert(has_value()); }
  E& error() & { return assert(failed_), error_; }
  E const& error() const& { return assert(failed_), error_; }
  E&& error() && { return assert(failed_), std::move(error_); }

 private:
  bool failed_ = false;
  E error_{};
};

}  // namespace certgate

// `CERTGATE_TRY(auto key, load_key(path));` declares `key`, or returns the failure.
#define CERTGATE_TRY_CONCAT_(a, b) a##b
#define CERTGATE_TRY_NAME_(a, b) CERTGATE_TRY_CONCAT_(a, b)
#define CERTGATE_TRY_(result, declaration, ...)                      \
  auto result = (__VA_ARGS__);                                       \
  if (!result) return ::certgate::fail(std::move(result).error());   \
  declaration = std::move(result).value()
#define CERTGATE_TRY(declaration, ...) \
  CERTGATE_TRY_(CERTGATE_TRY_NAME_(try_result_, __LINE__), declaration, __VA_ARGS__)
