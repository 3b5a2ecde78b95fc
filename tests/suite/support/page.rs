// SPDX-License-Identifier: Apache-2.0

//! The page for people, as a browser gets it.

use std::net::SocketAddr;

use regex::Regex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The page of a process.
pub struct Page(SocketAddr);

/// What a browser gets.
pub struct Seen {
    /// The status.
    pub status: u16,
    /// The header fields, in lower case.
    fields: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Page {
    /// The page that is served there.
    pub fn at(address: &str) -> Self {
        Self(address.parse().expect("an address"))
    }

    /// Where it is served.
    pub fn address(&self) -> SocketAddr {
        self.0
    }

    /// A request of these lines, the last ones being header fields.
    pub async fn ask(&self, lines: &[&str]) -> Seen {
        let mut stream = TcpStream::connect(self.0).await.expect("a connection");
        let request = format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"));
        stream.write_all(request.as_bytes()).await.expect("a peer");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let fields = lines.map(|line| line.split_once(": ").expect("a field"));
        Seen {
            status: status.expect("a status").parse().expect("a number"),
            fields: fields
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    /// What is at a path.
    pub async fn get(&self, path: &str) -> Seen {
        self.ask(&[&format!("GET {path} HTTP/1.1"), "Host: localhost"])
            .await
    }
}

impl Seen {
    /// A header field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find_map(|(found, value)| (found == name).then_some(value.as_str()))
    }

    /// What people read, without markup.
    pub fn text(&self) -> String {
        read(&self.body)
    }
}

/// What people read of a page, without markup.
pub fn read(page: &str) -> String {
    let main = page.split_once("<main>").expect("a main part").1;
    let main = main.split_once("</main>").expect("an end of it").0;
    let tags = Regex::new("<[^>]*>").expect("an expression");
    let text = tags.replace_all(main, " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
