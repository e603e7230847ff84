# -DSPOOL_SQLITE_AMALGAMATION=DIR builds the library and the programs on the
# SQLite in DIR and on no other, and shows nothing of it.
#   cmake -DROOT=DIR -DINTO=DIR [-DSQLITE=DIR] -DNM=nm -DLIST=symbols.txt
#         -P amalgamation.cmake
# Without -DSQLITE the folder is that of the variable SPOOL_SQLITE_AMALGAMATION.
if(NOT SQLITE)
    set(SQLITE "$ENV{SPOOL_SQLITE_AMALGAMATION}")
endif()
if(NOT SQLITE)
    message("skipped: no sqlite3.c to build on; SPOOL_SQLITE_AMALGAMATION names "
            "the folder of one")
    return()
endif()

include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

file(REMOVE_RECURSE ${INTO})
set(build ${INTO}/build)
run(${CMAKE_COMMAND} -S ${ROOT} -B ${build} -DCMAKE_BUILD_TYPE=Debug
    -DSPOOL_TESTS=OFF -DSPOOL_WERROR=ON -DSPOOL_SQLITE_AMALGAMATION=${SQLITE})
run(${CMAKE_COMMAND} --build ${build} -j 2 --target spool spoolctl)
set(ctl ${build}/tools/spoolctl/spoolctl)
set(library ${build}/src/libspool.so)

file(STRINGS ${SQLITE}/sqlite3.h line REGEX "^#define SQLITE_VERSION +\"")
string(REGEX MATCH "[0-9.]+" want "${line}")
run(${ctl} version --json)
string(JSON have GET "${out}" sqlite)
string(JSON built_in GET "${out}" sqlite_built_in)
if(NOT have STREQUAL want OR NOT built_in)
    message(FATAL_ERROR "built on SQLite ${want}, and it runs on ${out}")
endif()

foreach(binary ${ctl} ${library})
    file(GET_RUNTIME_DEPENDENCIES EXECUTABLES ${binary}
         RESOLVED_DEPENDENCIES_VAR needed UNRESOLVED_DEPENDENCIES_VAR missing)
    if("${needed}${missing}" MATCHES "libsqlite3")
        message(FATAL_ERROR "${binary} loads the system's SQLite as well")
    endif()
endforeach()
run(${NM} -D --defined-only ${ctl})
if(out MATCHES "sqlite3_")
    message(FATAL_ERROR "${ctl} shows its SQLite to others")
endif()
run(${CMAKE_COMMAND} -DNM=${NM} -DLIBRARY=${library} -DLIST=${LIST}
    -P ${CMAKE_CURRENT_LIST_DIR}/symbols.cmake)

set(event [[{"name":"PAGE_VIEW","category":"Home Page","userId":"U",
"sessionId":"S","device":"PC"}]])
file(WRITE ${INTO}/event.json "${event}")
set(ENV{SPOOL_PATH} ${INTO}/data/outbox.db)
run(${ctl} -q init)
run(${ctl} put ${INTO}/event.json)
run(${ctl} verify)
file(REMOVE_RECURSE ${INTO})
