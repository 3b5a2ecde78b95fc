// SPDX-License-Identifier: Apache-2.0

//! What the program must show: every kind of registry in every security mode, step by step, from
//! one file with its Secrets; peers that agree with what arrived; and clear words where it cannot work.

mod backings;
mod commands;
mod credentials;
mod entries;
mod expiry;
mod mirror;
mod pair;
mod peers;
mod platforms;
mod referrers_api;
mod selection;
mod sharing;
mod steps;
mod storage;
