//! The command line.

pub mod credentials;
