# Fails if spool-sandbox.1 leaves out an option, a condition or a fault that
# --help names. PROGRAM and PAGE are given with -D.
execute_process(COMMAND ${PROGRAM} --help OUTPUT_VARIABLE help
                COMMAND_ERROR_IS_FATAL ANY)
file(READ ${PAGE} page)
string(REPLACE "\\-" "-" page "${page}")
string(REGEX MATCHALL "\n  [a-z0-9-]+" names "${help}")
list(LENGTH names count)
if(count LESS 60)
    message(FATAL_ERROR "only ${count} names were found in --help")
endif()
foreach(name IN LISTS names)
    string(STRIP "${name}" name)
    if(NOT page MATCHES "\n\\.B[IR]? ${name}[ =\n]")
        message(FATAL_ERROR "${PAGE} does not tell of ${name}")
    endif()
endforeach()
