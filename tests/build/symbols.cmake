# libspool.so shows the symbols of the list and no other.
#   cmake -DNM=nm -DLIBRARY=libspool.so -DLIST=symbols.txt -P symbols.cmake
execute_process(COMMAND ${NM} -D --defined-only ${LIBRARY}
                OUTPUT_VARIABLE out COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "[0-9a-f]+ ([A-Z]) ([^\n]+)" "\\1 \\2" have "${out}")
file(READ ${LIST} want)
if(NOT have STREQUAL want)
    message(FATAL_ERROR "The library shows\n${have}and ${LIST} says\n${want}"
            "A symbol that goes breaks programs; a new one belongs into the "
            "list.")
endif()
