// SPDX-License-Identifier: Apache-2.0

//! Pruning: what is no longer wanted goes, and nothing else.

mod along;
mod brakes;
mod files;
mod folding;
mod holders;
mod interrupted;
mod kills;
mod lab;
mod leftovers;
mod lies;
mod listing;
mod peers;
mod registries;
mod rounds;
mod stops;
mod undo;
