// SPDX-License-Identifier: Apache-2.0

#![no_main]

use libfuzzer_sys::fuzz_target;
use transship::oci::Reference;
use transship::plan::in_use::{InUse, Subject, references_in};

/// An image that stands between two texts.
const IMAGE: &str = "eu.corp/team/app:1.2";

fuzz_target!(|texts: (&str, &str, bool)| {
    let (before, behind, about_images) = texts;
    let text = format!("{before} {IMAGE} {behind}");
    let mut bytes = 0;
    for found in references_in(&text, about_images) {
        assert!(!found.is_empty() && text.contains(found), "{found:?}");
        bytes += found.len();
    }
    assert!(bytes <= 8 * text.len(), "{bytes} of {}", text.len());
    let found = references_in(&text, about_images).any(|found| found == IMAGE);
    assert!(found, "{text:?}");

    let mut in_use = InUse::default();
    in_use.add_text("fuzz", &text, about_images);
    let reference: Reference = IMAGE.parse().expect("an image");
    let tag = reference.tag.expect("a tag");
    let name = (&reference.registry, &reference.repository, &tag);
    let subject = Subject {
        destination: name,
        source: name,
        digests: &[],
    };
    assert_eq!(in_use.user_of(&subject), Some("fuzz"), "{text:?}");
});
