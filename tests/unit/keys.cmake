unit_test(keys LIBRARIES spool_core test_rogue test_sandbox_child)
