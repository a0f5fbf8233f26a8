# certgate_layer(NAME [USES layer...] [LINKS library...])
#
# One static library per layer, from src/NAME/*.cpp. A layer sees its own public folder, those of
# the layers it USES (and theirs), and its own private headers in src/NAME: any other include is
# "file not found". LINKS are third-party libraries, private to the layer.
function(certgate_layer name)
  cmake_parse_arguments(LAYER "" "" "USES;LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)

  set(root ${CMAKE_BINARY_DIR}/layers/${name})
  file(MAKE_DIRECTORY ${root}/certgate)
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/include/certgate/${name} ${root}/certgate/${name} SYMBOLIC)

  set(target certgate_${name})
  list(TRANSFORM LAYER_USES PREPEND certgate_)
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC ${root}
                               PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/${name})
    target_link_libraries(${target} PUBLIC ${LAYER_USES} PRIVATE ${LAYER_LINKS})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${root})
    target_link_libraries(${target} INTERFACE ${LAYER_USES})
  endif()
endfunction()
