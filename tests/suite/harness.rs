//! The harness proves itself: a test that stands on a broken harness proves nothing.

mod registries;
mod witness;
