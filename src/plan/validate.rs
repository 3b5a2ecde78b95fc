//! From the spec that a person wrote to a [`Mirror`], or to everything that is wrong with it.

use std::sync::Arc;

use super::fields::{Fields, InvalidField};
use super::mirror::{
    Access, Destination, ImageEntry, Mirror, Platforms, RepositorySelector, Source, TagSelector,
};
use super::policy::Policy;
use super::template::{PreviousTagTemplate, RepositoryTemplate, TagTemplate};
use super::unsupported::refuse_pruning;
use crate::api::image_mirror::{
    self as written, CronSchedule, ImageMirrorSpec, PlatformsMode, Prune,
};
use crate::api::{ImageMirror, ImagePolicy, LocalObjectReference};
use crate::oci::names::NameError;
use crate::oci::{Registry, Repository};
use crate::policy::schedule::{CronTimes, Interval};
use crate::policy::{Duration, RepositoryGlob, Schedule, TagGlob};

/// Most entries in `images`.
const IMAGES: usize = 256;
/// Most tags of one entry.
const TAGS: usize = 256;
/// Most policies of a mirror, and of one entry.
const POLICIES: usize = 8;
/// Most destinations.
const DESTINATIONS: usize = 8;
/// Longest name of a destination.
const DESTINATION_NAME_LENGTH: usize = 63;
/// Most tag templates of one destination.
const TAG_TEMPLATES: usize = 4;
/// Most platforms in a list.
const PLATFORMS: usize = 32;
/// Interval where neither interval nor schedule is written.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60 * 60);
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
    let ImageMirror { metadata, spec } = mirror;
    let ImageMirrorSpec {
        source,
        images,
        policy_refs,
        destinations,
        platforms,
        referrers,
        tag_mutability,
        prune,
        interval,
        schedule,
        timeout,
        suspend,
    } = spec;
    let own: Vec<&ImagePolicy> = policies
        .iter()
        .filter(|policy| policy.metadata.namespace == metadata.namespace)
        .copied()
        .collect();

    let mut fields = Fields::default();
    let source = validate_source(source, &mut fields);
    let shared = resolve_policies("spec.policyRefs", policy_refs, &own, &mut fields);
    let images = validate_images(images, source.as_ref(), &shared, &own, &mut fields);
    let destinations = validate_destinations(destinations, &mut fields);
    let platforms = validate_platforms(platforms, &mut fields);
    validate_prune(prune, &mut fields);
    let schedule = validate_schedule(*interval, schedule.as_ref(), &mut fields);
    if *timeout < SHORTEST_TIMEOUT {
        fields.refuse(
            "spec.timeout",
            format_args!("is {timeout}, the shortest is {SHORTEST_TIMEOUT}"),
        );
    }

    match (source, schedule) {
        (Some(source), Some(schedule)) if fields.is_valid() => Ok(Mirror {
            name: format!("{}/{}", metadata.namespace, metadata.name),
            namespace: metadata.namespace.clone(),
            source,
            images,
            destinations,
            platforms,
            referrers: *referrers,
            tag_mutability: *tag_mutability,
            schedule,
            timeout: *timeout,
            suspend: *suspend,
        }),
        (Some(_) | None, _) => Err(fields.into_invalid()),
    }
}

fn validate_source(source: &written::Source, fields: &mut Fields) -> Option<Source> {
    let written::Source {
        registry,
        secret_ref,
        cert_secret_ref,
        proxy_secret_ref,
        insecure,
    } = source;
    let access = access([secret_ref, cert_secret_ref, proxy_secret_ref], *insecure);
    let registry = fields.accept("spec.source.registry", registry.parse())?;
    Some(Source { registry, access })
}

fn access(secrets: [&Option<LocalObjectReference>; 3], insecure: bool) -> Access {
    let [secret, cert_secret, proxy_secret] =
        secrets.map(|reference| reference.as_ref().map(|reference| reference.name.clone()));
    Access {
        secret,
        cert_secret,
        proxy_secret,
        insecure,
    }
}

// === images ===

fn validate_images(
    images: &[written::Image],
    source: Option<&Source>,
    shared: &[Arc<Policy>],
    own: &[&ImagePolicy],
    fields: &mut Fields,
) -> Vec<ImageEntry> {
    fields.check_count("spec.images", images.len(), 1, IMAGES);
    let entries: Vec<ImageEntry> = images
        .iter()
        .enumerate()
        .filter_map(|(index, image)| {
            let path = format!("spec.images[{index}]");
            validate_image(&path, image, source, shared, own, fields)
        })
        .collect();
    let repositories: Vec<String> = entries
        .iter()
        .map(|entry| entry.repository.to_string())
        .collect();
    if repositories.len() == images.len() {
        fields.refuse_repeats(repositories.iter().enumerate().map(|(index, repository)| {
            (
                format!("spec.images[{index}].repository"),
                repository.as_str(),
            )
        }));
    }
    entries
}

fn validate_image(
    path: &str,
    image: &written::Image,
    source: Option<&Source>,
    shared: &[Arc<Policy>],
    own: &[&ImagePolicy],
    fields: &mut Fields,
) -> Option<ImageEntry> {
    let written::Image {
        repository,
        tags,
        policy_refs,
    } = image;
    let registry = source.map(|source| &source.registry);
    let repository =
        validate_repository(&format!("{path}.repository"), repository, registry, fields);

    let tags_path = format!("{path}.tags");
    fields.check_count(&tags_path, tags.len(), 0, TAGS);
    fields.refuse_repeats(
        tags.iter()
            .enumerate()
            .map(|(index, tag)| (format!("{tags_path}[{index}]"), tag.as_str())),
    );
    let selectors = validate_tags(&tags_path, tags, fields);

    let mut policies = shared.to_vec();
    let refs_path = format!("{path}.policyRefs");
    for policy in resolve_policies(&refs_path, policy_refs, own, fields) {
        if !policies.iter().any(|known| known.name == policy.name) {
            policies.push(policy);
        }
    }
    let selects = policies.iter().any(|policy| policy.rules.is_some());
    if tags.is_empty() && !selects && fields.is_valid() {
        fields.refuse(
            path,
            "has neither tags nor a policy with select: write tags: [\"*\"] to copy every tag",
        );
    }
    Some(ImageEntry {
        repository: repository?,
        tags: selectors,
        policies,
    })
}

fn validate_repository(
    path: &str,
    text: &str,
    registry: Option<&Registry>,
    fields: &mut Fields,
) -> Option<RepositorySelector> {
    if let Some((repository, tag)) = text.split_once(':') {
        fields.refuse(
            path,
            format_args!(
                "{text:?} contains a tag: write the repository {repository:?}, and {tag:?} in tags"
            ),
        );
        return None;
    }
    if let Some((first, rest)) = text.split_once('/')
        && registry.is_some_and(|registry| registry.as_str() == first)
    {
        fields.refuse(
            path,
            format_args!("{text:?} repeats the registry: write {rest:?}"),
        );
        return None;
    }
    if !RepositoryGlob::is_literal(text) {
        let glob = fields.accept(path, RepositoryGlob::parse(text))?;
        return Some(RepositorySelector::Glob(glob));
    }
    let parsed = text
        .parse()
        .and_then(|repository| in_library(repository, registry));
    fields.accept(path, parsed).map(RepositorySelector::Literal)
}

/// Docker Hub's own images are written without their namespace.
fn in_library(
    repository: Repository,
    registry: Option<&Registry>,
) -> Result<Repository, NameError> {
    if registry.is_some_and(Registry::is_docker_hub) && repository.namespace().is_empty() {
        return format!("library/{repository}").parse();
    }
    Ok(repository)
}

fn validate_tags(path: &str, tags: &[String], fields: &mut Fields) -> Vec<TagSelector> {
    let mut selectors = Vec::new();
    for (index, text) in tags.iter().enumerate() {
        let path = format!("{path}[{index}]");
        selectors.extend(if TagGlob::is_literal(text) {
            fields.accept(path, text.parse()).map(TagSelector::Literal)
        } else {
            fields
                .accept(path, TagGlob::parse(text))
                .map(TagSelector::Glob)
        });
    }
    selectors
}

// === policies ===

fn resolve_policies(
    path: &str,
    references: &[LocalObjectReference],
    own: &[&ImagePolicy],
    fields: &mut Fields,
) -> Vec<Arc<Policy>> {
    fields.check_count(path, references.len(), 0, POLICIES);
    fields.refuse_repeats(
        references
            .iter()
            .enumerate()
            .map(|(index, reference)| (format!("{path}[{index}].name"), reference.name.as_str())),
    );
    let mut resolved = Vec::new();
    for (index, LocalObjectReference { name }) in references.iter().enumerate() {
        let path = format!("{path}[{index}].name");
        let Some(policy) = own.iter().find(|policy| policy.metadata.name == *name) else {
            fields.not_ready(
                path,
                format_args!(
                    "there is no ImagePolicy {name:?} in the namespace",
                    name = name.as_str()
                ),
            );
            continue;
        };
        if policy.spec.suspend {
            fields.not_ready(
                path,
                format_args!("ImagePolicy {:?} is suspended", name.as_str()),
            );
            continue;
        }
        match Policy::validate(policy) {
            Ok(policy) => resolved.push(Arc::new(policy)),
            Err(invalid) => {
                let wrong: Vec<String> = invalid.iter().map(ToString::to_string).collect();
                fields.not_ready(
                    path,
                    format_args!(
                        "ImagePolicy {:?} is invalid: {}",
                        name.as_str(),
                        wrong.join("; ")
                    ),
                );
            }
        }
    }
    resolved
}

// === destinations ===

fn validate_destinations(
    destinations: &[written::Destination],
    fields: &mut Fields,
) -> Vec<Destination> {
    fields.check_count("spec.destinations", destinations.len(), 1, DESTINATIONS);
    fields.refuse_repeats(destinations.iter().enumerate().map(|(index, destination)| {
        (
            format!("spec.destinations[{index}].name"),
            destination.name.as_str(),
        )
    }));
    let validated: Vec<Destination> = destinations
        .iter()
        .enumerate()
        .filter_map(|(index, destination)| {
            validate_destination(&format!("spec.destinations[{index}]"), destination, fields)
        })
        .collect();
    if validated.len() == destinations.len() {
        refuse_same_targets(&validated, fields);
    }
    validated
}

fn validate_destination(
    path: &str,
    destination: &written::Destination,
    fields: &mut Fields,
) -> Option<Destination> {
    let written::Destination {
        name,
        registry,
        repository,
        tags,
        previous_tag,
        secret_ref,
        cert_secret_ref,
        proxy_secret_ref,
        insecure,
    } = destination;
    if !is_destination_name(name) {
        fields.refuse(
            format!("{path}.name"),
            format_args!(
                "name {name:?} must be lower-case letters, digits and '-', begin and end with a letter or digit, and have at most {DESTINATION_NAME_LENGTH} characters"
            ),
        );
    }
    let registry = fields.accept(format!("{path}.registry"), registry.parse());
    let repository = fields.accept(
        format!("{path}.repository"),
        RepositoryTemplate::parse(repository),
    );
    let tags_path = format!("{path}.tags");
    fields.check_count(&tags_path, tags.len(), 1, TAG_TEMPLATES);
    let names = tags
        .iter()
        .enumerate()
        .map(|(index, tag)| (format!("{tags_path}[{index}]"), tag.as_str()));
    let previous = previous_tag
        .iter()
        .map(|tag| (format!("{path}.previousTag"), tag.as_str()));
    fields.refuse_repeats(names.chain(previous));
    let tags = fields.accept_all(&tags_path, tags, TagTemplate::parse);
    let previous_tag = previous_tag.as_ref().and_then(|text| {
        fields.accept(
            format!("{path}.previousTag"),
            PreviousTagTemplate::parse(text),
        )
    });
    Some(Destination {
        name: name.clone(),
        registry: registry?,
        access: access([secret_ref, cert_secret_ref, proxy_secret_ref], *insecure),
        repository: repository?,
        tags,
        previous_tag,
    })
}

/// A DNS label (RFC 1123): it becomes a label value.
fn is_destination_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= DESTINATION_NAME_LENGTH
        && name.bytes().all(|byte| is_word(byte) || byte == b'-')
        && name.bytes().next().is_some_and(is_word)
        && name.bytes().last().is_some_and(is_word)
}

/// Two destinations that write the same tags of the same repositories would undo each other's work.
fn refuse_same_targets(destinations: &[Destination], fields: &mut Fields) {
    for (index, destination) in destinations.iter().enumerate() {
        let same = destinations.iter().take(index).find(|earlier| {
            earlier.registry == destination.registry
                && earlier.repository == destination.repository
                && earlier
                    .tags
                    .iter()
                    .any(|tag| destination.tags.contains(tag))
        });
        if let Some(earlier) = same {
            fields.refuse(
                format!("spec.destinations[{index}]"),
                format_args!("writes the same tags as destination {:?}", earlier.name),
            );
        }
    }
}

// === the rest ===

fn validate_platforms(platforms: &written::Platforms, fields: &mut Fields) -> Platforms {
    let written::Platforms {
        mode,
        list,
        absent,
        index,
    } = platforms;
    match mode {
        PlatformsMode::All => {
            if !list.is_empty() {
                fields.refuse("spec.platforms.list", "is only used with mode: List");
            }
            Platforms::All
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
            }
        }
    }
}

fn validate_prune(prune: &Prune, fields: &mut Fields) {
    let Prune {
        mode: _,
        grace: _,
        max_deletes,
        max_percent,
        in_use: _,
        adopted: _,
    } = prune;
    refuse_pruning(prune, fields);
    fields.accept_number("spec.prune.maxDeletes", *max_deletes, 0, MOST_DELETES);
    fields.accept_number("spec.prune.maxPercent", *max_percent, 0, 100);
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
