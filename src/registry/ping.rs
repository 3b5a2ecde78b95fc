// SPDX-License-Identifier: Apache-2.0

//! Asks a registry for nothing but whether it takes a credential (distribution specification, `GET /v2/`).

use reqwest::Method;

use super::auth::Scope;
use super::cause::Cause;
use super::class::Class;
use super::connection::Connection;
use super::request::Request;

/// Whether the registry answers, and takes the credential. One that says nothing of it takes any.
pub(super) async fn ping(connection: &Connection) -> Result<(), Cause> {
    let url = connection.url(&[""]);
    let request = Request::new(Class::Lookup, Method::GET, url, Scope::nothing());
    let reply = connection.ask(&request).await?;
    if reply.status.is_success() {
        Ok(())
    } else {
        Err(reply.into_cause())
    }
}
