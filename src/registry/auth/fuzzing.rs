// SPDX-License-Identifier: Apache-2.0

//! What token servers and their names are read by, for the fuzz targets.

use jiff::Timestamp;
use url::Url;

use super::realm::{Realm, Trust};
use super::token::Grant;

/// The token server that a challenge of the registry at `base` leads to, where somebody has a credential to lose.
pub fn token_server(realm: &str, base: &Url) -> Option<Url> {
    let trust = Trust {
        hosts: &[],
        is_anonymous: false,
    };
    let accepted = Realm::accept(realm, None, base, trust).ok()?;
    Some(accepted.url().clone())
}

/// How long the token in an answer is used, in seconds.
pub fn token(body: &[u8]) -> Option<u64> {
    let grant = Grant::parse(body, Timestamp::UNIX_EPOCH).ok()?;
    Some(grant.usable.as_secs())
}
