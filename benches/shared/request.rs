// SPDX-License-Identifier: Apache-2.0

//! What the person at the terminal asks for, in arguments and the environment.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::str::FromStr;

/// A variable that is not a positive number.
#[derive(Clone, Copy, Debug)]
pub struct NotANumber(&'static str);

/// The words of the arguments; `None` if nobody asked for a benchmark: `cargo test --all-targets` starts
/// benchmarks too, without `--bench`.
pub fn words() -> Option<Vec<String>> {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return None;
    }
    arguments.retain(|argument| !argument.starts_with("--"));
    Some(arguments)
}

/// The number in a variable; `None` where it is not set.
pub fn number<T: FromStr + PartialOrd + Default>(
    variable: &'static str,
) -> Result<Option<T>, NotANumber> {
    let Some(value) = env::var_os(variable) else {
        return Ok(None);
    };
    let number = OsStr::to_str(&value).and_then(|text| text.parse().ok());
    number
        .filter(|number| *number > T::default())
        .map(Some)
        .ok_or(NotANumber(variable))
}

impl fmt::Display for NotANumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(variable) = self;
        write!(f, "{variable} is not a positive number")
    }
}
