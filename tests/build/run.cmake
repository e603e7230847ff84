# run(COMMAND...): its output in `out`; a command that fails ends the test with
# all it said.
function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result
                    OUTPUT_VARIABLE out ERROR_VARIABLE words
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT result EQUAL 0)
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "${command}\n${out}\n${words}")
    endif()
    set(out "${out}" PARENT_SCOPE)
endfunction()
