# The real program, command by command.
find_program(BATS bats REQUIRED)
find_program(JQ jq REQUIRED)
foreach(name endpoints keys flush limits look operate orders put recover usage)
    add_test(NAME integration/spoolctl_${name}
             COMMAND ${BATS} ${CMAKE_CURRENT_SOURCE_DIR}/spoolctl_${name}.bats)
    set_tests_properties(integration/spoolctl_${name} PROPERTIES
        TIMEOUT 300
        ENVIRONMENT "SPOOLCTL=$<TARGET_FILE:spoolctl>;SANDBOX=$<TARGET_FILE:spool-sandbox>;PAGE=${CMAKE_SOURCE_DIR}/tools/spoolctl/spoolctl.1")
endforeach()
