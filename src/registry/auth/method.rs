// SPDX-License-Identifier: Apache-2.0

//! How a registry wants to be told who is asking, chosen from what it offers.

use reqwest::header::HeaderMap;
use url::Url;

use super::challenge::{self, Challenge};
use super::realm::{Realm, RealmFault, Trust};

/// How a registry wants to be told who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Basic,
    Bearer(Realm),
}

/// What a registry wants.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) method: Method,
    /// What a token has to be for, unchecked.
    pub(super) scope: Option<String>,
}

/// What to answer to a challenge of the registry at `base`, and what it wants a token for; nothing where it offers
/// no way that is known.
///
/// A token server that must not be asked is passed over where there is another way. Else that is the error: its
/// name, and why.
pub(super) fn choose(
    headers: &HeaderMap,
    base: &Url,
    trust: Trust<'_>,
) -> Result<Option<Choice>, (String, RealmFault)> {
    let mut refused = Ok(None);
    for challenge in challenge::by_preference(headers) {
        let Challenge::Bearer {
            realm,
            service,
            scope,
        } = challenge
        else {
            let method = Method::Basic;
            return Ok(Some(Choice {
                method,
                scope: None,
            }));
        };
        match Realm::accept(&realm, service, base, trust) {
            Ok(realm) => {
                let method = Method::Bearer(realm);
                return Ok(Some(Choice { method, scope }));
            }
            Err(fault) => refused = refused.and(Err(fault)),
        }
    }
    refused
}
