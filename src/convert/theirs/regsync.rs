// SPDX-License-Identifier: Apache-2.0

//! regsync: an expression stands between `^` and `$`, without a group around it.

use super::filter::{Names, Narrow, Take, Test, expression};
use super::ranges::{Library, Ranges};
use super::reading::Reading;
use crate::convert::conversion::Gap;
use crate::convert::fields::{Fault, Fields, Item, Place};
use crate::oci::Reference;

pub(super) fn read(document: &Item<'_>, reading: &mut Reading) -> Result<(), Fault> {
    let mut fields = document.fields()?;
    for step in fields.items("sync") {
        read_step(step.fields()?, reading)?;
    }
    Ok(())
}

fn read_step(mut fields: Fields<'_>, reading: &mut Reading) -> Result<(), Fault> {
    let place = fields.place().clone();
    let source = fields.required("source")?;
    let kind = fields.text("type")?.unwrap_or_else(|| "image".to_owned());
    if kind == "image" {
        let tag = source.parse().ok().map(|image: Reference| image.tag);
        let tag = tag
            .flatten()
            .map_or_else(|| "latest".to_owned(), |tag| tag.to_string());
        // An image by its digest has no tag that could be compared.
        if !source.contains('@') {
            reading.add(&source, &place, Ok(Take::tags([tag])));
        }
        return Ok(());
    }
    let mut sets = fields.items("tagSets");
    sets.extend(fields.take("tags"));
    let mut narrow: Result<Vec<Narrow>, Gap> = Ok(Vec::new());
    for set in &sets {
        let read = read_tags(set.fields()?, &place)?;
        narrow = narrow.and_then(|mut all| {
            all.push(read?);
            Ok(all)
        });
    }
    if sets.is_empty() {
        narrow = Ok(vec![Narrow::default()]);
    }
    let take = narrow.map(Take);
    if kind == "repository" {
        reading.add(&source, &place, take);
        return Ok(());
    }
    let (mut allow, mut deny) = (Vec::new(), Vec::new());
    if let Some(mut names) = fields.fields("repos")? {
        (allow, deny) = (names.texts("allow")?, names.texts("deny")?);
    }
    let all = |texts: Vec<String>| -> Result<Vec<regex::Regex>, Gap> {
        texts.iter().map(|text| between(text, &place)).collect()
    };
    let names = all(allow).and_then(|allow| {
        Ok(Names {
            allow,
            deny: all(deny)?,
        })
    });
    reading.add_named(&source, names, &place, take);
    Ok(())
}

fn between(text: &str, place: &Place) -> Result<regex::Regex, Gap> {
    expression(&format!("^{text}$"), place)
}

fn read_tags(mut fields: Fields<'_>, place: &Place) -> Result<Result<Narrow, Gap>, Fault> {
    let (allow, deny) = (fields.texts("allow")?, fields.texts("deny")?);
    let ranges = fields.texts("semverRange")?;
    let all = |texts: Vec<String>| -> Result<Vec<Test>, Gap> {
        let test = |text: &String| between(text, place).map(Test::Expression);
        texts.iter().map(test).collect()
    };
    Ok((|| {
        // With all numbers: with fewer, others mean all versions that begin so.
        let range = whole(&ranges.join(" || "));
        Ok(Narrow {
            allow: all(allow)?,
            deny: all(deny)?,
            ranges: match ranges.as_slice() {
                [] => None,
                _ => Some(Ranges::parse(&range, Library::Regclient, place)?),
            },
            ..Narrow::default()
        })
    })())
}

/// Ranges with three numbers in each comparator.
fn whole(ranges: &str) -> String {
    let whole = |word: &str| {
        let is_bare = word.starts_with(|first: char| first.is_ascii_digit() || first == 'v');
        let operator = if is_bare { "=" } else { "" };
        let (numbers, suffix) = match word.split_once('-') {
            Some((numbers, suffix)) => (numbers, format!("-{suffix}")),
            None => (word, String::new()),
        };
        let dots = numbers.matches('.').count();
        let zeros = if word == "||" {
            0
        } else {
            2_usize.saturating_sub(dots)
        };
        let operator = if word == "||" { "" } else { operator };
        format!("{operator}{numbers}{}{suffix}", ".0".repeat(zeros))
    };
    let words: Vec<String> = ranges.split_whitespace().map(whole).collect();
    words.join(" ")
}
