# check_layers.cmake says no to every kind of include that breaks the layers,
# and yes to a tree without one.
#   cmake -DCHECK=check_layers.cmake -DTREE=DIR -P layers_bite.cmake

set(cases # FILE|INCLUDE
    "src/base/bad.c|\"events/event.h\""
    "src/base/bad.c|\"spool/spool.h\""
    "src/events/bad.c|\"outbox/outbox.h\""
    "src/outbox/bad.h|\"delivery/lane.h\""
    "src/delivery/bad.c|\"spool/slice.h\""
    "src/delivery/bad.c|\"outbox/db.h\""
    "src/delivery/bad.c|<sqlite3.h>"
    "src/delivery/lane.c|<curl/curl.h>"
    "src/outbox/bad.c|<uv.h>"
    "src/events/bad.c|<json-c/json.h>"
    "tools/sandbox/bad.c|\"outbox/outbox.h\"")

function(write_tree)
    file(REMOVE_RECURSE ${TREE})
    foreach(header events/event outbox/outbox outbox/db delivery/lane
            spool/slice)
        file(WRITE ${TREE}/src/${header}.h "#include \"spool/error.h\"\n")
    endforeach()
    file(WRITE ${TREE}/include/spool/error.h "")
    file(WRITE ${TREE}/include/spool/spool.h "#include \"spool/error.h\"\n")
    file(WRITE ${TREE}/src/delivery/http.c "#include <curl/curl.h>\n")
endfunction()

function(check out)
    execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${TREE} -P ${CHECK}
                    RESULT_VARIABLE result ERROR_VARIABLE words)
    set(${out} ${result} PARENT_SCOPE)
    set(words "${words}" PARENT_SCOPE)
endfunction()

write_tree()
check(result)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "a sound tree was refused: ${words}")
endif()
foreach(case ${cases})
    string(REPLACE "|" ";" case "${case}")
    list(GET case 0 file)
    list(GET case 1 include)
    write_tree()
    file(APPEND ${TREE}/${file} "#include ${include}\n")
    check(result)
    if(result EQUAL 0 OR NOT words MATCHES "${file}")
        message(FATAL_ERROR "${file} may include ${include}: ${words}")
    endif()
endforeach()
file(REMOVE_RECURSE ${TREE})
