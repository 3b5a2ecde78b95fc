//! What images must prove before they are copied.

mod costs;
mod failures;
mod lab;
mod quarantine;
mod rules;
mod verify;
