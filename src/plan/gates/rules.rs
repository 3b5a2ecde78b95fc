// SPDX-License-Identifier: Apache-2.0

//! What a policy asks for, parsed once.

use std::collections::BTreeMap;

use crate::api::ObjectName;
use crate::api::image_policy::{
    self as written, AuthorityType, ImagePolicySpec, PolicyMode, RequiredUser, Vulnerabilities,
};
use crate::oci::Platform;
use crate::plan::fields::Fields;
use crate::policy::{Duration, TagGlob, TextGlob};

use super::size::Size;

/// Most platforms, labels and tags in a list.
const ITEMS: usize = 32;
/// Most authorities.
const AUTHORITIES: usize = 8;
/// Longest name of an authority: a DNS label.
const AUTHORITY_NAME_LENGTH: usize = 63;
/// Longest issuer and subject.
const IDENTITY_LENGTH: usize = 512;
/// Longest value of a label.
const VALUE_LENGTH: usize = 256;

/// What an image must prove.
#[derive(Clone, Debug)]
pub struct Gates {
    /// How long its digest must have been seen.
    pub min_age: Option<Duration>,
    /// Who must vouch for it: any one of them; nobody has to where empty.
    pub verify: Vec<AuthorityRule>,
    /// What it must be like.
    pub require: Option<Require>,
    /// Whether it is kept out, or only reported.
    pub mode: PolicyMode,
}

/// Someone whose signature makes an image acceptable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityRule {
    /// The name, unique in the policy.
    pub name: String,
    /// How they sign.
    pub kind: AuthorityKind,
}

/// How an authority signs. The names are those of Secrets in the policy's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorityKind {
    /// With the private key to a public key.
    Key {
        /// The Secret with the public key.
        secret: ObjectName,
        /// Its key in the Secret.
        key: String,
    },
    /// With a short-lived certificate.
    Keyless {
        /// Who vouches for the identity.
        issuer: String,
        /// The identity.
        subject: TextGlob,
        /// The Secret with the trusted root; the public good instance without it.
        trusted_root: Option<ObjectName>,
    },
}

/// What an image must be like; all of it must hold.
#[derive(Clone, Debug, Default)]
pub struct Require {
    /// The user that it runs as.
    pub user: Option<RequiredUser>,
    /// Largest size of one platform.
    pub max_size: Option<Size>,
    /// Longest time since it was built.
    pub max_age: Option<Duration>,
    /// Platforms that it must have.
    pub platforms: Vec<Platform>,
    /// Labels and what their values must match.
    pub labels: BTreeMap<String, TextGlob>,
    /// Tags that are never copied.
    pub deny_tags: Vec<TagGlob>,
    /// Known vulnerabilities that are acceptable, by a scan that an authority signed.
    pub vulnerabilities: Option<Vulnerabilities>,
}

// === impl Gates ===

impl Gates {
    /// The gates of a policy; nothing where it has none.
    pub(in crate::plan) fn read(spec: &ImagePolicySpec, fields: &mut Fields) -> Option<Self> {
        let ImagePolicySpec {
            select: _,
            min_age,
            verify,
            require,
            retain: _,
            mode,
            suspend: _,
        } = spec;
        let require = require
            .as_ref()
            .map(|require| Require::read(require, fields));
        let scans = require
            .as_ref()
            .and_then(|require| require.vulnerabilities.as_ref());
        if scans.is_some() && verify.is_empty() {
            fields.refuse(
                "spec.require.vulnerabilities",
                "needs spec.verify, which says whose scans are believed: add the authority that signs them",
            );
        }
        if min_age.is_none() && verify.is_empty() && require.is_none() {
            return None;
        }
        Some(Self {
            min_age: *min_age,
            verify: read_authorities(verify, fields),
            require,
            mode: *mode,
        })
    }

    /// What they ask of the name of an image; nothing where they ask nothing of it.
    pub fn of_tags(&self) -> Option<Self> {
        let deny_tags = &self.require.as_ref()?.deny_tags;
        let require = Require {
            deny_tags: deny_tags.clone(),
            ..Require::default()
        };
        (!deny_tags.is_empty()).then_some(Self {
            min_age: None,
            verify: Vec::new(),
            require: Some(require),
            mode: self.mode,
        })
    }

    /// Whether an image must be looked at, rather than only its name and its time.
    pub fn needs_image(&self) -> bool {
        self.require.as_ref().is_some_and(Require::needs_image)
    }

    /// Whether signed scans must be looked for.
    pub fn needs_scans(&self) -> bool {
        let require = self.require.as_ref();
        require.is_some_and(|require| require.vulnerabilities.is_some())
    }
}

// === impl Require ===

impl Require {
    fn read(require: &written::Require, fields: &mut Fields) -> Self {
        let written::Require {
            user,
            max_size,
            max_age,
            platforms,
            labels,
            deny_tags,
            vulnerabilities,
        } = require;
        if *require == written::Require::default() {
            fields.refuse(
                "spec.require",
                "has no rule: write user, maxSize, maxAge, platforms, labels, denyTags or vulnerabilities",
            );
        }
        fields.check_count("spec.require.platforms", platforms.len(), 0, ITEMS);
        fields.check_count("spec.require.labels", labels.len(), 0, ITEMS);
        fields.check_count("spec.require.denyTags", deny_tags.len(), 0, ITEMS);
        Self {
            user: *user,
            max_size: max_size
                .as_ref()
                .and_then(|size| fields.accept("spec.require.maxSize", size.parse())),
            max_age: *max_age,
            platforms: fields.accept_all("spec.require.platforms", platforms, str::parse),
            labels: read_labels(labels, fields),
            deny_tags: fields.accept_all("spec.require.denyTags", deny_tags, TagGlob::parse),
            vulnerabilities: vulnerabilities.clone(),
        }
    }

    fn needs_image(&self) -> bool {
        let Self {
            user,
            max_size,
            max_age,
            platforms,
            labels,
            deny_tags: _,
            vulnerabilities: _,
        } = self;
        user.is_some()
            || max_size.is_some()
            || max_age.is_some()
            || !platforms.is_empty()
            || !labels.is_empty()
    }
}

// === authorities ===

fn read_authorities(authorities: &[written::Authority], fields: &mut Fields) -> Vec<AuthorityRule> {
    fields.check_count("spec.verify", authorities.len(), 0, AUTHORITIES);
    fields.refuse_repeats(authorities.iter().enumerate().map(|(index, authority)| {
        (
            format!("spec.verify[{index}].name"),
            authority.name.as_str(),
        )
    }));
    let authorities = authorities.iter().enumerate();
    authorities
        .filter_map(|(index, authority)| {
            AuthorityRule::read(&format!("spec.verify[{index}]"), authority, fields)
        })
        .collect()
}

impl AuthorityRule {
    fn read(path: &str, authority: &written::Authority, fields: &mut Fields) -> Option<Self> {
        let written::Authority {
            name,
            r#type,
            key,
            keyless,
        } = authority;
        if name.is_empty() || name.len() > AUTHORITY_NAME_LENGTH {
            fields.refuse(
                format!("{path}.name"),
                format_args!("must have 1 to {AUTHORITY_NAME_LENGTH} characters"),
            );
        }
        let mut misplaced = |field: &str, r#type: &str| {
            fields.refuse(
                format!("{path}.{field}"),
                format_args!("is needed with type: {type}, and only there"),
            );
        };
        let kind = match (r#type, key, keyless) {
            (AuthorityType::Key, Some(key), None) => AuthorityKind::Key {
                secret: key.secret_ref.name.clone(),
                key: key.secret_ref.key.clone(),
            },
            (AuthorityType::Keyless, None, Some(keyless)) => {
                read_keyless(&format!("{path}.keyless"), keyless, fields)
            }
            (AuthorityType::Key, Some(_), Some(_)) | (AuthorityType::Keyless, None, None) => {
                misplaced("keyless", "Keyless");
                return None;
            }
            (AuthorityType::Key, None, _) | (AuthorityType::Keyless, Some(_), _) => {
                misplaced("key", "Key");
                return None;
            }
        };
        Some(Self {
            name: name.clone(),
            kind,
        })
    }

    /// The Secret that is needed, with the field that names it, below that of the authority.
    pub fn secret(&self) -> Option<(&'static str, &ObjectName)> {
        match &self.kind {
            AuthorityKind::Key { secret, .. } => Some(("key.secretRef.name", secret)),
            AuthorityKind::Keyless { trusted_root, .. } => {
                Some(("keyless.trustedRootRef.name", trusted_root.as_ref()?))
            }
        }
    }
}

fn read_keyless(
    path: &str,
    keyless: &written::KeylessAuthority,
    fields: &mut Fields,
) -> AuthorityKind {
    let written::KeylessAuthority {
        issuer,
        subject,
        trusted_root_ref,
    } = keyless;
    for (field, text, example) in [
        ("issuer", issuer, "https://accounts.google.com"),
        ("subject", subject, "https://github.com/acme/*"),
    ] {
        if text.is_empty() || text.len() > IDENTITY_LENGTH {
            fields.refuse(
                format!("{path}.{field}"),
                format_args!("must have 1 to {IDENTITY_LENGTH} characters, such as {example}"),
            );
        }
    }
    if !subject.is_empty() && subject.chars().all(|character| character == '*') {
        fields.refuse(
            format!("{path}.subject"),
            "stands for everyone whom the issuer knows: write who must have signed, such as https://github.com/acme/*",
        );
    }
    AuthorityKind::Keyless {
        issuer: issuer.clone(),
        subject: TextGlob::new(subject),
        trusted_root: trusted_root_ref
            .as_ref()
            .map(|reference| reference.name.clone()),
    }
}

fn read_labels(
    labels: &BTreeMap<String, String>,
    fields: &mut Fields,
) -> BTreeMap<String, TextGlob> {
    for (key, value) in labels {
        if value.len() > VALUE_LENGTH {
            let found = value.len();
            fields.refuse(
                format!("spec.require.labels[{key}]"),
                format_args!("has {found} bytes, at most {VALUE_LENGTH} are allowed"),
            );
        }
    }
    let globs = labels.iter();
    globs
        .map(|(key, value)| (key.clone(), TextGlob::new(value)))
        .collect()
}
