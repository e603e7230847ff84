unit_test(json LIBRARIES spool_events)
unit_test(event LIBRARIES spool_events)
unit_test(event_filter LIBRARIES spool_events)
unit_test(event_reader LIBRARIES spool_events)
