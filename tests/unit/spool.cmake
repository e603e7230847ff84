unit_test(profile LIBRARIES spool_delivery)
unit_test(secrets LIBRARIES spool_delivery)
unit_test(flusher LIBRARIES spool_delivery test_support_outbox PkgConfig::UV)
unit_test(spool LIBRARIES spool_core test_support_outbox PkgConfig::UV LABELS threads)
