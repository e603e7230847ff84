# PkgConfig::SQLITE from the sqlite3.c in SPOOL_SQLITE_AMALGAMATION, in the place
# of the system's SQLite. It is a part of whatever links it and shows none of its
# names: two copies that meet in one process would drop each other's locks.
get_filename_component(dir ${SPOOL_SQLITE_AMALGAMATION} ABSOLUTE
                       BASE_DIR ${CMAKE_SOURCE_DIR})
if(NOT EXISTS ${dir}/sqlite3.c OR NOT EXISTS ${dir}/sqlite3.h)
    message(FATAL_ERROR "SPOOL_SQLITE_AMALGAMATION: ${dir} lacks sqlite3.c or "
                        "sqlite3.h; name the folder of SQLite's amalgamation")
endif()
file(STRINGS ${dir}/sqlite3.h line REGEX "^#define SQLITE_VERSION +\"")
string(REGEX MATCH "[0-9.]+" version "${line}")
if(version VERSION_LESS 3.40)
    message(FATAL_ERROR "SPOOL_SQLITE_AMALGAMATION: ${dir} is SQLite ${version}"
                        " and spool needs 3.40 or later")
endif()
message(STATUS "SQLite ${version} of ${dir} is built in")

add_library(spool_sqlite STATIC ${dir}/sqlite3.c)
set_target_properties(spool_sqlite PROPERTIES
    C_VISIBILITY_PRESET hidden C_EXTENSIONS ON)
target_include_directories(spool_sqlite SYSTEM PUBLIC ${dir})
# Not ours to warn about, nor to look into: sanitizers see what we do with it.
target_compile_options(spool_sqlite PRIVATE -w)
target_compile_definitions(spool_sqlite
    INTERFACE SPOOL_SQLITE_BUILT_IN
    PRIVATE
    SQLITE_THREADSAFE=2   # a connection is used by one thread at a time
    SQLITE_OMIT_LOAD_EXTENSION
    SQLITE_USE_URI=0      # a path that begins with file: is a path
    SQLITE_DQS=0          # "x" is a name
    SQLITE_TRUSTED_SCHEMA=0
    SQLITE_SECURE_DELETE  # connections choose less; none is to forget it
    SQLITE_DEFAULT_MEMSTATUS=0 # a mutex at every malloc
    HAVE_FDATASYNC=1 HAVE_PREAD=1 HAVE_PWRITE=1 HAVE_USLEEP=1
    HAVE_LOCALTIME_R=1)
target_link_libraries(spool_sqlite PUBLIC Threads::Threads m)
add_library(PkgConfig::SQLITE ALIAS spool_sqlite)
