unit_test(event LIBRARIES spool_events)
