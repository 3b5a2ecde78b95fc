//! What a policy asks for, parsed once.

use std::collections::BTreeMap;

use crate::api::image_policy::{self as written, ImagePolicySpec, PolicyMode, RequiredUser};
use crate::oci::Platform;
use crate::plan::fields::Fields;
use crate::policy::{Duration, TagGlob, TextGlob};

use super::size::Size;

/// Most platforms, labels and tags in a list.
const ITEMS: usize = 32;
/// Longest value of a label.
const VALUE_LENGTH: usize = 256;

/// What an image must prove.
#[derive(Clone, Debug)]
pub struct Gates {
    /// How long its digest must have been seen.
    pub min_age: Option<Duration>,
    /// What it must be like.
    pub require: Option<Require>,
    /// Whether it is kept out, or only reported.
    pub mode: PolicyMode,
}

/// What an image must be like; all of it must hold.
#[derive(Clone, Debug)]
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
}

// === impl Gates ===

impl Gates {
    /// The gates of a policy; nothing where it has none.
    pub(in crate::plan) fn read(spec: &ImagePolicySpec, fields: &mut Fields) -> Option<Self> {
        let ImagePolicySpec {
            select: _,
            min_age,
            verify: _,
            require,
            retain: _,
            mode,
            suspend: _,
        } = spec;
        let require = require
            .as_ref()
            .map(|require| Require::read(require, fields));
        if min_age.is_none() && require.is_none() {
            return None;
        }
        Some(Self {
            min_age: *min_age,
            require,
            mode: *mode,
        })
    }

    /// Whether an image must be looked at, rather than only its name and its time.
    pub fn needs_image(&self) -> bool {
        self.require.as_ref().is_some_and(Require::needs_image)
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
            vulnerabilities: _,
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
        } = self;
        user.is_some()
            || max_size.is_some()
            || max_age.is_some()
            || !platforms.is_empty()
            || !labels.is_empty()
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
