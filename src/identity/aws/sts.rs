// SPDX-License-Identifier: Apache-2.0

//! The Security Token Service: keys of a role for a token, or for other keys.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/>

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::keys::Keys;
use super::sigv4::{Scope, Signable, sign};
use super::xml;
use crate::identity::answer::Answer;
use crate::identity::error::Error;
use crate::identity::http::{Http, Request, authority};
use crate::identity::life::{Lasting, until};
use crate::oci::clouds::Partition;
use crate::runtime::clock;

/// The version of the API.
const VERSION: &str = "2011-06-15";
/// What is asked for, as errors call it.
const ASKED: &str = "keys of a role";
/// Longest name of a session.
const SESSION_LENGTH: usize = 64;
/// The name of sessions that nobody names.
const SESSION: &str = "transship";

/// A role and the name under which it is taken.
#[derive(Clone, Debug)]
pub(super) struct Role {
    arn: String,
    session: String,
}

// === impl Role ===

impl Role {
    /// A role of this partition: those of others know nothing of it.
    pub(super) fn parse(
        arn: &str,
        session: Option<&str>,
        partition: Partition,
    ) -> Result<Self, Error> {
        let mut parts = arn.split(':');
        let begins = parts.next() == Some("arn");
        let of = parts.next();
        let is_role = begins
            && parts.next() == Some("iam")
            && arn.contains(":role/")
            && arn.len() <= 2048
            && arn.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_role {
            return Err(Error::Wrong(format!(
                "{:?} is not the ARN of a role, such as arn:aws:iam::123456789012:role/mirror",
                arn.chars().take(100).collect::<String>()
            )));
        }
        if of != Some(partition.name()) {
            return Err(Error::Wrong(format!(
                "the role {arn} is of another partition than the registry, which is of {}",
                partition.name()
            )));
        }
        Ok(Self {
            arn: arn.to_owned(),
            session: session_name(session),
        })
    }
}

/// A name of the characters that are allowed.
fn session_name(text: Option<&str>) -> String {
    let is_allowed =
        |character: &char| character.is_ascii_alphanumeric() || "_=,.@-".contains(*character);
    let name: String = text
        .unwrap_or(SESSION)
        .chars()
        .filter(is_allowed)
        .take(SESSION_LENGTH)
        .collect();
    if name.len() < 2 {
        SESSION.to_owned()
    } else {
        name
    }
}

/// Keys of a role for a token of an issuer that the role trusts.
pub(super) async fn assume_with_token(
    http: &Http,
    server: Url,
    role: &Role,
    token: &SecretString,
) -> Result<Lasting<Keys>, Error> {
    let fields = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", VERSION),
        ("RoleArn", &role.arn),
        ("RoleSessionName", &role.session),
        ("WebIdentityToken", token.expose_secret()),
    ];
    let request = Request::form(server, ASKED, &fields).hide(token);
    keys(&http.send(request).await?)
}

/// Keys of a role for keys that may take it.
pub(super) async fn assume(
    http: &Http,
    server: Url,
    role: &Role,
    keys_before: &Keys,
    region: &str,
) -> Result<Lasting<Keys>, Error> {
    let fields = [
        ("Action", "AssumeRole"),
        ("Version", VERSION),
        ("RoleArn", &role.arn),
        ("RoleSessionName", &role.session),
    ];
    let mut request = Request::form(server, ASKED, &fields).hide(&keys_before.secret);
    let signable = Signable {
        method: "POST",
        host: &authority(&request.url),
        path: request.url.path(),
        query: "",
        headers: &request.headers,
        body: request.body.expose_secret(),
    };
    let scope = Scope {
        region,
        service: "sts",
    };
    let signed = sign(&signable, scope, keys_before, clock::now());
    request.headers.extend(signed);
    keys(&http.send(request).await?)
}

fn keys(answer: &Answer) -> Result<Lasting<Keys>, Error> {
    if !answer.status.is_success() {
        return Err(answer.refusal(said(answer.text()).as_deref()));
    }
    let credentials = xml::inner(answer.text(), "Credentials");
    let credentials = credentials.ok_or_else(|| answer.wrong("it has no Credentials"))?;
    let field = |name| {
        xml::text(credentials, name).ok_or_else(|| answer.wrong(format!("it has no {name}")))
    };
    let keys = Keys {
        id: field("AccessKeyId")?.expose_secret().to_owned(),
        secret: field("SecretAccessKey")?,
        token: Some(field("SessionToken")?),
    };
    let end = field("Expiration")?;
    Ok(Lasting {
        value: keys,
        life: life(answer, end.expose_secret())?,
    })
}

/// How long keys are good that end at this time.
pub(super) fn life(answer: &Answer, end: &str) -> Result<std::time::Duration, Error> {
    let time: Timestamp = end
        .parse()
        .map_err(|_| answer.wrong("its Expiration is no time"))?;
    until(time).ok_or_else(|| {
        answer.wrong(format!(
            "it ended at {time:.0}: is the clock of this machine right?"
        ))
    })
}

/// Code and message of an error.
fn said(text: &str) -> Option<String> {
    let part = |name| Some(xml::text(text, name)?.expose_secret().to_owned());
    let code = part("Code")?;
    Some(match part("Message") {
        Some(message) => format!("{code}: {message}"),
        None => code,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_their_sessions() {
        let arn = "arn:aws:iam::123456789012:role/team/mirror";
        let role = Role::parse(arn, Some("team.mirror/é 1"), Partition::Aws).unwrap();
        assert_eq!(role.session, "team.mirror1");
        assert_eq!(session_name(Some("é")), "transship");
        assert_eq!(session_name(Some(&"a".repeat(100))).len(), 64);
        let wrong = |arn, partition| Role::parse(arn, None, partition).unwrap_err().to_string();
        assert_eq!(
            wrong(arn, Partition::China),
            "the role arn:aws:iam::123456789012:role/team/mirror is of another partition than the registry, which is of aws-cn"
        );
        for arn in [
            "mirror",
            "arn:aws:iam::123456789012:user/a",
            "arn:aws:sts::1:role/a",
            "",
        ] {
            assert!(
                wrong(arn, Partition::Aws).contains("is not the ARN of a role"),
                "{arn}"
            );
        }
    }

    #[test]
    fn errors_are_told_with_their_code() {
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                   <Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>";
        assert_eq!(
            said(xml).unwrap(),
            "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
        );
        assert_eq!(said("<html>"), None);
    }
}
