// SPDX-License-Identifier: Apache-2.0

//! Flux and flux-mirror: a filter, what is extracted, a range, an order, and how many.

use std::collections::BTreeMap;

use super::filter::{Narrow, Order, Take, Test, expression, tests};
use super::ranges::{Library, Ranges};
use super::reading::Reading;
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fault, Fields, Item, Place};

/// The image of an `ImageRepository`, and what it excludes.
type Repositories = BTreeMap<(String, String), (String, Vec<String>)>;

pub(super) fn read(documents: &[Item<'_>], reading: &mut Reading) -> Result<(), Fault> {
    let mut repositories = Repositories::new();
    let mut policies = Vec::new();
    for document in documents {
        let mut fields = document.fields()?;
        let kind = fields.text("kind")?.unwrap_or_default();
        let version = fields.text("apiVersion")?.unwrap_or_default();
        if !version.starts_with("image.toolkit.fluxcd.io/") {
            continue;
        }
        let id = match fields.fields("metadata")? {
            Some(mut metadata) => (
                metadata.text("namespace")?.unwrap_or_default(),
                metadata.text("name")?.unwrap_or_default(),
            ),
            None => continue,
        };
        match (kind.as_str(), fields.fields("spec")?) {
            ("ImageRepository", Some(mut spec)) => {
                let image = (spec.required("image")?, spec.texts("exclusionList")?);
                repositories.insert(id, image);
            }
            ("ImagePolicy", Some(spec)) => policies.push((id.0, spec)),
            _ => {}
        }
    }
    for (namespace, spec) in policies {
        read_policy(&namespace, spec, &repositories, reading)?;
    }
    Ok(())
}

fn read_policy(
    namespace: &str,
    mut spec: Fields<'_>,
    repositories: &Repositories,
    reading: &mut Reading,
) -> Result<(), Fault> {
    let place = spec.place().clone();
    let Some(mut reference) = spec.fields("imageRepositoryRef")? else {
        return Ok(());
    };
    let namespace = reference
        .text("namespace")?
        .unwrap_or_else(|| namespace.to_owned());
    let id = (namespace, reference.required("name")?);
    let filter = match spec.fields("filterTags")? {
        Some(mut filter) => Some((filter.text("pattern")?, filter.text("extract")?)),
        None => None,
    };
    let (Some((image, exclude)), Some(policy)) = (repositories.get(&id), spec.fields("policy")?)
    else {
        reading
            .gaps
            .push(place.gap("its ImageRepository is not known"));
        return Ok(());
    };
    let narrow = read_rule(policy, filter, &place)?.and_then(|mut narrow| {
        narrow.deny.extend(tests(exclude, &place)?);
        Ok(Take::one(narrow))
    });
    reading.add(image, &place, narrow);
    Ok(())
}

fn read_rule(
    mut policy: Fields<'_>,
    filter: Option<(Option<String>, Option<String>)>,
    place: &Place,
) -> Result<Result<Narrow, Gap>, Fault> {
    let range = match policy.fields("semver")? {
        Some(mut semver) => Some(semver.required("range")?),
        None => None,
    };
    let by_name = policy.fields("alphabetical")?;
    let by_number = policy.fields("numerical")?;
    let order = match (&range, &by_name) {
        (Some(_), _) => Order::Version,
        (None, Some(_)) => Order::Name,
        (None, None) => Order::Number,
    };
    let direction = match by_name.or(by_number) {
        Some(mut fields) => fields.text("order")?,
        None => None,
    };
    Ok((|| {
        if direction.as_deref() == Some("desc") {
            return Err(place.gap("order desc takes the oldest tag"));
        }
        let ranges = range.map(|range| Ranges::parse(&range, Library::Masterminds, place));
        let mut narrow = Narrow {
            ranges: ranges.transpose()?,
            last: Some((1, order)),
            ..Narrow::default()
        };
        filtered(&mut narrow, filter, place)?;
        Ok(narrow)
    })())
}

fn filtered(
    narrow: &mut Narrow,
    filter: Option<(Option<String>, Option<String>)>,
    place: &Place,
) -> Result<(), Gap> {
    let Some((pattern, value)) = filter else {
        return Ok(());
    };
    let pattern = expression(&pattern.unwrap_or_default(), place)?;
    match value {
        Some(value) => narrow.extract = Some((pattern, value)),
        None => narrow.allow = vec![Test::Expression(pattern)],
    }
    Ok(())
}

/// The `Config` of flux-mirror.
pub(super) fn mirror(document: &Item<'_>, reading: &mut Reading) -> Result<(), Fault> {
    let mut fields = document.fields()?;
    for artifact in fields.items("artifacts") {
        let mut artifact = artifact.fields()?;
        let place = artifact.place().clone();
        let source = artifact.required("source")?;
        let narrow = match artifact.fields("selector")? {
            Some(selector) => read_selector(selector, &place)?,
            None => Ok(Narrow {
                last: Some((1, Order::Version)),
                ..Narrow::default()
            }),
        };
        reading.add(&source, &place, narrow.map(Take::one));
    }
    for chart in fields.items("charts") {
        let mut chart = chart.fields()?;
        let place = chart.place().clone();
        let (name, source) = (chart.required("name")?, chart.required("source")?);
        let range = chart.text("version")?.unwrap_or_else(|| "*".to_owned());
        let count = chart.number("limit")?.unwrap_or(1);
        if let Some(source) = source.strip_prefix("oci://") {
            let ranges = Ranges::parse(&range, Library::Masterminds, &place);
            let narrow = ranges.map(|ranges| Narrow {
                ranges: Some(ranges),
                last: last(count, Order::Version),
                ..Narrow::default()
            });
            let image = format!("{}/{name}", source.trim_end_matches('/'));
            reading.add(&image, &place, narrow.map(Take::one));
        }
    }
    Ok(())
}

/// None or nought means all.
fn last(count: i64, order: Order) -> Option<(usize, Order)> {
    let count = usize::try_from(count).ok().filter(|count| *count > 0);
    count.map(|count| (count, order))
}

fn read_selector(mut fields: Fields<'_>, place: &Place) -> Result<Result<Narrow, Gap>, Fault> {
    let filter = match fields.fields("regex")? {
        Some(mut regex) => Some((regex.text("pattern")?, regex.text("extract")?)),
        None => None,
    };
    let range = fields.text("semver")?;
    let order = match fields.text("sortBy")?.as_deref() {
        Some("alphabetical") => Order::Name,
        Some("numerical") => Order::Number,
        _ => Order::Version,
    };
    let count = fields.number("limit")?.unwrap_or(1);
    Ok((|| {
        let ranges = range.map(|range| Ranges::parse(&range, Library::Masterminds, place));
        let mut narrow = Narrow {
            ranges: ranges.transpose()?,
            last: last(count, order),
            ..Narrow::default()
        };
        filtered(&mut narrow, filter, place)?;
        Ok(narrow)
    })())
}
