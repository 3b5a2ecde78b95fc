// SPDX-License-Identifier: Apache-2.0

//! What all benchmarks have in common: how they are asked for, what they measure with, how they tell it.

pub mod calibration;
pub mod process;
pub mod request;
pub mod saved;
pub mod table;
pub mod units;
pub mod verdict;
