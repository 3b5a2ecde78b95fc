//! Pruning: what is no longer wanted goes, and nothing else.

mod lab;
mod registries;
mod rounds;
mod stops;
