//! The harness proves itself: a test that stands on a broken harness proves nothing.

mod faults;
mod processes;
mod registries;
mod witness;
