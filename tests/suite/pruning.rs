//! Pruning: what is no longer wanted goes, and nothing else.

mod lab;
mod leftovers;
mod listing;
mod registries;
mod rounds;
mod stops;
