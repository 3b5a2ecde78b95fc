// SPDX-License-Identifier: Apache-2.0

//! Whom the policies of a mirror trust: their public keys and trusted roots, from Secrets.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;

use super::secrets::{FindSecret, InvalidReach, ReachError};
use crate::api::ObjectName;
use crate::api::secret::TRUSTED_ROOT_KEY;
use crate::plan::gates::{AuthorityKind, AuthorityRule};
use crate::plan::{Mirror, Policy};
use crate::signature::Authority;

/// The authorities of policies.
#[derive(Clone, Debug, Default)]
pub struct Authorities(BTreeMap<ObjectName, Vec<Authority>>);

// === impl Authorities ===

impl Authorities {
    /// Reads what the policies of a mirror name; otherwise says which fields name what cannot be used.
    pub fn read<F: FindSecret>(
        mirror: &Mirror,
        secrets: &F,
    ) -> Result<Self, Vec<InvalidReach<F::Error>>> {
        let mut authorities = BTreeMap::new();
        let mut invalid = Vec::new();
        for policy in policies(mirror) {
            let mut of_policy = Vec::new();
            for (index, rule) in rules(policy).enumerate() {
                match read(rule, secrets) {
                    Ok(authority) => of_policy.push(authority),
                    Err(source) => invalid.push(InvalidReach {
                        policy: Some(policy.name.clone()),
                        path: path(index, rule),
                        source,
                    }),
                }
            }
            authorities.insert(policy.name.clone(), of_policy);
        }
        if invalid.is_empty() {
            return Ok(Self(authorities));
        }
        Err(invalid)
    }

    /// Those whom a policy trusts; nobody where it is not known.
    pub fn of(&self, policy: &ObjectName) -> &[Authority] {
        self.0.get(policy).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The Secrets that the policies of a mirror name.
pub fn secret_names(mirror: &Mirror) -> impl Iterator<Item = &ObjectName> {
    let rules = policies(mirror).into_iter().flat_map(rules);
    rules.filter_map(|rule| rule.secret().map(|(_, name)| name))
}

/// The policies that ask who vouches for an image, each once.
fn policies(mirror: &Mirror) -> Vec<&Policy> {
    let entries = mirror.images.iter();
    let all = entries.flat_map(|entry| &entry.policies);
    let mut policies: Vec<&Policy> = Vec::new();
    for policy in all {
        let is_known = policies.iter().any(|known| known.name == policy.name);
        if !is_known && rules(policy).next().is_some() {
            policies.push(policy);
        }
    }
    policies
}

fn rules(policy: &Policy) -> impl Iterator<Item = &AuthorityRule> {
    policy.gates.iter().flat_map(|gates| &gates.verify)
}

fn path(index: usize, rule: &AuthorityRule) -> String {
    let field = rule.secret().map_or("keyless", |(field, _)| field);
    format!("spec.verify[{index}].{field}")
}

fn read<F: FindSecret>(
    rule: &AuthorityRule,
    secrets: &F,
) -> Result<Authority, ReachError<F::Error>> {
    let AuthorityRule { name, kind } = rule;
    let text = |secret: &ObjectName, key: &str| {
        let secret = secrets.find(secret).map_err(ReachError::Find)?;
        secret.required_text(key).map_err(ReachError::Secret)
    };
    match kind {
        AuthorityKind::Key { secret, key } => {
            let pem = text(secret, key)?;
            Authority::key(name, pem.expose_secret().as_bytes()).map_err(|source| ReachError::Key {
                name: secret.to_string(),
                key: key.clone(),
                source,
            })
        }
        AuthorityKind::Keyless {
            issuer,
            subject,
            trusted_root,
        } => {
            let root = trusted_root.as_ref();
            let root = root
                .map(|secret| text(secret, TRUSTED_ROOT_KEY))
                .transpose()?;
            let root = root.as_ref().map(|root| root.expose_secret().as_bytes());
            let authority = Authority::keyless(name, issuer, subject, root);
            authority.map_err(|source| match trusted_root {
                Some(secret) => ReachError::Root {
                    name: secret.to_string(),
                    source,
                },
                None => ReachError::Identity(source),
            })
        }
    }
}
