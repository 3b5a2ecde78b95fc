// SPDX-License-Identifier: Apache-2.0

#![no_main]

use libfuzzer_sys::fuzz_target;
use transship::api::document::{Contents, parse, refuse_duplicate_objects};

fuzz_target!(|text: &str| {
    match parse(text, "fuzz.yaml") {
        Ok(Contents { documents, .. }) => {
            if let Err(error) = refuse_duplicate_objects(&documents) {
                assert!(error.to_string().starts_with("fuzz.yaml:"), "{error}");
            }
            for document in &documents {
                document.locate("spec.images[0].tags[1]");
            }
        }
        Err(error) => assert!(error.to_string().starts_with("fuzz.yaml:"), "{error}"),
    }
});
