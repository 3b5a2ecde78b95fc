// SPDX-License-Identifier: Apache-2.0

//! Process services that know nothing of images.

pub mod admin;
pub mod clock;
pub mod exposition;
pub mod kubernetes;
pub mod lease;
pub mod memory;
pub mod metrics;
pub mod server;
pub mod shutdown;
pub mod telemetry;
