"""The recogniser: word error rate, where it errs, and where it cuts."""
