# Turns files into a C source that holds their bytes. As a script:
#   cmake -DOUTPUT=x.c -DHEADER=folder/x.h -DPREFIX=dip_x -DPARTS=html=a.html|js=b.js,c.js -P embed.cmake
# makes const unsigned char dip_x_html[] and const size_t dip_x_html_bytes, and so on; of several files, one
# behind the other. Every array ends with a NUL that its size does not count.
# Included: dip_embed(out_variable header prefix part=file,file...) adds the rule and names the source.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(DIP_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
  function(dip_embed out header prefix)
    set(source ${PROJECT_BINARY_DIR}/embed/${prefix}.c)
    string(REPLACE ";" "|" parts "${ARGN}")
    string(REGEX REPLACE "[a-z_]+=" "" files "${ARGN}")
    string(REPLACE "," ";" files "${files}")
    add_custom_command(OUTPUT ${source}
      COMMAND ${CMAKE_COMMAND} -DOUTPUT=${source} -DHEADER=${header} -DPREFIX=${prefix} -DPARTS=${parts}
        -P ${DIP_EMBED_SCRIPT}
      DEPENDS ${files} ${DIP_EMBED_SCRIPT} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
      COMMENT "Embedding the files of ${prefix}" VERBATIM)
    set(${out} ${source} PARENT_SCOPE)
  endfunction()
  return()
endif()

set(text "/* Made by tools/embed.cmake. */\n#include \"${HEADER}\"\n")
string(REPLACE "|" ";" PARTS "${PARTS}")
foreach(part IN LISTS PARTS)
  string(REGEX MATCH "^([a-z_]+)=(.*)$" _ "${part}")
  set(name ${PREFIX}_${CMAKE_MATCH_1})
  string(REPLACE "," ";" files "${CMAKE_MATCH_2}")
  set(bytes "")
  foreach(file IN LISTS files)
    file(READ ${file} hex HEX)
    string(APPEND bytes "${hex}")
  endforeach()
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "((0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,))" "\\1\n" bytes "${bytes}")
  string(APPEND text "\nconst unsigned char ${name}[] = {\n${bytes}0x00};\n"
    "const size_t ${name}_bytes = sizeof ${name} - 1;\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
