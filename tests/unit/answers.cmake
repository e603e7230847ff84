unit_test(slice LIBRARIES spool_core)
unit_test(answers LIBRARIES spool_core Threads::Threads LABELS threads)
unit_test(put_wait LIBRARIES spool_core test_support_outbox test_sandbox_child
          Threads::Threads LABELS threads)
