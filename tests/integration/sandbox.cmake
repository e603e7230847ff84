# spool-sandbox as a child process, for any test that needs an endpoint.
add_library(test_sandbox_child STATIC sandbox_child.c)
target_link_libraries(test_sandbox_child PUBLIC spool_flags
                      PRIVATE PkgConfig::CMOCKA)
target_include_directories(test_sandbox_child PUBLIC
                           ${CMAKE_CURRENT_SOURCE_DIR}/..)
target_compile_definitions(test_sandbox_child PRIVATE
                           SANDBOX_PROGRAM="$<TARGET_FILE:spool-sandbox>")
add_dependencies(test_sandbox_child spool-sandbox)

foreach(name sandbox sandbox_faults)
    add_executable(test_${name} test_${name}.c)
    target_link_libraries(test_${name} PRIVATE test_sandbox_child
                          PkgConfig::CMOCKA)
    add_test(NAME integration/${name} COMMAND test_${name})
    set_tests_properties(integration/${name} PROPERTIES TIMEOUT 120)
endforeach()

# The page tells of every option and every fault.
add_test(NAME integration/sandbox_page
         COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:spool-sandbox>
                 -DPAGE=${CMAKE_SOURCE_DIR}/tools/sandbox/spool-sandbox.1
                 -P ${CMAKE_SOURCE_DIR}/tools/sandbox/check_page.cmake)
