# clang-format would change nothing.
#   cmake -DROOT=DIR -P format.cmake
find_program(CLANG_FORMAT clang-format)
if(NOT CLANG_FORMAT)
    message("skipped: clang-format is not installed")
    return()
endif()
file(GLOB_RECURSE files ${ROOT}/include/*.h ${ROOT}/src/*.[ch]
     ${ROOT}/tools/*.[ch] ${ROOT}/tests/*.[ch])
list(FILTER files EXCLUDE REGEX "/node_modules/")
execute_process(COMMAND ${CLANG_FORMAT} --dry-run -Werror ${files}
                RESULT_VARIABLE result)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "run clang-format -i on the files above")
endif()
