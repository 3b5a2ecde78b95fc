// SPDX-License-Identifier: Apache-2.0

//! The words of docker, crane, skopeo and regctl that are no commands here, and what does the same.

use clap::error::{ContextKind, ContextValue};

const WORDS: [(&str, &str); 16] = [
    ("catalog", "transship ls REGISTRY"),
    ("check", "transship plan -f FILE --changes-only"),
    ("cp", "transship copy SRC DST"),
    ("image", "transship ls, inspect, copy, delete, digest"),
    ("list-tags", "transship ls REPOSITORY"),
    ("load", "transship copy docker-archive:FILE REF"),
    (
        "pull",
        "transship copy REF ./DIR, or docker-archive:FILE in place of ./DIR",
    ),
    ("push", "transship copy SRC DST"),
    ("rmi", "transship delete REF"),
    ("save", "transship copy REF docker-archive:FILE"),
    ("scout", "require.vulnerabilities of a policy"),
    ("server", "transship sync -f FILE --watch"),
    ("system", "transship df REPOSITORY"),
    ("tag", "transship copy SRC DST"),
    ("validate", "transship verify --deep REF"),
    ("version", "transship --version"),
];

/// Says what is meant where a word of another program stands in place of a command.
pub(super) fn point(error: &mut clap::Error) {
    let pointer = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => pointer(word),
        _ => None,
    };
    if let Some(pointer) = pointer {
        error.remove(ContextKind::SuggestedSubcommand);
        let tip = vec![format!("here that is: {pointer}").into()];
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tip));
    }
}

fn pointer(word: &str) -> Option<&'static str> {
    let mut words = WORDS.iter();
    words
        .find(|(theirs, _)| *theirs == word)
        .map(|(_, ours)| *ours)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::super::args::Arguments;
    use super::*;

    #[test]
    fn words_of_others_are_pointed_to_commands() {
        let commands = Arguments::command();
        for (word, pointer) in WORDS {
            assert!(commands.find_subcommand(word).is_none(), "{word}");
            let mut error = Arguments::try_parse_from(["transship", word, "x"]).unwrap_err();
            point(&mut error);
            let told = error.to_string();
            assert!(
                told.contains(&format!("tip: here that is: {pointer}")),
                "{told}"
            );
            assert!(!told.contains("similar"), "{told}");
        }
    }
}
