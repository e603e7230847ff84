unit_test(order LIBRARIES spool_core test_support_outbox)
unit_test(ctl_column LIBRARIES spoolctl_parts)
unit_test(ctl_money LIBRARIES spoolctl_parts)
