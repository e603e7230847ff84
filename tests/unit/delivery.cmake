unit_test(verdict LIBRARIES spool_delivery)
