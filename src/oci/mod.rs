//! The vocabulary of the distribution and image specifications.
