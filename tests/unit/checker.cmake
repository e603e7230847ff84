# The judge of the crash and acceptance tests is judged itself.
unit_test(checker LIBRARIES test_support_checker test_support_outbox)
