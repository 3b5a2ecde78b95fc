// SPDX-License-Identifier: Apache-2.0

//! A real Kubernetes control plane, and what works against it.

mod admission;
mod api_faults;
mod crash;
mod events;
mod harness;
mod identities;
mod images;
mod in_use;
mod installation;
mod jobs;
mod kubectl;
mod late;
mod lifecycle;
mod node;
mod notifications;
mod objects;
mod page;
mod page_looks;
mod pruning_others;
mod pruning_records;
mod pruning_windows;
mod release;
mod rights;
mod scene;
mod shard_pages;
mod shards;
mod shards_cut;
mod shards_pruning;
mod stage;
mod status;
mod takeover;
