// SPDX-License-Identifier: Apache-2.0

//! Transship keeps container images in sync between registries.
//!
//! The modules are floors: a module may use lower ones only, and `tests/floors.rs` checks it.
//!
//! ```text
//! 5  cli  controller            arguments, files, terminal · a cluster
//! 4  sync                       one round: list, select, resolve, own, gate, decide, apply, prune
//! 3  copy                       the copy engine: graph, scheduler, dedupe, fan-out, progress
//! 2  registry  layout  plan     endpoints · pure decisions
//! 3  identity                   who we are in the clouds
//! 2  signature                  who vouches for an image
//! 3  page                       what people see in a browser
//! 2  convert                    the files of other tools
//! 2  events                     what registries tell of pushes, as hints
//! 1  api                        ImageMirror and ImagePolicy as people write them
//! 0  oci  policy                reference, digest, platform, manifest · tags and versions
//! -  runtime                    process services, ignorant of images
//! ```
//!
//! `oci`, `policy`, `api`, `convert`, `events`, `plan` and `page` are pure: no async, no clock, no logging, no environment.

#![cfg_attr(
    test,
    expect(clippy::too_many_lines, reason = "tables of cases are long")
)]

pub mod api;
pub mod cli;
pub mod controller;
pub mod convert;
pub mod copy;
pub mod events;
pub mod identity;
pub mod layout;
pub mod oci;
pub mod page;
pub mod plan;
pub mod policy;
pub mod registry;
pub mod runtime;
pub mod signature;
pub mod sync;
