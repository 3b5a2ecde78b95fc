// SPDX-License-Identifier: Apache-2.0

//! Integration tests: real registries, a scriptable one, and the real program between them.
//!
//! One binary, so that the support code is compiled once. `support` uses nothing of the library:
//! it is the independent witness of what the library did.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise, and tables of cases are long"
)]

mod bundles;
mod cli;
mod cluster;
mod convert;
mod copying;
mod crds;
mod docs;
mod faults;
mod gates;
mod harness;
mod hostile;
mod identity;
mod images;
mod layout;
mod matrix;
mod own;
mod packaging;
mod plain;
mod politeness;
mod pruning;
mod referrers;
mod registry;
mod schema;
pub mod support;
mod syncing;
mod waiting;
