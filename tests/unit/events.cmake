unit_test(json LIBRARIES spool_events)
unit_test(event LIBRARIES spool_events)
unit_test(event_filter LIBRARIES spool_events)
unit_test(event_reader LIBRARIES spool_events)
unit_test(event_strict LIBRARIES spool_events)
unit_test(event_relaxed LIBRARIES spool_events)

add_subdirectory(${CMAKE_SOURCE_DIR}/tests/schema
                 ${CMAKE_BINARY_DIR}/tests/schema)
