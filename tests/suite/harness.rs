// SPDX-License-Identifier: Apache-2.0

//! The harness proves itself: a test that stands on a broken harness proves nothing.

mod faults;
mod ocimem;
mod processes;
mod registries;
mod witness;
