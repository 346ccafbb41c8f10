"""What tests of several rooms share: waiting, fakes, builders. Nothing here runs in production."""
