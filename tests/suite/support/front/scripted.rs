// SPDX-License-Identifier: Apache-2.0

//! A script between a client and the server behind a front.
//!
//! Answers stream through as they come, so that a watch works; only an answer whose head or body a
//! rule edits is read whole first. Rules about single bytes of a connection belong to servers of our
//! own, not to a proxy.

use std::io;

use axum::body::{Body, to_bytes};
use bytes::Bytes;

use super::super::http::Reply;
use super::super::http::script::{Act, Plan, Script};
use super::{Link, head_of, response_of};

impl Link {
    /// Forwards a request, or does what the script says instead.
    pub(super) async fn forward_as_scripted(
        &self,
        request: hyper::Request<Body>,
    ) -> io::Result<hyper::Response<Body>> {
        let Some(script) = self.state.additions.script.clone() else {
            return self.forward(request).await;
        };
        let mut head = head_of(&request);
        let (parts, body) = request.into_parts();
        head.body = whole(body).await?;
        let place = script.record(&head);
        script.amend(place, |entry| entry.body_length = head.body.len());
        let request = hyper::Request::from_parts(parts, Body::from(head.body.clone()));
        let response = self.act(request, script.plan(&head)).await?;
        record_answer(&script, place, &response);
        Ok(response)
    }

    async fn act(
        &self,
        request: hyper::Request<Body>,
        plan: Plan,
    ) -> io::Result<hyper::Response<Body>> {
        assert!(
            is_for_a_proxy(&plan),
            "a proxy cannot do what this rule says"
        );
        for gate in &plan.hold {
            gate.pass().await;
        }
        let response = match plan.act {
            Act::Commit | Act::Rehearse => self.forward(request).await?,
            Act::CommitThen(reply) => {
                whole(self.forward(request).await?.into_body()).await?;
                answer_or_close(reply)?
            }
            Act::Instead(reply) => answer_or_close(reply)?,
        };
        for gate in &plan.hold_reply {
            gate.pass().await;
        }
        if plan.edits.is_empty() {
            return Ok(response);
        }
        let mut reply = reply_of(response).await?;
        for edit in &plan.edits {
            edit.apply(&mut reply, false);
        }
        Ok(response_of(&reply))
    }
}

fn is_for_a_proxy(plan: &Plan) -> bool {
    let Plan {
        early,
        cut_upload,
        hold_upload,
        hold: _,
        ignore_range,
        act,
        edits: _,
        hold_reply: _,
        hold_body,
        cut_body,
        endless,
    } = plan;
    early.is_none()
        && cut_upload.is_none()
        && hold_upload.is_empty()
        && !ignore_range
        && !matches!(act, Act::Rehearse)
        && hold_body.is_none()
        && cut_body.is_none()
        && !endless
}

/// Where there is no answer, an error closes the connection.
fn answer_or_close(reply: Option<Reply>) -> io::Result<hyper::Response<Body>> {
    reply
        .map(|reply| response_of(&reply))
        .ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
}

fn record_answer(script: &Script, place: usize, response: &hyper::Response<Body>) {
    script.amend(place, |entry| {
        entry.status = Some(response.status().as_u16());
    });
}

async fn reply_of(response: hyper::Response<Body>) -> io::Result<Reply> {
    let mut reply = Reply::new(response.status().as_u16());
    for (name, value) in response.headers() {
        reply
            .headers
            .add(name.as_str(), value.to_str().unwrap_or_default());
    }
    // It is whole now, and in one piece.
    reply.headers.remove("transfer-encoding");
    Ok(reply.body(whole(response.into_body()).await?))
}

async fn whole(body: Body) -> io::Result<Bytes> {
    to_bytes(body, usize::MAX).await.map_err(io::Error::other)
}
