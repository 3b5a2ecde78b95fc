// SPDX-License-Identifier: Apache-2.0

//! What a mirror fails with, each cause once, however many tags it keeps away.

use std::collections::HashMap;

use crate::api::image_mirror::FailureStatus;

/// The failures of a status by the causes that `told` does not tell already, in their order: those of one reason at one
/// destination whose messages differ in nothing but the image. The first of each says what is wrong and what to do.
pub fn further_causes<'a>(
    failures: &'a [FailureStatus],
    told: &str,
) -> Vec<Vec<&'a FailureStatus>> {
    let told = without_images(told);
    let mut causes: Vec<Vec<&FailureStatus>> = Vec::new();
    let mut places: HashMap<(&str, Option<&str>, String), usize> = HashMap::new();
    for failure in failures {
        let message = without_images(&failure.message);
        if told.contains(&message) {
            continue;
        }
        let destination = failure.destination.as_deref();
        let key = (failure.reason.as_str(), destination, message);
        let place = *places.entry(key).or_insert(causes.len());
        match causes.get_mut(place) {
            Some(known) => known.push(failure),
            None => causes.push(vec![failure]),
        }
    }
    causes
}

/// A message without what tells one image from another: of each name with a path the host stays, of a digest nothing.
fn without_images(message: &str) -> String {
    let words = message.split(' ').map(|word| {
        let rest = word.split_once("://").map_or(word, |(_, rest)| rest);
        match rest.split_once('/') {
            Some((host, _)) => host,
            None if rest.contains("sha256:") => "",
            None => rest,
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(image: &str, destination: Option<&str>, reason: &str, told: &str) -> FailureStatus {
        FailureStatus {
            image: image.to_owned(),
            destination: destination.map(str::to_owned),
            reason: reason.to_owned(),
            message: told.replace('$', image),
            attempts: 1,
            next_attempt_time: None,
        }
    }

    #[test]
    fn each_cause_is_told_once() {
        let silent =
            "cannot look up $: https://eu.example.com cannot be reached: check host and port";
        let other =
            "cannot look up $: https://us.example.com cannot be reached: check host and port";
        let eu = |tag: &str| format!("eu.example.com/mirror/app:{tag}");
        let failures = [
            failure(
                "docker.io/library/app:9",
                None,
                "NotFound",
                "there is no $: push it",
            ),
            failure(&eu("1"), Some("eu"), "Unreachable", silent),
            failure(&eu("2"), Some("eu"), "Unreachable", silent),
            failure(&eu("2"), Some("eu"), "TLSError", silent),
            failure(&eu("3"), Some("eu"), "Unreachable", other),
            failure(&eu("4"), Some("us"), "Unreachable", silent),
            failure(
                "docker.io/library/app:8",
                None,
                "NotFound",
                "there is no $: push it",
            ),
            failure(
                &eu("5"),
                Some("eu"),
                "CopyFailed",
                "sha256:12 is damaged: push it",
            ),
            failure(
                &eu("6"),
                Some("eu"),
                "CopyFailed",
                "sha256:34 is damaged: push it",
            ),
        ];
        let causes = |told: &str| -> Vec<(String, usize)> {
            let causes = further_causes(&failures, told).into_iter();
            causes
                .map(|cause| (cause[0].image.clone(), cause.len()))
                .collect()
        };
        let expected = [
            ("docker.io/library/app:9", 2),
            ("eu.example.com/mirror/app:1", 2),
            ("eu.example.com/mirror/app:2", 1),
            ("eu.example.com/mirror/app:3", 1),
            ("eu.example.com/mirror/app:4", 1),
            ("eu.example.com/mirror/app:5", 2),
        ];
        let expected = expected.map(|(image, count)| (image.to_owned(), count));
        assert_eq!(causes("3 of 12 tags are synced"), expected);
        let told = format!("3 of 12 tags are synced; {}", silent.replace('$', &eu("7")));
        let others = causes(&told);
        assert_eq!(
            others,
            [&expected[..1], &expected[3..4], &expected[5..]].concat()
        );
    }
}
