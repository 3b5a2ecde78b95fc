//! A policy as the rest of the program sees it.

use super::fields::{Fields, InvalidField};
use super::gates::Gates;
use super::prune::Retention;
use crate::api::image_policy::{ImagePolicySpec, NewestSelect, Retain, Select, SemverSelect};
use crate::api::metadata::object_name;
use crate::api::{ImagePolicy, ObjectName};
use crate::policy::select::{Newest, Rules, Versions};
use crate::policy::{Pattern, Range, TagGlob};

/// Most patterns in `include` and in `exclude`.
const PATTERNS: usize = 16;
/// Most tags that one rule keeps.
const NEWEST: i32 = 10_000;
/// Highest limit.
const LIMIT: i32 = 100_000;
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
        let rules = select.as_ref().map(|select| rules(select, &mut fields));
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

fn rules(select: &Select, fields: &mut Fields) -> Rules {
    let Select {
        include,
        exclude,
        semver,
        newest,
        limit,
    } = select;
    if *select == Select::default() {
        fields.refuse(
            "spec.select",
            "has no rule: write include: [\".*\"] to select every tag",
        );
    }
    fields.check_count("spec.select.include", include.len(), 0, PATTERNS);
    fields.check_count("spec.select.exclude", exclude.len(), 0, PATTERNS);
    Rules {
        include: fields.accept_all("spec.select.include", include, Pattern::parse),
        exclude: fields.accept_all("spec.select.exclude", exclude, Pattern::parse),
        versions: semver.as_ref().and_then(|semver| versions(semver, fields)),
        newest: newest.as_ref().and_then(|rule| newest_rule(rule, fields)),
        limit: limit.and_then(|limit| fields.accept_number("spec.select.limit", limit, 1, LIMIT)),
    }
}

fn versions(semver: &SemverSelect, fields: &mut Fields) -> Option<Versions> {
    let SemverSelect { range, prereleases } = semver;
    Some(Versions {
        range: fields.accept("spec.select.semver.range", Range::parse(range))?,
        prereleases: *prereleases,
    })
}

fn newest_rule(newest: &NewestSelect, fields: &mut Fields) -> Option<Newest> {
    let NewestSelect { count, by, per } = newest;
    Some(Newest {
        count: fields.accept_number("spec.select.newest.count", *count, 1, NEWEST)?,
        by: *by,
        per: *per,
    })
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
