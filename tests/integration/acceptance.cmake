# The bars that deliveries must reach: through a real endpoint, judged by the
# checker.
add_library(test_scene STATIC scene.c)
target_link_libraries(test_scene
                      PUBLIC spool_core test_sandbox_child test_support_checker
                             Threads::Threads
                      PRIVATE test_support_outbox PkgConfig::CMOCKA)

foreach(name faults refusals holds uncertain)
    add_executable(test_acceptance_${name} test_acceptance_${name}.c)
    target_link_libraries(test_acceptance_${name} PRIVATE test_scene
                          PkgConfig::CMOCKA)
    add_test(NAME integration/acceptance_${name}
             COMMAND test_acceptance_${name})
    set_tests_properties(integration/acceptance_${name}
                         PROPERTIES TIMEOUT 240 LABELS threads)
endforeach()
