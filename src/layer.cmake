# certgate_batches(OUT NAME SOURCES...): compiles CERTGATE_BATCH source files as one, which halves
# the time of a whole build; with 1, each file by itself. The paths in a batch are relative, so that
# a compiler cache knows it again in another checkout.
function(certgate_batches out name)
  if(CERTGATE_BATCH LESS_EQUAL 1)
    set(${out} ${ARGN} PARENT_SCOPE)
    return()
  endif()
  set(folder ${CMAKE_BINARY_DIR}/batches)
  set(batches)
  set(lines)
  set(count 0)
  foreach(source IN LISTS ARGN)
    file(RELATIVE_PATH path ${folder} ${source})
    string(APPEND lines "#include \"${path}\"\n")
    math(EXPR count "${count} + 1")
    math(EXPR full "${count} % ${CERTGATE_BATCH}")
    list(LENGTH ARGN all)
    if(full EQUAL 0 OR count EQUAL all)
      list(LENGTH batches number)
      set(batch ${folder}/${name}_${number}.cpp)
      file(CONFIGURE OUTPUT ${batch} CONTENT "${lines}" @ONLY)
      list(APPEND batches ${batch})
      set(lines)
    endif()
  endforeach()
  set(${out} ${batches} PARENT_SCOPE)
endfunction()

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
    certgate_batches(sources ${name} ${sources})
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
