// SPDX-License-Identifier: Apache-2.0

//! Who answers: a person at a terminal, or flags alone.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal as _, Read as _};
use std::str::FromStr;

use crate::cli::args::InitArgs;
use crate::cli::error::Error;
use crate::cli::table::one_line;

/// Longest answer that is read, in bytes.
const ANSWER: u64 = 4096;

/// What is asked.
pub(super) struct Question<'a> {
    /// The flag that answers it.
    pub(super) flag: &'static str,
    /// For a person.
    pub(super) text: &'static str,
    /// What an empty line means, and `--yes`.
    pub(super) usual: Option<&'a str>,
}

/// Who answers, and how they are spoken to.
pub(super) struct Conversation<'a> {
    /// A person; without one there are flags, and what is usual.
    person: Option<Box<dyn BufRead + 'a>>,
    tell: &'a mut dyn FnMut(&str),
}

/// The flags that have no usual answer.
const NEEDED: [&str; 2] = ["--from", "--to"];

// === impl Conversation ===

impl<'a> Conversation<'a> {
    /// Begins it; or says which flags are missing where nobody can be asked.
    pub(super) fn begin(args: &InitArgs, tell: &'a mut dyn FnMut(&str)) -> Result<Self, Error> {
        let unsaid = unsaid(args);
        if !args.yes && !unsaid.is_empty() && io::stdin().is_terminal() {
            tell("An empty answer is what stands in [brackets]; Ctrl-C writes nothing.");
            return Ok(Self::with(Box::new(io::stdin().lock()), tell));
        }
        refuse_silence(&unsaid, args.yes)?;
        Ok(Self { person: None, tell })
    }

    /// A person whose answers are read from here.
    pub(super) fn with(person: Box<dyn BufRead + 'a>, tell: &'a mut dyn FnMut(&str)) -> Self {
        Self {
            person: Some(person),
            tell,
        }
    }

    /// The answer to a question, with what `look` finds out about it. What is no answer is asked for again, with the
    /// reason; so is what is doubtful, and counts when it is said again.
    pub(super) async fn ask<T, L>(
        &mut self,
        question: &Question<'_>,
        given: Option<T>,
        check: impl Fn(&T) -> Result<(), String>,
        look: impl AsyncFn(&T) -> Result<L, String>,
    ) -> Result<(T, Option<L>), Error>
    where
        T: FromStr<Err: Display>,
    {
        if let Some(answer) = self.said(question, given, &check)? {
            let seen = look(&answer).await;
            return Ok((answer, self.note(question.flag, seen)));
        }
        let mut doubted: Option<String> = None;
        loop {
            let usual = doubted.as_deref().or(question.usual);
            let line = self.line(&Question { usual, ..*question })?;
            let line = match &doubted {
                Some(doubted) if line.is_empty() => doubted.clone(),
                _ => line,
            };
            let answer = question.read(&line).and_then(|answer: T| {
                check(&answer)?;
                Ok(answer)
            });
            let answer = match answer {
                Ok(answer) => answer,
                Err(why) => {
                    (self.tell)(&format!("  no: {}", one_line(&why)));
                    continue;
                }
            };
            if doubted.as_ref() == Some(&line) {
                return Ok((answer, None));
            }
            match look(&answer).await {
                Ok(seen) => return Ok((answer, Some(seen))),
                Err(why) => {
                    let why = one_line(&why);
                    (self.tell)(&format!(
                        "  {why}\n  Enter alone if it is right all the same."
                    ));
                    doubted = Some(line);
                }
            }
        }
    }

    /// What a flag says, and what is usual where there is no person. A person is asked for what is wrong there.
    fn said<T>(
        &mut self,
        question: &Question<'_>,
        given: Option<T>,
        check: impl Fn(&T) -> Result<(), String>,
    ) -> Result<Option<T>, Error>
    where
        T: FromStr<Err: Display>,
    {
        let flag = question.flag;
        let answer = match given {
            Some(answer) => answer,
            None if self.person.is_some() => return Ok(None),
            None => question.read("").map_err(|why| wrong(flag, &why))?,
        };
        match check(&answer) {
            Ok(()) => Ok(Some(answer)),
            Err(why) if self.person.is_some() => {
                (self.tell)(&format!("\n{flag}: {}", one_line(&why)));
                Ok(None)
            }
            Err(why) => Err(wrong(flag, &why)),
        }
    }

    /// What was seen; why nothing was is told.
    fn note<L>(&mut self, flag: &str, seen: Result<L, String>) -> Option<L> {
        let told = |why: &String| (self.tell)(&format!("note: {flag}: {}", one_line(why)));
        seen.inspect_err(told).ok()
    }

    fn line(&mut self, question: &Question<'_>) -> Result<String, Error> {
        let usual = question.usual.filter(|usual| !usual.is_empty());
        let usual = usual.map_or_else(String::new, |usual| format!(" [{usual}]"));
        (self.tell)(&format!("\n{}{usual}", question.text));
        let mut line = String::new();
        let read = match &mut self.person {
            Some(person) => person.take(ANSWER).read_line(&mut line),
            None => Ok(0),
        };
        match read {
            Ok(0) => Err(Error::Usage(
                "no answer came, and nothing was written".to_owned(),
            )),
            Ok(_) => Ok(line.trim().to_owned()),
            Err(error) => Err(Error::Usage(format!("cannot read the answer: {error}"))),
        }
    }
}

/// The flags of the questions that nobody answered yet.
fn unsaid(args: &InitArgs) -> Vec<&'static str> {
    let asked = [
        ("--from", args.from.is_some()),
        ("--tags", args.tags.is_some()),
        ("--to", args.to.is_some()),
        ("--secret", args.secret.is_some()),
        ("--prune", args.prune.is_some()),
    ];
    let unsaid = asked.into_iter().filter(|(_, is_said)| !is_said);
    unsaid.map(|(flag, _)| flag).collect()
}

/// Says which flags are needed where there is nobody to ask.
fn refuse_silence(unsaid: &[&str], is_yes: bool) -> Result<(), Error> {
    let needed = unsaid
        .iter()
        .filter(|flag| !is_yes || NEEDED.contains(flag));
    let needed: Vec<&str> = needed.copied().collect();
    let named = needed.join(", ");
    if needed.is_empty() {
        return Ok(());
    }
    Err(Error::Usage(if is_yes {
        format!("nothing is asked with --yes: say {named}")
    } else {
        format!(
            "nobody can be asked here, as standard input is no terminal: say {named}, or --from, --to and --yes for what is usual in the rest"
        )
    }))
}

fn wrong(flag: &str, why: &str) -> Error {
    Error::Usage(format!("{flag}: {why}"))
}

// === impl Question ===

impl Question<'_> {
    /// Reads an answer, an empty one as what is usual.
    fn read<T: FromStr<Err: Display>>(&self, line: &str) -> Result<T, String> {
        let said = if line.is_empty() {
            self.usual.unwrap_or_default()
        } else {
            line
        };
        said.parse().map_err(|error: T::Err| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::cli::args::{TagChoice, UnwantedTags};

    const TAGS: Question<'_> = Question {
        flag: "--tags",
        text: "Which tags?",
        usual: Some("latest"),
    };

    /// What a person sees who types this, and what comes of it; `9*` is doubtful.
    async fn typed(lines: &str) -> String {
        let seen = RefCell::new(Vec::new());
        let mut tell = |line: &str| seen.borrow_mut().push(line.to_owned());
        let mut conversation = Conversation::with(Box::new(lines.as_bytes()), &mut tell);
        let looks = Cell::new(0);
        let look = async |choice: &TagChoice| {
            looks.set(looks.get() + 1);
            if choice.to_string() == "9*" {
                return Err("no tag is like it".to_owned());
            }
            Ok(())
        };
        let check = |choice: &TagChoice| match choice {
            TagChoice::Versions(_) => Err("no range here".to_owned()),
            TagChoice::Patterns(_) => Ok(()),
        };
        let asked = conversation.ask(&TAGS, None, check, look).await;
        let answer = match asked {
            Ok((choice, seen)) => format!("{choice} {seen:?}"),
            Err(error) => error.to_string(),
        };
        format!(
            "{}\n= {answer}, {} looks",
            seen.borrow().join("\n"),
            looks.get()
        )
    }

    #[tokio::test]
    async fn what_is_no_answer_is_asked_for_again() {
        let told = [
            typed("\n").await,
            typed("a b\n>=1\n1.*\n").await,
            typed("9*\n9*\n").await,
            typed("9*\n8\n").await,
            typed("9*\n").await,
        ];
        insta::assert_snapshot!(told.join("\n---\n"));
    }

    #[tokio::test]
    async fn flags_are_not_asked_and_checked_all_the_same() {
        let seen = RefCell::new(Vec::new());
        let mut tell = |line: &str| seen.borrow_mut().push(line.to_owned());
        let mut conversation = Conversation {
            person: None,
            tell: &mut tell,
        };
        let given: TagChoice = "1.*".parse().unwrap();
        let doubt = async |_: &TagChoice| Err::<(), _>("nobody answers".to_owned());
        let asked = conversation.ask(&TAGS, Some(given.clone()), |_| Ok(()), doubt);
        assert_eq!(asked.await.unwrap(), (given.clone(), None));
        let refuse = |_: &TagChoice| Err("not this one".to_owned());
        let asked = conversation.ask(&TAGS, Some(given), refuse, doubt).await;
        assert_eq!(asked.unwrap_err().to_string(), "--tags: not this one");
        let usual = conversation.ask(&TAGS, None, |_| Ok(()), async |_: &TagChoice| Ok(()));
        assert_eq!(usual.await.unwrap().0.to_string(), "latest");
        let needed = Question {
            usual: None,
            flag: "--prune",
            text: "",
        };
        let asked = conversation.ask(&needed, None, |_| Ok(()), async |_: &UnwantedTags| Ok(()));
        let error = asked.await.unwrap_err().to_string();
        assert_eq!(error, "--prune: say keep, plan or delete");
        assert_eq!(*seen.borrow(), ["note: --tags: nobody answers"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let refused = |unsaid: &[&str], is_yes| {
            let refused = refuse_silence(unsaid, is_yes);
            refused.err().map(|error| error.to_string())
        };
        assert_eq!(refused(&[], false), None);
        assert_eq!(refused(&["--tags", "--prune"], true), None);
        let told = "nothing is asked with --yes: say --to";
        assert_eq!(refused(&["--tags", "--to"], true).as_deref(), Some(told));
        let told = refused(&["--tags", "--to"], false).unwrap();
        assert!(told.contains("no terminal: say --tags, --to, or"), "{told}");
    }
}
