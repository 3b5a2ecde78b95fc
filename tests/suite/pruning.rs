//! Pruning: what is no longer wanted goes, and nothing else.

mod lab;
mod leftovers;
mod registries;
mod rounds;
mod stops;
