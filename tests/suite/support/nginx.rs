// SPDX-License-Identifier: Apache-2.0

//! A real nginx in front of a server, with a limit of requests.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use tempfile::TempDir;

use super::access_log::{HARNESS_AGENT, LogFile, Request};
use super::client::{Access, Client};
use super::process::Daemon;
use super::tools;

/// Where it listens: nobody else takes ports of this address of the machine.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);

/// Is answered without the server behind and without a limit.
const SENTINEL: &str = "/sentinel";

/// How many requests it lets through (`ngx_http_limit_req_module`). It never says how long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Requests a second.
    pub rate: u32,
    /// So many more at once.
    pub burst: u32,
    /// Whether those are held back until the rate allows them, rather than let through at once.
    pub delays: bool,
    /// What the others are answered.
    pub status: u16,
}

/// A running nginx. It ends when dropped.
pub struct Nginx {
    address: SocketAddr,
    log: LogFile,
    _daemon: Daemon,
    _directory: TempDir,
    /// Keeps the port for us: nginx cannot say which one it was given.
    _reserved: TcpListener,
}

impl Nginx {
    /// Puts it in front of a server that speaks plain HTTP.
    pub async fn limiting(server: SocketAddr, limit: Limit) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("nginx-")
            .tempdir()
            .expect("a directory");
        let reserved = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = reserved.local_addr().expect("a bound socket").port();
        let address = SocketAddr::from((ADDRESS, port));
        let file = directory.path().join("nginx.conf");
        fs::write(
            &file,
            configuration(directory.path(), address, server, limit),
        )
        .expect("a file");
        let file = file.to_str().expect("a UTF-8 path");
        let arguments = ["-c", file, "-e", "stderr"];
        let mut daemon = Daemon::spawn(&tools::packaged("nginx"), &arguments, directory.path());
        // It listens before it says this.
        daemon
            .wait_for(|line| line.contains("event method").then_some(()))
            .await;
        Self {
            address,
            log: LogFile::new(directory.path().join("access.log")),
            _daemon: daemon,
            _directory: directory,
            _reserved: reserved,
        }
    }

    /// `ADDRESS:PORT`, as it stands in a reference.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The requests that it answered, without the harness's own. Complete: it does one thing after the
    /// other, and writes what it did before it does the next.
    pub async fn requests(&self) -> Vec<Request> {
        let access = Access {
            url: format!("http://{}", self.address),
            ca_pem: None,
            login: None,
        };
        Client::new(access)
            .send_once("GET", SENTINEL)
            .await
            .expect("an nginx that answers");
        let mut requests = self.log.requests();
        requests.retain(|request| request.user_agent != HARNESS_AGENT);
        requests
    }
}

fn configuration(
    directory: &Path,
    address: SocketAddr,
    server: SocketAddr,
    limit: Limit,
) -> String {
    let directory = directory.to_str().expect("a UTF-8 path");
    let Limit {
        rate,
        burst,
        delays,
        status,
    } = limit;
    let at_once = if delays { "" } else { " nodelay" };
    format!(
        "daemon off;
master_process off;
pid {directory}/pid;
error_log stderr notice;
events {{ worker_connections 1024; }}
http {{
  access_log {directory}/access.log combined;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  scgi_temp_path {directory}/scgi;
  uwsgi_temp_path {directory}/uwsgi;
  client_max_body_size 0;
  limit_req_zone $server_addr zone=all:1m rate={rate}r/s;
  limit_req_status {status};
  server {{
    listen {address};
    location = {SENTINEL} {{ return 204; }}
    location / {{
      limit_req zone=all burst={burst}{at_once};
      proxy_pass http://{server};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection '';
      proxy_request_buffering off;
      proxy_buffering off;
    }}
  }}
}}
"
    )
}
