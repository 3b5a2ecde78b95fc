// SPDX-License-Identifier: Apache-2.0

//! The entries of `destinations`.

use super::access::Written;
use super::creation::check_creation;
use crate::api::image_mirror as written;
use crate::plan::fields::Fields;
use crate::plan::mirror::Destination;
use crate::plan::template::{PreviousTagTemplate, RepositoryTemplate, TagTemplate};

/// Most destinations.
const DESTINATIONS: usize = 8;
/// Longest name of a destination.
const DESTINATION_NAME_LENGTH: usize = 63;
/// Most tag templates of one destination.
const TAG_TEMPLATES: usize = 4;

pub(super) fn validate_destinations(
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
    let mut validated: Vec<Destination> = destinations
        .iter()
        .enumerate()
        .filter_map(|(index, destination)| {
            validate_destination(&format!("spec.destinations[{index}]"), destination, fields)
        })
        .collect();
    // Most mirrors have one, and thousands are remembered.
    validated.shrink_to_fit();
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
        create_repository,
        provider,
        service_account_name,
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
    let reached = Written {
        registry,
        provider: *provider,
        service_account: service_account_name.as_ref(),
        secrets: [secret_ref, cert_secret_ref, proxy_secret_ref],
        insecure: *insecure,
    }
    .accept(path, fields);
    let repository = fields.accept(
        format!("{path}.repository"),
        RepositoryTemplate::parse(repository),
    );
    let tags = accept_tags(&format!("{path}.tags"), tags, fields);
    let previous_tag = previous_tag.as_ref().and_then(|text| {
        fields.accept(
            format!("{path}.previousTag"),
            PreviousTagTemplate::parse(text),
        )
    });
    if let Some(create) = create_repository {
        let identity = reached.as_ref().map(|(_, access)| &access.identity);
        check_creation(path, create, identity, fields);
    }
    let (registry, access) = reached?;
    Some(Destination {
        name: name.clone(),
        registry,
        access,
        repository: repository?,
        tags,
        previous_tag,
        create_repository: create_repository.clone().map(Box::new),
    })
}

fn accept_tags(path: &str, tags: &[String], fields: &mut Fields) -> Vec<TagTemplate> {
    fields.check_count(path, tags.len(), 1, TAG_TEMPLATES);
    fields.refuse_repeats(
        tags.iter()
            .enumerate()
            .map(|(index, tag)| (format!("{path}[{index}]"), tag.as_str())),
    );
    fields.accept_all(path, tags, TagTemplate::parse)
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
            earlier.registry.may_be(&destination.registry)
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
