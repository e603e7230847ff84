unit_test(verdict LIBRARIES spool_delivery)
unit_test(backoff LIBRARIES spool_delivery)
