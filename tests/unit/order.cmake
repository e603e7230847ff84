unit_test(order LIBRARIES spool_core test_support_outbox)
