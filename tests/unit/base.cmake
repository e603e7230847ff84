unit_test(base LIBRARIES spool_base)
