unit_test(outbox LIBRARIES spool_outbox test_support_outbox PkgConfig::SQLITE)
unit_test(batch LIBRARIES spool_outbox test_support_outbox)
unit_test(operate LIBRARIES spool_outbox test_support_outbox)
unit_test(writer LIBRARIES spool_outbox test_support_outbox LABELS threads)
