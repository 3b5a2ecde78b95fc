// SPDX-License-Identifier: Apache-2.0

//! What the person at the terminal wants to have measured.

use std::fmt;

use crate::place::Mode;
use crate::shared::request::{NotANumber, number, words};
use crate::tool::Tool;
use crate::workload::{Scale, Workload};

/// Runs of each tool, if `BENCH_RUNS` does not say otherwise.
const RUNS: usize = 3;

/// What is measured.
pub(crate) struct Selection {
    /// The contents.
    pub(crate) workloads: Vec<Workload>,
    /// The distances.
    pub(crate) modes: Vec<Mode>,
    /// The tools.
    pub(crate) tools: Vec<Tool>,
    /// Runs of each tool.
    pub(crate) runs: usize,
    /// The size of the content.
    pub(crate) scale: Scale,
}

/// An argument or environment variable that says nothing.
#[derive(Debug)]
pub(crate) enum SelectionError {
    /// A word that names no workload, mode or tool.
    UnknownWord(String),
    /// A variable that cannot be used.
    Number(NotANumber),
}

impl Selection {
    /// From the arguments and the environment; `None` if nobody asked for a benchmark.
    pub(crate) fn from_process() -> Result<Option<Self>, SelectionError> {
        let Some(words) = words() else {
            return Ok(None);
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let selection = Self {
            workloads: named(&words, &Workload::ALL, Workload::name),
            modes: named(&words, &Mode::ALL, Mode::name),
            tools: named(&words, &Tool::ALL, Tool::name),
            runs: number("BENCH_RUNS")?.unwrap_or(RUNS),
            scale: Scale(number("BENCH_SCALE")?.unwrap_or(1.0)),
        };
        match words.into_iter().find(|word| !is_known(word)) {
            Some(word) => Err(SelectionError::UnknownWord(word.to_owned())),
            None => Ok(Some(selection)),
        }
    }
}

/// Every name that may stand in the arguments.
fn names() -> impl Iterator<Item = &'static str> {
    let workloads = Workload::ALL.into_iter().map(Workload::name);
    let modes = Mode::ALL.into_iter().map(Mode::name);
    workloads
        .chain(modes)
        .chain(Tool::ALL.into_iter().map(Tool::name))
}

fn is_known(word: &str) -> bool {
    names().any(|name| name == word)
}

/// Those of one kind that are named, all of them if none is.
fn named<T: Copy>(words: &[&str], all: &[T], name: fn(T) -> &'static str) -> Vec<T> {
    let chosen: Vec<T> = all
        .iter()
        .copied()
        .filter(|one| words.contains(&name(*one)))
        .collect();
    if chosen.is_empty() {
        all.to_vec()
    } else {
        chosen
    }
}

impl fmt::Display for SelectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownWord(word) => {
                let names: Vec<&str> = names().collect();
                write!(f, "unknown word {word:?}: choose from {}", names.join(", "))
            }
            Self::Number(error) => error.fmt(f),
        }
    }
}

impl From<NotANumber> for SelectionError {
    fn from(error: NotANumber) -> Self {
        Self::Number(error)
    }
}
