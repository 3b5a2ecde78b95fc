// SPDX-License-Identifier: Apache-2.0

//! A policy as the rest of the program sees it.

use super::fields::{Fields, InvalidField};
use super::gates::Gates;
use super::prune::Retention;
use super::rules;
use crate::api::image_policy::{ImagePolicySpec, Retain};
use crate::api::metadata::object_name;
use crate::api::{ImagePolicy, ObjectName};
use crate::policy::TagGlob;
use crate::policy::select::Rules;

/// Most tags that one rule keeps.
const NEWEST: i32 = 10_000;
/// Most globs in `retain.keepTags`.
const KEPT_TAGS: usize = 32;

/// A policy whose spec was found valid.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name.
    pub name: ObjectName,
    /// Which tags it selects; None where it only checks.
    pub rules: Option<Rules>,
    /// What an image must prove; None where it only selects.
    pub gates: Option<Gates>,
    /// What pruning keeps.
    pub retain: Option<Retention>,
}

impl Policy {
    /// Makes a policy from the spec that a person wrote, or says everything that is wrong with it.
    pub fn validate(policy: &ImagePolicy) -> Result<Self, Vec<InvalidField>> {
        let ImagePolicySpec {
            select,
            min_age: _,
            verify: _,
            require: _,
            retain,
            mode: _,
            suspend: _,
        } = &policy.spec;
        let mut fields = Fields::default();
        let name = fields.accept("metadata.name", object_name(&policy.metadata));
        if says_nothing(&policy.spec) {
            fields.refuse(
                "spec",
                "says nothing: write select, minAge, verify, require or retain",
            );
        }
        let gates = Gates::read(&policy.spec, &mut fields);
        let rules = select.as_ref();
        let rules = rules.map(|select| rules::read("spec.select", select, &mut fields));
        let retain = retain.as_ref().map(|retain| retention(retain, &mut fields));
        match name {
            Some(name) if fields.is_valid() => Ok(Self {
                name,
                rules,
                gates,
                retain,
            }),
            Some(_) | None => Err(fields.into_invalid()),
        }
    }
}

/// A policy that neither selects nor checks would look like one that does.
fn says_nothing(spec: &ImagePolicySpec) -> bool {
    let ImagePolicySpec {
        select,
        min_age,
        verify,
        require,
        retain,
        mode: _,
        suspend: _,
    } = spec;
    select.is_none()
        && min_age.is_none()
        && verify.is_empty()
        && require.is_none()
        && retain.is_none()
}

fn retention(retain: &Retain, fields: &mut Fields) -> Retention {
    let Retain {
        keep_newest,
        keep_younger_than,
        keep_tags,
    } = retain;
    fields.check_count("spec.retain.keepTags", keep_tags.len(), 0, KEPT_TAGS);
    Retention {
        newest: keep_newest
            .and_then(|count| fields.accept_number("spec.retain.keepNewest", count, 0, NEWEST)),
        younger_than: *keep_younger_than,
        tags: fields.accept_all("spec.retain.keepTags", keep_tags, TagGlob::parse),
    }
}
