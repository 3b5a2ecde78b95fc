//! Pruning: what is no longer wanted goes, and nothing else.

mod lab;
mod rounds;
mod stops;
