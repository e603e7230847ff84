# Installs libspool into a folder and builds a program of somebody else from
# nothing but that folder: once with pkg-config, once with find_package, and
# the headers also as C++.
#   cmake -DBUILD=DIR -DINTO=DIR -DSOURCE=consumer/ -DCC=CC -DCXX=CXX
#         -DFLAGS=CFLAGS -DPKG_CONFIG=PROGRAM -P install.cmake

include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

# Runs the program on a new spool.
function(try program)
    file(REMOVE_RECURSE ${INTO}/data)
    run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${libdir}
        ${program} ${INTO}/data/outbox.db)
endfunction()

file(REMOVE_RECURSE ${INTO})
foreach(component libspool0 libspool-dev)
    run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${INTO}/usr
        --component ${component})
endforeach()

file(GLOB_RECURSE pc ${INTO}/usr/spool.pc)
get_filename_component(pc_dir ${pc} DIRECTORY)
set(ENV{PKG_CONFIG_PATH} ${pc_dir})
file(GLOB_RECURSE library ${INTO}/usr/libspool.so)
get_filename_component(libdir ${library} DIRECTORY)
run(${PKG_CONFIG} --cflags spool)
separate_arguments(cflags UNIX_COMMAND "${out}")
run(${PKG_CONFIG} --libs spool)
separate_arguments(libs UNIX_COMMAND "${out}")
separate_arguments(flags UNIX_COMMAND "${FLAGS}")

run(${CC} -std=c11 -Wall -Wextra -Werror ${flags} ${cflags}
    ${SOURCE}/consumer.c -o ${INTO}/consumer ${libs})
try(${INTO}/consumer)

run(${CMAKE_COMMAND} -S ${SOURCE} -B ${INTO}/build
    -DCMAKE_PREFIX_PATH=${INTO}/usr -DCMAKE_C_COMPILER=${CC}
    "-DCMAKE_C_FLAGS=${FLAGS}")
run(${CMAKE_COMMAND} --build ${INTO}/build)
try(${INTO}/build/consumer)

file(GLOB headers RELATIVE ${INTO}/usr/include/spool
     ${INTO}/usr/include/spool/*.h)
foreach(header ${headers})
    file(WRITE ${INTO}/${header}.cc "#include <spool/${header}>\n")
    run(${CXX} -std=c++11 -Wall -Wextra -Werror ${cflags}
        -fsyntax-only ${INTO}/${header}.cc)
endforeach()
