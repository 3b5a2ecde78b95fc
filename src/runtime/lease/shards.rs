// SPDX-License-Identifier: Apache-2.0

//! Work that is spread over processes: who takes which shard, who keeps it, and who hands it over.
//!
//! A member announces itself by a lease of its own, which it renews: that is its heartbeat, and with the joint lease
//! all that it writes at rest. The lease of a shard names its holder, and is written when it changes hands.
//!
//! ```text
//!            beats            15 s without a new beat, by the clock of who wants its shards
//! member ───────────> lives ─────────────────────────────────────────────────────────────> lapsed
//!                       │  10 s after its last beat, by its own clock, its claim is over
//! ```
//!
//! So whoever takes the shard of a member that lapsed comes after that member has stopped, as with a single lease,
//! and a member has one claim for all that it holds.
//!
//! A process that knows nothing of shards, or of another number of them, contends for the lease that it always did.
//! Members hold that one together, as [`JointLease`], and act only for as long as nobody else can take it. Nobody
//! gives it back: it runs out once the last of them is gone.

mod fleet;
mod hands;
mod heart;
mod joint;
mod membership;
mod placement;
mod shard;
mod store;

#[cfg(test)]
mod model;

pub use self::fleet::{Duties, Fleet, Leases, Roster};
pub use self::hands::{Hands, Pass, ShardStage, ShardStages};
pub use self::joint::JointLease;
pub use self::membership::Membership;
pub use self::shard::{Division, Shard};
