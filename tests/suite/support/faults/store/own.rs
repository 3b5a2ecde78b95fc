// SPDX-License-Identifier: Apache-2.0

//! The APIs that registries have besides the distribution specification, told by the host that is asked: Docker Hub's,
//! GitHub's packages, Azure's tags, and the lists of Quay, Harbor and GitLab.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::super::credentials::Login;
use super::super::super::http::{Reply, Request};
use super::Store;

/// What Docker Hub gives for a login.
pub(in super::super) const HUB_TOKEN: &str = "hub-canary";

impl Store {
    /// What such an API answers; nothing where the request is for the registry.
    pub(super) fn own(&mut self, request: &Request) -> Option<Reply> {
        let host = request.headers.value("host").unwrap_or_default().to_owned();
        let path = request.path.trim_matches('/').to_owned();
        let parts: Vec<String> = path.split('/').map(decode).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (host.as_str(), &parts[..]) {
            ("hub.docker.com", _) => Some(self.hub(request, &parts)),
            ("api.github.com", _) => Some(self.github(request, &parts)),
            (_, ["acr", "v1", name @ .., "_tags", tag]) => {
                Some(self.acr(request, &name.join("/"), tag))
            }
            (_, ["api", "v1", "repository"]) => Some(self.quay(request)),
            (_, ["api", "v2.0", "projects", project, "repositories"]) => {
                Some(self.harbor(request, project))
            }
            (_, ["api", "v4", "groups", group, "registry", "repositories"]) => {
                Some(self.gitlab(request, group))
            }
            _ => None,
        }
    }

    fn hub(&mut self, request: &Request, parts: &[&str]) -> Reply {
        let bearer = format!("Bearer {HUB_TOKEN}");
        let is_known = request.headers.value("authorization") == Some(&bearer);
        match (request.method.as_str(), parts) {
            ("POST", ["v2", "auth", "token"]) => {
                let Login { username, password } = Login::valid();
                let wanted = json!({"identifier": username, "secret": password});
                match serde_json::from_slice::<Value>(&request.body) {
                    Ok(given) if given == wanted => {
                        Reply::json(200, &json!({"access_token": HUB_TOKEN}))
                    }
                    _ => Reply::json(
                        401,
                        &json!({"detail": "Incorrect authentication credentials"}),
                    ),
                }
            }
            ("DELETE", ["v2", "repositories", namespace, name, "tags", tag]) => {
                if !is_known {
                    return Reply::json(401, &json!({"message": "unauthorized"}));
                }
                self.drop_tag(&format!("{namespace}/{name}"), tag, 204)
            }
            ("GET", ["v2", "namespaces", namespace, "repositories"]) => {
                let (names, next) = self.page_of(namespace, request, "page");
                let results: Vec<Value> = names
                    .iter()
                    .filter_map(|name| name.split_once('/'))
                    .map(|(namespace, name)| json!({"namespace": namespace, "name": name, "pull_count": 7}))
                    .collect();
                // The host is another one on purpose: nobody is to follow it there.
                let next =
                    next.map(|next| format!("https://evil.test/x?page_size=100&page={next}"));
                Reply::json(200, &json!({"count": 0, "next": next, "results": results}))
            }
            _ => Reply::json(404, &json!({"message": "object not found"})),
        }
    }

    fn github(&mut self, request: &Request, parts: &[&str]) -> Reply {
        let bearer = format!("Bearer {}", Login::valid().password);
        if request.headers.value("authorization") != Some(&bearer) {
            return Reply::json(401, &json!({"message": "Bad credentials"}));
        }
        match (request.method.as_str(), parts) {
            ("GET", ["users", "octocat"]) => Reply::json(200, &json!({"type": "User"})),
            ("GET", ["users", _]) => Reply::json(200, &json!({"type": "Organization"})),
            ("GET", [_, owner, "packages"]) => {
                let (names, next) = self.page_of(owner, request, "page");
                let packages: Vec<Value> = names
                    .iter()
                    .filter_map(|name| name.split_once('/'))
                    .map(|(_, name)| json!({"name": name, "package_type": "container"}))
                    .collect();
                linked(Reply::json(200, &json!(packages)), next)
            }
            ("GET", [_, owner, "packages", "container", package, "versions"]) => {
                let repository = format!("{owner}/{package}");
                let versions = self.versions(&repository);
                let page = number(request, "page").max(1);
                let size = self.abilities.page_size;
                let listed: Vec<&Value> =
                    versions.iter().skip((page - 1) * size).take(size).collect();
                let next = (page * size < versions.len()).then_some(page + 1);
                linked(Reply::json(200, &json!(listed)), next)
            }
            (method, [_, owner, "packages", "container", package, "versions", id]) => {
                let repository = format!("{owner}/{package}");
                let versions = self.versions(&repository);
                let version = versions
                    .into_iter()
                    .find(|one| one["id"].as_u64() == id.parse().ok());
                let Some(version) = version else {
                    return Reply::json(404, &json!({"message": "Not Found"}));
                };
                if method == "GET" {
                    return Reply::json(200, &version);
                }
                let digest = version["name"].as_str().unwrap_or_default();
                let found = self.repository(&repository);
                found.tags.retain(|_, named| named != digest);
                found.manifests.remove(digest);
                Reply::new(204)
            }
            _ => Reply::json(404, &json!({"message": "Not Found"})),
        }
    }

    fn versions(&self, repository: &str) -> Vec<Value> {
        let Some(found) = self.repositories.get(repository) else {
            return Vec::new();
        };
        let mut digests: Vec<&String> = found.manifests.keys().collect();
        digests.sort();
        let version = |digest: &&String| {
            let tags = found.tags.iter();
            let tags: Vec<&String> = tags
                .filter(|(_, named)| named == digest)
                .map(|(tag, _)| tag)
                .collect();
            let hex = digest.rsplit(':').next().unwrap_or_default();
            let id = u32::from_str_radix(&hex[..8], 16).unwrap_or_default();
            json!({
                "id": id,
                "name": digest,
                "metadata": {"package_type": "container", "container": {"tags": tags}},
            })
        };
        digests.iter().map(version).collect()
    }

    fn acr(&mut self, request: &Request, repository: &str, tag: &str) -> Reply {
        if request.method != "DELETE" {
            return Reply::new(405);
        }
        self.drop_tag(repository, tag, 202)
    }

    fn quay(&self, request: &Request) -> Reply {
        let namespace = request.parameter("namespace").unwrap_or_default();
        let (names, next) = self.page_of(&namespace, request, "next_page");
        let repositories: Vec<Value> = names
            .iter()
            .filter_map(|name| name.split_once('/'))
            .map(|(namespace, name)| json!({"namespace": namespace, "name": name}))
            .collect();
        let next = next.map(|next| next.to_string());
        Reply::json(
            200,
            &json!({"repositories": repositories, "next_page": next}),
        )
    }

    fn harbor(&self, request: &Request, project: &str) -> Reply {
        let Login { username, password } = Login::valid();
        let basic = format!(
            "Basic {}",
            STANDARD.encode(format!("{username}:{password}"))
        );
        if request.headers.value("authorization") != Some(&basic) {
            return Reply::error(401, "UNAUTHORIZED", "unauthorized");
        }
        let (names, next) = self.page_of(project, request, "page");
        let listed: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        linked(Reply::json(200, &json!(listed)), next)
    }

    fn gitlab(&self, request: &Request, group: &str) -> Reply {
        let bearer = format!("Bearer {}", Login::valid().password);
        if request.headers.value("authorization") != Some(&bearer) {
            return Reply::json(401, &json!({"message": "401 Unauthorized"}));
        }
        let (names, next) = self.page_of(group, request, "page");
        let listed: Vec<Value> = names
            .iter()
            .map(|name| json!({"id": 1, "path": name}))
            .collect();
        linked(Reply::json(200, &json!(listed)), next)
    }

    /// A page of the repositories of a namespace, and the number of the next one.
    fn page_of(
        &self,
        namespace: &str,
        request: &Request,
        parameter: &str,
    ) -> (Vec<String>, Option<usize>) {
        let begins = format!("{namespace}/");
        let names = self.repositories.keys();
        let names: Vec<String> = names
            .filter(|name| name.starts_with(&begins))
            .cloned()
            .collect();
        let (page, size) = (number(request, parameter).max(1), self.abilities.page_size);
        let next = (page * size < names.len()).then_some(page + 1);
        let listed = names.into_iter().skip((page - 1) * size).take(size);
        (listed.collect(), next)
    }

    fn drop_tag(&mut self, repository: &str, tag: &str, done: u16) -> Reply {
        let found = self.repositories.get_mut(repository);
        match found.and_then(|found| found.tags.remove(tag)) {
            Some(_) => Reply::new(done),
            None => Reply::json(404, &json!({"message": "not found"})),
        }
    }
}

fn linked(reply: Reply, next: Option<usize>) -> Reply {
    match next {
        Some(next) => reply.header(
            "link",
            &format!("</x?per_page=100&page={next}>; rel=\"next\""),
        ),
        None => reply,
    }
}

fn number(request: &Request, name: &str) -> usize {
    request
        .parameter(name)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}

fn decode(part: &str) -> String {
    part.replace("%2F", "/").replace("%2f", "/")
}
