// SPDX-License-Identifier: Apache-2.0

//! The entries of `images`, and the policies that they and the mirror name.

use std::sync::Arc;

use super::naming::validate_naming;
use super::tags::{refuse_idle, validate_digests, validate_tags};
use crate::api::document::closest;
use crate::api::image_mirror as written;
use crate::api::{ImagePolicy, LocalObjectReference, ObjectName};
use crate::oci::names::{self, NameError};
use crate::oci::{Registry, Repository};
use crate::plan::fields::Fields;
use crate::plan::mirror::{ImageEntry, RepositorySelector, Source};
use crate::plan::policy::Policy;
use crate::plan::rules;
use crate::policy::RepositoryGlob;

/// Most entries in `images`.
const IMAGES: usize = 256;
/// Most policies of a mirror, and of one entry.
const POLICIES: usize = 8;

/// The policies that a mirror may name.
#[derive(Clone, Copy)]
pub(super) struct Own<'a> {
    /// The namespace of the mirror.
    pub(super) namespace: &'a str,
    /// Those of this namespace.
    pub(super) policies: &'a [&'a ImagePolicy],
}

pub(super) fn validate_images(
    images: &[written::Image],
    source: Option<&Source>,
    shared: &[Arc<Policy>],
    own: Own<'_>,
    fields: &mut Fields,
) -> Vec<ImageEntry> {
    fields.check_count("spec.images", images.len(), 1, IMAGES);
    let mut entries: Vec<ImageEntry> = images
        .iter()
        .enumerate()
        .filter_map(|(index, image)| {
            let path = format!("spec.images[{index}]");
            validate_image(&path, image, source, shared, own, fields)
        })
        .collect();
    // Most mirrors have one, and thousands are remembered.
    entries.shrink_to_fit();
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
    own: Own<'_>,
    fields: &mut Fields,
) -> Option<ImageEntry> {
    let written::Image {
        repository,
        tags,
        digests,
        absent,
        select,
        policy_refs,
        r#as: _,
        replace: _,
        retag: _,
    } = image;
    let registry = source.map(|source| &source.registry);
    let repository =
        validate_repository(&format!("{path}.repository"), repository, registry, fields);
    let mut selectors = validate_tags(path, tags, fields);
    let written = selectors.len();
    selectors.extend(validate_digests(path, digests, fields));
    refuse_idle(
        path,
        *absent,
        &selectors,
        written,
        repository.as_ref(),
        fields,
    );
    let rules = select.as_ref();
    let rules = rules.map(|select| rules::read(&format!("{path}.select"), select, fields));
    let place = registry.zip(repository.as_ref());
    let naming = validate_naming(path, image, place, &selectors, fields);

    let mut policies = shared.to_vec();
    let refs_path = format!("{path}.policyRefs");
    for policy in resolve_policies(&refs_path, policy_refs, own, fields) {
        if !policies.iter().any(|known| known.name == policy.name) {
            policies.push(policy);
        }
    }
    let selects = rules.is_some() || policies.iter().any(|policy| policy.rules.is_some());
    if tags.is_empty() && digests.is_empty() && !selects && fields.is_valid() {
        fields.refuse(
            path,
            "has neither tags nor select nor a policy with select: write tags: [\"*\"] to copy every tag",
        );
    }
    Some(ImageEntry {
        repository: repository?,
        tags: selectors,
        absent: *absent,
        rules,
        policies,
        naming,
    })
}

fn validate_repository(
    path: &str,
    text: &str,
    registry: Option<&Registry>,
    fields: &mut Fields,
) -> Option<RepositorySelector> {
    fields.accept(path, names::check_alone(text))?;
    if let Some((first, rest)) = text.split_once('/')
        && let Some(registry) = registry
    {
        if first.parse().as_ref() == Ok(registry) || registry.host() == first {
            let advice = format_args!("{text:?} repeats the registry: write {rest:?}");
            fields.refuse(path, advice);
            return None;
        }
        // No namespace there is called so; elsewhere, such as at a pull-through cache, they may be.
        if registry.is_docker_hub() && (first.contains('.') || first == "localhost") {
            let advice = format_args!(
                "{text:?} begins with the registry {first:?}, and the images are those of {registry}: write \
                 {rest:?}, and {first:?} as the registry of the source"
            );
            fields.refuse(path, advice);
            return None;
        }
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

// === policies ===

pub(super) fn resolve_policies(
    path: &str,
    references: &[LocalObjectReference],
    own: Own<'_>,
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
        let is_named =
            |policy: &&&ImagePolicy| policy.metadata.name.as_deref() == Some(name.as_str());
        let Some(policy) = own.policies.iter().find(is_named) else {
            fields.not_ready(path, missing_policy(name, own));
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

fn missing_policy(name: &ObjectName, own: Own<'_>) -> String {
    let Own {
        namespace,
        policies,
    } = own;
    let known: Vec<&str> = policies
        .iter()
        .filter_map(|policy| policy.metadata.name.as_deref())
        .collect();
    let suggestion = closest(name.as_str(), &known)
        .map(|known| format!(", did you mean {known:?}?"))
        .unwrap_or_default();
    format!(
        "there is no ImagePolicy {:?} in the namespace {namespace:?}{suggestion}",
        name.as_str()
    )
}
