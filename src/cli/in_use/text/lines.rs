// SPDX-License-Identifier: Apache-2.0

//! Plain lines of images.

use std::io::{self, BufRead, Read};

use super::error::{LINE_LENGTH, TextError, refuse_too_much};
use crate::controller::workloads::Kind;
use crate::oci::{Digest, Reference};
use crate::plan::in_use::InUse;

/// After how many lines it is looked whether they name too much.
const LINES: u64 = 10_000;

pub(super) fn read_lines(
    in_use: &mut InUse,
    mut text: impl BufRead,
    file: &str,
) -> Result<(), TextError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = text.by_ref().take(LINE_LENGTH + 1);
        let size = { read }.read_until(b'\n', &mut line)?;
        if size == 0 {
            break;
        }
        if u64::try_from(size).is_ok_and(|size| size > LINE_LENGTH) {
            return Err(TextError::LongLine { line: number });
        }
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let line = str::from_utf8(&line).map_err(invalid)?;
        let (written, _) = line.split_once('#').unwrap_or((line, ""));
        add_words(in_use, written, file, number)?;
        if number % LINES == 0 {
            refuse_too_much(in_use)?;
        }
    }
    Ok(())
}

/// kubectl separates images by spaces or commas, and prints `<none>` for none.
pub(super) fn add_words(
    in_use: &mut InUse,
    words: &str,
    file: &str,
    line: u64,
) -> Result<(), TextError> {
    let words = words.split(|character: char| character.is_whitespace() || character == ',');
    for word in words.filter(|word| !word.is_empty() && *word != "<none>") {
        refuse_other_words(word, line)?;
        in_use.add_image_id(&format!("{file} line {line}"), word);
    }
    Ok(())
}

fn refuse_other_words(word: &str, line: u64) -> Result<(), TextError> {
    if is_object_name(word) {
        return Err(TextError::ObjectName {
            line,
            word: word.to_owned(),
        });
    }
    let (_, image) = word.split_once("://").unwrap_or(("", word));
    if image.parse::<Digest>().is_ok() {
        return Ok(());
    }
    match image.parse::<Reference>() {
        Ok(reference) if reference.is_bare() => Err(TextError::Bare {
            line,
            word: word.to_owned(),
        }),
        Ok(_) => Ok(()),
        Err(error) => Err(TextError::NoImage {
            line,
            word: word.to_owned(),
            message: error.to_string(),
        }),
    }
}

/// Whether it is what `-o name` prints, such as `pod/web` or `deployment.apps/web`: it would pass for an
/// image at Docker Hub.
fn is_object_name(word: &str) -> bool {
    let Some((resource, _)) = word.split_once('/') else {
        return false;
    };
    Kind::ALL.into_iter().any(|kind| {
        let singular = kind.name().to_ascii_lowercase();
        let group = kind.api_version().split_once('/').map(|(group, _)| group);
        match group {
            Some(group) => resource == format!("{singular}.{group}"),
            None => resource == singular,
        }
    })
}
