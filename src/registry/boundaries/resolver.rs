// SPDX-License-Identifier: Apache-2.0

//! Names become addresses here, and those that are out of bounds are left out: only what is left is
//! connected to, so that no second answer of the name server can bring them back.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

use super::{Boundaries, OutOfBounds};

/// Resolves names for a client that is bounded.
pub(in crate::registry) struct Resolver(pub(in crate::registry) Arc<Boundaries>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let boundaries = Arc::clone(&self.0);
        Box::pin(async move {
            let found = lookup_host((name.as_str(), 0)).await?;
            let allowed = keep_allowed(&boundaries, name.as_str(), found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The addresses that may be connected to; an error where there are only others.
fn keep_allowed(
    boundaries: &Boundaries,
    name: &str,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, OutOfBounds> {
    let mut allowed = Vec::new();
    let mut refused = None;
    for address in found {
        match boundaries.addresses.judge(address.ip()) {
            Ok(()) => allowed.push(address),
            Err(denied) => refused = Some(denied),
        }
    }
    match refused {
        Some(denied) if allowed.is_empty() => Err(OutOfBounds::Name {
            name: name.to_owned(),
            denied,
        }),
        Some(_) | None => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_bounds_is_left_of_an_answer() {
        let cases: [(&str, &[&str], Result<usize, &str>); 5] = [
            ("public", &["93.184.216.34", "2606:4700::1111"], Ok(2)),
            ("private", &["10.0.0.1"], Ok(1)),
            ("nothing", &[], Ok(0)),
            ("one of both", &["127.0.0.1", "10.0.0.1", "::1"], Ok(1)),
            (
                "nothing that is left",
                &["::ffff:169.254.169.254"],
                Err(
                    "r.test leads to 169.254.169.254 (the metadata service of a cloud), which is out of bounds: \
                     if it is meant, the operator has to open it with --allow-addresses",
                ),
            ),
        ];
        for (name, addresses, expected) in cases {
            let addresses = addresses
                .iter()
                .map(|address| SocketAddr::new(address.parse().unwrap(), 0));
            let kept = keep_allowed(&Boundaries::default(), "r.test", addresses);
            let kept = kept
                .map(|kept| kept.len())
                .map_err(|error| error.to_string());
            assert_eq!(kept, expected.map_err(str::to_owned), "{name}");
        }
    }
}
