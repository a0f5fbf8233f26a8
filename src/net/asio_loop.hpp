// The io_context behind a Loop, for this layer's sources.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "certgate/net/loop.hpp"

namespace certgate::net {

struct Loop::Inside {
  boost::asio::io_context context{1};  // one thread runs it: no internal contention
};

}  // namespace certgate::net
