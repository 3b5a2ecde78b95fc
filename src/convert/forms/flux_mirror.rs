// SPDX-License-Identifier: Apache-2.0

//! `Config` of flux-mirror (<https://github.com/fluxcd/flux-mirror>).

use super::common::{checked, image, masterminds, rule};
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fault, Fields, Item, Place};
use crate::convert::patterns;
use crate::convert::rule::{Draft, Extract, Newest, Options, Order, Rule, Selection, Tags};

pub(super) fn read(document: &Item<'_>, draft: &mut Draft) -> Result<(), Fault> {
    let mut fields = document.fields()?;
    fields.pass_over(&["apiVersion", "kind", "metadata"]);
    for artifact in fields.items("artifacts") {
        let rule = read_artifact(artifact.fields()?)?;
        draft.add(rule);
    }
    for chart in fields.items("charts") {
        let rule = read_chart(chart.fields()?)?;
        draft.add(rule);
    }
    fields.finish(&mut draft.gaps);
    Ok(())
}

fn read_artifact(mut fields: Fields<'_>) -> Result<Result<Rule, Gap>, Fault> {
    let place = fields.place().clone();
    let (source, destination) = (fields.required("source")?, fields.required("destination")?);
    let frozen = fields.flag("overwrite")? != Some(true);
    // Signatures that come along are no harm: who writes false has them, too.
    fields.pass_over(&["includeReferrers"]);
    let mut gaps = Vec::new();
    let selection = match fields.fields("selector")? {
        Some(selector) => read_selector(selector, &mut gaps)?,
        None => newest(Selection::default(), 1, Order::Version),
    };
    fields.finish(&mut gaps);
    Ok(
        from_to(&source, &destination, selection, &place).map(|mut rule| {
            rule.gaps = gaps;
            rule.options.frozen = frozen;
            rule
        }),
    )
}

/// An expression, a range, the order, and how many.
fn read_selector(mut fields: Fields<'_>, gaps: &mut Vec<Gap>) -> Result<Selection, Fault> {
    let mut selection = match fields.text("semver")? {
        Some(range) => masterminds(&range),
        None => Selection::default(),
    };
    if let Some(mut regex) = fields.fields("regex")? {
        let pattern = regex.text("pattern")?.unwrap_or_default();
        match regex.text("extract")? {
            Some(value) => {
                selection.extract = Some(Extract {
                    pattern: patterns::extracting(&pattern),
                    value,
                });
            }
            None => selection.include = patterns::anywhere(&pattern),
        }
        regex.finish(gaps);
    }
    let place = fields.place_of("sortBy");
    let order = match fields.text("sortBy")?.as_deref() {
        None | Some("semver") => Order::Version,
        Some("alphabetical") => Order::Name,
        Some("numerical") => Order::Number,
        Some(other) => return Err(place.fault(format!("there is no order {other:?}"))),
    };
    let count = fields.number("limit")?.unwrap_or(1);
    fields.finish(gaps);
    Ok(newest(selection, count, order))
}

fn newest(selection: Selection, count: i64, by: Order) -> Selection {
    Selection {
        newest: (count > 0).then_some(Newest { count, by }),
        ..selection
    }
}

fn read_chart(mut fields: Fields<'_>) -> Result<Result<Rule, Gap>, Fault> {
    let place = fields.place().clone();
    let name = fields.required("name")?;
    let (source, destination) = (fields.required("source")?, fields.required("destination")?);
    let range = fields.text("version")?.filter(|range| range != "*");
    let count = fields.number("limit")?.unwrap_or(1);
    let frozen = fields.flag("overwrite")? != Some(true);
    let mut gaps = Vec::new();
    fields.finish(&mut gaps);
    let (Some(source), Some(destination)) = (
        source.strip_prefix("oci://"),
        destination.strip_prefix("oci://"),
    ) else {
        return Ok(Err(place.gap(
            "charts of a Helm repository are no OCI artifacts: push them to a registry with helm push",
        )));
    };
    let selection = range.map_or_else(Selection::default, |range| masterminds(&range));
    let below = |base: &str| format!("{}/{name}", base.trim_end_matches('/'));
    let selection = newest(selection, count, Order::Version);
    Ok(
        from_to(&below(source), &below(destination), selection, &place).map(|rule| Rule {
            gaps,
            options: Options {
                frozen,
                ..Options::default()
            },
            ..rule
        }),
    )
}

fn from_to(
    source: &str,
    destination: &str,
    selection: Selection,
    place: &Place,
) -> Result<Rule, Gap> {
    let tags = Tags::selected(checked(selection, place)?);
    Ok(rule(
        image(source, place)?,
        image(destination, place)?,
        tags,
    ))
}
