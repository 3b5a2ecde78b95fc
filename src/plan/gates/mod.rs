// SPDX-License-Identifier: Apache-2.0

//! The gates of a policy: what an image must prove before it is copied.
//!
//! ```text
//! gate      what can be asked for
//! rules     what a policy asks for, parsed once
//! facts     what an image is like
//! require   rules and facts -> the first rule that is broken
//! scan      a signed scan -> the vulnerabilities that are more severe than allowed
//! testimony who vouches for an image, and the scans that they signed
//! verdict   over all policies of a mirror -> admitted, refused or quarantined
//! ```
//!
//! Judging is pure. What cannot be found out is no fact: whoever looks for facts says that it failed.

mod facts;
mod gate;
mod require;
mod rules;
mod scan;
mod size;
mod testimony;
#[cfg(test)]
mod tests;
mod verdict;

pub use facts::ImageFacts;
pub use gate::Gate;
pub use rules::{AuthorityKind, AuthorityRule, Gates, Require};
pub use scan::{COSIGN_VULN, Finding, Fix, Scan, ScanError};
pub use size::{Size, SizeError};
pub use testimony::{Scanned, Testimony, Vouched, Voucher};
pub use verdict::{Conclusion, Judgement, Quarantine, Refusal, Verdict};
