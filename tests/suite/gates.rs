// SPDX-License-Identifier: Apache-2.0

//! What images must prove before they are copied.

mod cosign;
mod costs;
mod failures;
mod lab;
mod late;
mod quarantine;
mod rules;
mod runnable;
mod verify;
