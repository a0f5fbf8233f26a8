# What every target is compiled with: warnings, hardening, sanitizers.
include(GNUInstallDirs)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(PkgConfig REQUIRED)

add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                    -Wno-missing-field-initializers)
if(CERTGATE_WERROR)
  add_compile_options(-Werror)
endif()

if(CERTGATE_SANITIZE)
  add_compile_options(-fsanitize=${CERTGATE_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CERTGATE_SANITIZE})
  if(CERTGATE_SANITIZE STREQUAL "thread")
    # ThreadSanitizer does not know stand-alone fences, which Asio uses only to order its own
    # completion handlers.
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
    add_compile_options(-Wno-tsan)
  endif()
elseif(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-fstack-protector-strong)
  add_compile_definitions(_FORTIFY_SOURCE=2)
  add_link_options(-Wl,-z,relro,-z,now)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# In a batch, g++ takes a source file for a header and warns of types that only that file can see.
if(CERTGATE_BATCH GREATER 1 AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-subobject-linkage)
endif()

# Asio without deprecated names.
add_compile_definitions(BOOST_ASIO_NO_DEPRECATED)
