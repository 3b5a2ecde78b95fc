// SPDX-License-Identifier: Apache-2.0

//! The five questions, each with what is looked at before the next one.

use super::conversation::{Conversation, Question};
use super::sheet::FirstMirror;
use super::sight::Sight;
use crate::api::ObjectName;
use crate::cli::args::{InitArgs, PushSecret, SourceRepository, TagChoice, UnwantedTags};
use crate::cli::error::Error;
use crate::cli::units;
use crate::convert::Prefix;
use crate::oci::{Registry, Tag};

/// Tags that are named where none is meant.
const BESIDE: usize = 5;

/// What came of the questions.
pub(super) struct Answered {
    pub(super) mirror: FirstMirror,
    /// The tags of the source, where they could be listed.
    pub(super) tags: Option<Vec<Tag>>,
}

/// Asks them.
pub(super) async fn ask(
    args: &InitArgs,
    sight: &Sight,
    person: &mut Conversation<'_>,
) -> Result<Answered, Error> {
    let (from, listed) = ask_from(args, sight, person).await?;
    let tags = ask_tags(args, &from, listed.as_deref(), person).await?;
    let to = ask_to(args, sight, (&from, &tags), person).await?;
    // What a person says again who was told is meant.
    let speech = |registry: &Registry, is_given: bool| match sight.speech(registry) {
        seen if is_given => seen,
        seen => seen.confirmed(),
    };
    let mirror = FirstMirror {
        source_speech: speech(&from.registry, args.from.is_some()),
        destination_speech: speech(&to.registry, args.to.is_some()),
        secret: ask_secret(args, sight, &to, person).await?,
        unwanted: ask_unwanted(args, person).await?,
        ..FirstMirror::new(args, &from, &tags, &to)
    };
    Ok(Answered {
        mirror,
        tags: listed,
    })
}

async fn ask_from(
    args: &InitArgs,
    sight: &Sight,
    person: &mut Conversation<'_>,
) -> Result<(SourceRepository, Option<Vec<Tag>>), Error> {
    let question = Question {
        flag: "--from",
        text: "1/5 Which repository is to be mirrored? Such as docker.io/library/alpine",
        usual: None,
    };
    let look = async |from: &SourceRepository| sight.tags(from).await;
    let asked = person.ask(&question, args.from.clone(), |_| Ok(()), look);
    let (from, listed) = asked.await?;
    Ok((from, listed.flatten()))
}

async fn ask_tags(
    args: &InitArgs,
    from: &SourceRepository,
    listed: Option<&[Tag]>,
    person: &mut Conversation<'_>,
) -> Result<TagChoice, Error> {
    let usual = from.tag.clone().unwrap_or_else(Tag::latest);
    let question = Question {
        flag: "--tags",
        text: "2/5 Which of its tags? Tags and globs (3.20,3.21*), or a range of versions (>=1.26)",
        usual: Some(usual.as_str()),
    };
    let look = async |choice: &TagChoice| meant(choice, listed);
    let asked = person.ask(&question, args.tags.clone(), |_| Ok(()), look);
    Ok(asked.await?.0)
}

async fn ask_to(
    args: &InitArgs,
    sight: &Sight,
    (from, tags): (&SourceRepository, &TagChoice),
    person: &mut Conversation<'_>,
) -> Result<Prefix, Error> {
    let question = Question {
        flag: "--to",
        text: "3/5 Where to? A registry, or a path in it, such as registry.example.com/mirror",
        usual: None,
    };
    let check = |to: &Prefix| {
        let Prefix { registry, path } = to;
        if path.is_none() && registry.may_be(&from.registry) {
            return Err(format!(
                "the image would be copied onto itself: name another registry, or a path, such as {registry}/mirror"
            ));
        }
        let validated = FirstMirror::new(args, from, tags, to).validate();
        validated.map(drop).map_err(|why| why.to_string())
    };
    let look = async |to: &Prefix| sight.answers(to).await;
    let asked = person.ask(&question, args.to.clone(), check, look);
    Ok(asked.await?.0)
}

async fn ask_secret(
    args: &InitArgs,
    sight: &Sight,
    to: &Prefix,
    person: &mut Conversation<'_>,
) -> Result<Option<ObjectName>, Error> {
    let question = Question {
        flag: "--secret",
        text: "4/5 Which Secret of the cluster may push there? Nothing for what `docker login` keeps on this machine",
        usual: Some(""),
    };
    let look = async |secret: &PushSecret| match secret {
        PushSecret(Some(_)) => Ok(()),
        PushSecret(None) => sight.lets_in(to).await,
    };
    let asked = person.ask(&question, args.secret.clone(), |_| Ok(()), look);
    let (PushSecret(secret), _) = asked.await?;
    Ok(secret)
}

async fn ask_unwanted(
    args: &InitArgs,
    person: &mut Conversation<'_>,
) -> Result<UnwantedTags, Error> {
    let question = Question {
        flag: "--prune",
        text: "5/5 Tags there that are not wanted any more: keep them, plan what would be deleted, or delete them?",
        usual: Some("keep"),
    };
    let asked = person.ask(
        &question,
        args.prune,
        |_| Ok(()),
        async |_: &UnwantedTags| Ok(()),
    );
    Ok(asked.await?.0)
}

/// Whether a choice means any of the tags that are there.
fn meant(choice: &TagChoice, listed: Option<&[Tag]>) -> Result<(), String> {
    let Some(listed) = listed else { return Ok(()) };
    if listed.iter().any(|tag| choice.may_mean(tag)) {
        return Ok(());
    }
    let last = listed.iter().rev().take(BESIDE).map(Tag::as_str);
    let last: Vec<&str> = last.collect();
    if last.is_empty() {
        return Err("the repository has no tags".to_owned());
    }
    let count = units::count(listed.len(), "tag", "tags");
    let named = last.join(", ");
    let rest = match listed.len().saturating_sub(last.len()) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    Err(format!(
        "{choice} is none of its {count}: there are {named}{rest}"
    ))
}
