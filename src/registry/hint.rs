// SPDX-License-Identifier: Apache-2.0

//! What a person may have said wrongly of how a registry speaks, and what to write in its place. Pure.

use std::fmt;

use super::kind::Side;

/// How a registry may speak in truth, where its connections end before it has answered anything: a server that
/// is spoken to with other encryption than its own often just closes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hint {
    speaks: Option<Spoken>,
    side: Option<Side>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    Https,
    PlainHttp,
}

// === impl Hint ===

impl Hint {
    /// Nothing suggests itself.
    pub(super) const NONE: Self = Self {
        speaks: None,
        side: None,
    };

    /// The opposite of what a URL of this scheme takes for granted.
    pub(super) fn other_than(scheme: &str) -> Self {
        let speaks = match scheme {
            "http" => Spoken::Https,
            _ => Spoken::PlainHttp,
        };
        Self {
            speaks: Some(speaks),
            side: None,
        }
    }

    /// The same of the registry of one side.
    pub(super) fn on(self, side: Option<Side>) -> Self {
        Self { side, ..self }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.speaks {
            None => Ok(()),
            Some(Spoken::Https) => {
                write!(formatter, "; if it speaks HTTPS, {}", retract(self.side))
            }
            Some(Spoken::PlainHttp) => {
                write!(
                    formatter,
                    "; if it speaks plain HTTP, {}",
                    declare(self.side)
                )
            }
        }
    }
}

/// How plain HTTP is asked for.
pub(super) fn declare(side: Option<Side>) -> String {
    let field = field(side);
    format!("write insecure: true {field}, or name it with --insecure on the command line")
}

/// How plain HTTP is asked for no more.
pub(super) fn retract(side: Option<Side>) -> String {
    let field = field(side);
    format!("take out insecure: true {field}, and --insecure on the command line")
}

fn field(side: Option<Side>) -> &'static str {
    match side {
        Some(Side::Source) => "in spec.source",
        Some(Side::Destination) => "at this destination in spec.destinations",
        None => "where a mirror names it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_way_to_speak_and_where_it_is_written() {
        let cases = [
            (
                "http",
                None,
                "; if it speaks HTTPS, take out insecure: true where a mirror names it, and --insecure on the command line",
            ),
            (
                "https",
                Some(Side::Source),
                "; if it speaks plain HTTP, write insecure: true in spec.source, or name it with --insecure on the command line",
            ),
            (
                "http",
                Some(Side::Destination),
                "; if it speaks HTTPS, take out insecure: true at this destination in spec.destinations, and --insecure on the command line",
            ),
        ];
        for (scheme, side, expected) in cases {
            assert_eq!(Hint::other_than(scheme).on(side).to_string(), expected);
        }
        assert_eq!(Hint::NONE.on(Some(Side::Source)).to_string(), "");
    }
}
