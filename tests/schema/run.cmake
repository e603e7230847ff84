# Runs agree.js with its one dependency, which it installs the first time.
#   cmake -DCHECKER=PROGRAM -P run.cmake
find_program(NODE NAMES node nodejs)
find_program(NPM npm)
if(NOT NODE OR NOT NPM)
    message(FATAL_ERROR "The schema test needs node and npm: install the "
                        "packages nodejs and npm")
endif()
if(NOT EXISTS ${CMAKE_CURRENT_LIST_DIR}/node_modules/ajv/package.json)
    execute_process(COMMAND ${NPM} ci
                    WORKING_DIRECTORY ${CMAKE_CURRENT_LIST_DIR}
                    RESULT_VARIABLE failed)
    if(failed)
        message(FATAL_ERROR "npm ci could not install ajv for the schema test; "
                            "is the package registry reachable?")
    endif()
endif()
execute_process(COMMAND ${NODE} agree.js ${CHECKER}
                WORKING_DIRECTORY ${CMAKE_CURRENT_LIST_DIR}
                RESULT_VARIABLE failed)
if(failed)
    message(FATAL_ERROR "the schemas and the checker disagree")
endif()
