// SPDX-License-Identifier: Apache-2.0

//! Azure Container Registry: `DELETE /acr/v1/{name}/_tags/{reference}`, answered with 202, and with 404 where there is
//! no such tag (Azure's `containerregistry.json`, operation `ContainerRegistry_DeleteTag`, API version 2021-07-01). Its
//! token is for `repository:NAME:delete`, and its challenge says so.

use reqwest::Method;

use crate::oci::{Repository, Tag};
use crate::registry::auth::Scope;
use crate::registry::class::Class;
use crate::registry::connection::Connection;
use crate::registry::request::Request;

/// The request that deletes a tag.
pub(in crate::registry) fn request(
    connection: &Connection,
    repository: &Repository,
    tag: &Tag,
) -> Request {
    let mut url = connection.base.clone();
    url.set_path(&format!("/acr/v1/{repository}/_tags/{tag}"));
    let scope = Scope::of(repository, "delete");
    Request::new(Class::ManifestDelete, Method::DELETE, url, scope)
}
