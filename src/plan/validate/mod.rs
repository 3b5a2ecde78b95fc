// SPDX-License-Identifier: Apache-2.0

//! From the spec that a person wrote to a [`Mirror`], or to everything that is wrong with it.

mod access;
mod creation;
mod destinations;
#[cfg(test)]
pub(crate) mod documents;
mod execution;
mod images;
mod naming;
#[cfg(test)]
mod refusals;
mod tags;
#[cfg(test)]
mod tests;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use self::access::Written;
use self::destinations::validate_destinations;
use self::execution::validate_execution;
use self::images::{Own, resolve_policies, validate_images};
use super::fields::{Fields, InvalidField};
use super::mirror::{ImmutableTags, Mirror, Platforms, Pruning, ReferrerTypes, Referrers, Source};
use crate::api::annotations::APPROVE_PRUNE;
use crate::api::image_mirror::{
    self as written, CronSchedule, ImageMirrorSpec, PlatformsMode, Prune, ReferrersMode,
};
use crate::api::metadata::{namespace, object_name};
use crate::api::{Attestations, ImageMirror, ImagePolicy, IndexMode};
use crate::policy::schedule::{CronTimes, Interval};
use crate::policy::{Duration, Schedule, TagGlob};

/// Most platforms in a list.
const PLATFORMS: usize = 32;
/// Most types of referrers in a list, and the longest one.
const ARTIFACT_TYPES: usize = 32;
const ARTIFACT_TYPE_LENGTH: usize = 255;
/// Shortest time between two looks at what refers to an image.
const SHORTEST_RECHECK: Duration = Duration::from_secs(60);
/// Most globs of immutable tags.
const IMMUTABLE_TAGS: usize = 32;
/// Shortest time between two looks at an immutable tag, and that where none is written.
const SHORTEST_VERIFY_INTERVAL: Duration = Duration::from_secs(60 * 60);
const DEFAULT_VERIFY_INTERVAL: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Interval where neither interval nor schedule is written.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// Shortest time from a push to its copy that can be promised.
const SHORTEST_FRESHNESS: Duration = Duration::from_secs(30);
/// Shortest timeout.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
/// Most that `prune.maxDeletes` can say.
const MOST_DELETES: i32 = 100_000;

/// Makes a mirror from its spec and the policies among which it finds its own, those of its namespace.
/// Otherwise says everything that is wrong.
pub fn validate(
    mirror: &ImageMirror,
    policies: &[&ImagePolicy],
) -> Result<Mirror, Vec<InvalidField>> {
    let (metadata, spec) = (&mirror.metadata, &mirror.spec);
    let ImageMirrorSpec {
        source,
        images,
        policy_refs,
        destinations,
        platforms,
        referrers,
        tag_mutability,
        immutable_tags,
        verify_interval,
        prune,
        interval,
        schedule,
        freshness,
        timeout,
        execution,
        suspend,
    } = spec;
    let own = &of_namespace(policies, namespace(metadata));
    let own = Own {
        namespace: namespace(metadata),
        policies: own,
    };
    let mut fields = Fields::default();
    let name = fields.accept("metadata.name", object_name(metadata));
    let source = validate_source(source, &mut fields);
    let shared = resolve_policies("spec.policyRefs", policy_refs, own, &mut fields);
    let images = validate_images(images, source.as_ref(), &shared, own, &mut fields);
    let destinations = validate_destinations(destinations, &mut fields);
    let platforms = validate_platforms(platforms, &mut fields);
    let referrers = validate_referrers(referrers, &mut fields);
    let immutable = validate_immutable(immutable_tags, *verify_interval, &mut fields);
    let prune = validate_prune(prune, metadata, &mut fields);
    let schedule = validate_schedule(*interval, schedule.as_ref(), &mut fields);
    let execution = validate_execution(execution, &mut fields);
    check_times(*timeout, *freshness, &mut fields);

    match (name, source, schedule) {
        (Some(name), Some(source), Some(schedule)) if fields.is_valid() => Ok(Mirror {
            name: format!("{}/{name}", namespace(metadata)),
            namespace: namespace(metadata).to_owned(),
            uid: metadata.uid.clone(),
            created: metadata.creation_timestamp.as_ref().map(|time| time.0),
            order: 0,
            source,
            images,
            destinations,
            platforms,
            referrers,
            tag_mutability: *tag_mutability,
            immutable,
            schedule,
            prune,
            timeout: *timeout,
            execution,
            suspend: *suspend,
        }),
        (Some(_) | None, _, _) => Err(fields.into_invalid()),
    }
}

/// The policies of a namespace.
fn of_namespace<'a>(policies: &[&'a ImagePolicy], name: &str) -> Vec<&'a ImagePolicy> {
    let own = policies
        .iter()
        .filter(|policy| namespace(&policy.metadata) == name);
    own.copied().collect()
}

fn check_times(timeout: Duration, freshness: Option<Duration>, fields: &mut Fields) {
    if timeout < SHORTEST_TIMEOUT {
        fields.refuse(
            "spec.timeout",
            format_args!("is {timeout}, the shortest is {SHORTEST_TIMEOUT}"),
        );
    }
    if let Some(short) = freshness.filter(|freshness| *freshness < SHORTEST_FRESHNESS) {
        fields.refuse(
            "spec.freshness",
            format_args!("is {short}, the shortest is {SHORTEST_FRESHNESS}"),
        );
    }
}

fn validate_source(source: &written::Source, fields: &mut Fields) -> Option<Source> {
    let written::Source {
        registry,
        provider,
        service_account_name,
        secret_ref,
        cert_secret_ref,
        proxy_secret_ref,
        insecure,
    } = source;
    let (registry, access) = Written {
        registry,
        provider: *provider,
        service_account: service_account_name.as_ref(),
        secrets: [secret_ref, cert_secret_ref, proxy_secret_ref],
        insecure: *insecure,
    }
    .accept("spec.source", fields)?;
    Some(Source { registry, access })
}

fn validate_platforms(platforms: &written::Platforms, fields: &mut Fields) -> Platforms {
    let written::Platforms {
        mode,
        list,
        absent,
        index,
        attestations,
    } = platforms;
    if *index == IndexMode::Unwrap && (*mode == PlatformsMode::All || list.len() > 1) {
        fields.refuse(
            "spec.platforms.index",
            "Unwrap is for one platform: write mode: List and one of them in list",
        );
    }
    match mode {
        PlatformsMode::All => {
            if !list.is_empty() {
                fields.refuse("spec.platforms.list", "is only used with mode: List");
            }
            match attestations {
                Attestations::Copy => Platforms::All,
                Attestations::Skip => Platforms::List {
                    platforms: Vec::new(),
                    absent: *absent,
                    index: *index,
                    attestations: *attestations,
                },
            }
        }
        PlatformsMode::List => {
            fields.check_count("spec.platforms.list", list.len(), 1, PLATFORMS);
            fields.refuse_repeats(list.iter().enumerate().map(|(index, platform)| {
                (format!("spec.platforms.list[{index}]"), platform.as_str())
            }));
            Platforms::List {
                platforms: fields.accept_all("spec.platforms.list", list, str::parse),
                absent: *absent,
                index: *index,
                attestations: *attestations,
            }
        }
    }
}

fn validate_referrers(referrers: &written::Referrers, fields: &mut Fields) -> Referrers {
    let written::Referrers {
        mode,
        artifact_types,
        recheck,
    } = referrers;
    let path = "spec.referrers.artifactTypes";
    fields.check_count(path, artifact_types.len(), 0, ARTIFACT_TYPES);
    fields.refuse_repeats(
        artifact_types
            .iter()
            .enumerate()
            .map(|(index, name)| (format!("{path}[{index}]"), name.as_str())),
    );
    let mut types = fields.accept_all(path, artifact_types, artifact_type);
    types.sort_unstable();
    if *mode == ReferrersMode::Skip && !artifact_types.is_empty() {
        fields.refuse(path, "is only used with mode: Copy");
    }
    if *recheck < SHORTEST_RECHECK {
        fields.refuse(
            "spec.referrers.recheck",
            format_args!("is {recheck}, the shortest is {SHORTEST_RECHECK}"),
        );
    }
    Referrers {
        types: match mode {
            ReferrersMode::Skip => ReferrerTypes::None,
            ReferrersMode::Copy if types.is_empty() => ReferrerTypes::All,
            ReferrersMode::Copy => ReferrerTypes::Only(types.into()),
        },
        recheck: *recheck,
    }
}

fn validate_immutable(
    tags: &[String],
    verify_interval: Option<Duration>,
    fields: &mut Fields,
) -> ImmutableTags {
    let path = "spec.immutableTags";
    fields.check_count(path, tags.len(), 0, IMMUTABLE_TAGS);
    fields.refuse_repeats(
        tags.iter()
            .enumerate()
            .map(|(index, tag)| (format!("{path}[{index}]"), tag.as_str())),
    );
    if let Some(short) = verify_interval.filter(|interval| *interval < SHORTEST_VERIFY_INTERVAL) {
        fields.refuse(
            "spec.verifyInterval",
            format_args!("is {short}, the shortest is {SHORTEST_VERIFY_INTERVAL}"),
        );
    }
    if verify_interval.is_some() && tags.is_empty() {
        fields.refuse("spec.verifyInterval", "is only used with immutableTags");
    }
    ImmutableTags {
        tags: fields.accept_all(path, tags, TagGlob::parse),
        verify_interval: verify_interval.unwrap_or(DEFAULT_VERIFY_INTERVAL),
    }
}

/// The type of a referrer: a media type without parameters (RFC 6838).
fn artifact_type(text: &str) -> Result<String, String> {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name
                .chars()
                .all(|next| next.is_ascii_alphanumeric() || "!#$&^_.+-".contains(next))
    };
    let is_whole = text.len() <= ARTIFACT_TYPE_LENGTH
        && text
            .split_once('/')
            .is_some_and(|(kind, name)| is_name(kind) && is_name(name));
    if is_whole {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not an artifact type: write one such as application/spdx+json"
    ))
}

/// What does not name a plan approves none.
fn validate_prune(prune: &Prune, metadata: &ObjectMeta, fields: &mut Fields) -> Pruning {
    let Prune {
        mode,
        grace,
        max_deletes,
        max_percent,
        in_use,
        adopted,
    } = prune;
    let deletes = fields.accept_number("spec.prune.maxDeletes", *max_deletes, 0, MOST_DELETES);
    let percent = fields.accept_number("spec.prune.maxPercent", *max_percent, 0, 100);
    let annotations = metadata.annotations.as_ref();
    let approved = annotations.and_then(|annotations| annotations.get(APPROVE_PRUNE));
    Pruning {
        mode: *mode,
        grace: *grace,
        max_deletes: deletes.unwrap_or_default(),
        max_percent: percent.unwrap_or_default(),
        in_use: *in_use,
        adopted: *adopted,
        approved: approved.and_then(|text| text.trim().parse().ok()),
    }
}

fn validate_schedule(
    interval: Option<Duration>,
    schedule: Option<&CronSchedule>,
    fields: &mut Fields,
) -> Option<Schedule> {
    match (interval, schedule) {
        (Some(_), Some(_)) => {
            fields.refuse(
                "spec.schedule",
                "cannot be combined with interval: remove one of them",
            );
            None
        }
        (None, Some(CronSchedule { cron, time_zone })) => {
            let times = CronTimes::parse(cron, time_zone);
            fields
                .accept("spec.schedule", times)
                .map(|times| Schedule::Cron(Box::new(times)))
        }
        (interval, None) => {
            let interval = Interval::new(interval.unwrap_or(DEFAULT_INTERVAL));
            fields
                .accept("spec.interval", interval)
                .map(Schedule::Every)
        }
    }
}
