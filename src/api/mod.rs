//! The custom resources as people write them.
