//! The JSON API as a program uses it.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::http::{self, Answer};

/// A signed-in client of `/api/v1`.
#[derive(Debug, Clone)]
pub struct Api {
    /// Where the appliance is.
    pub address: SocketAddr,
    authorization: String,
}

impl Api {
    /// Signs in.
    pub fn sign_in(address: SocketAddr, username: &str, password: &str) -> Result<Self> {
        let answer = sign_in(address, username, password)?;
        let session = answer.expect(200)?.json()?;
        let token = session["token"].as_str().context("no token in the session")?;
        Ok(Self::with_token(address, token))
    }

    /// A client with a token, good or bad.
    pub fn with_token(address: SocketAddr, token: &str) -> Self {
        Self { address, authorization: format!("Bearer {token}") }
    }

    /// The token it sends.
    pub fn token(&self) -> &str {
        self.authorization.trim_start_matches("Bearer ")
    }

    /// Sends a request below `/api/v1`.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer> {
        let own = [("Authorization", self.authorization.as_str())];
        let headers = [&own[..], headers].concat();
        http::send(self.address, method, &format!("/api/v1{path}"), &headers, body)
    }

    /// `GET`, expecting 200.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.send("GET", path, &[], &[])?.expect(200)?.json()
    }

    /// `GET` of a list: its first 200 items.
    pub fn list(&self, path: &str) -> Result<Vec<Value>> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let page = self.get(&format!("{path}{joint}limit=200"))?;
        page["items"].as_array().cloned().with_context(|| format!("{path}: no items in {page}"))
    }

    /// `POST` of JSON, whatever the answer.
    pub fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let json = [("Content-Type", "application/json")];
        self.send("POST", path, &json, body.to_string().as_bytes())
    }

    /// `POST` of JSON that must be done (status 200 to 299).
    pub fn done(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.post(path, body)?;
        anyhow::ensure!(
            (200..300).contains(&answer.status),
            "POST {path} {body}: {} {}",
            answer.status,
            answer.text()
        );
        answer.json()
    }
}

/// Asks for a session, whatever the answer.
pub fn sign_in(address: SocketAddr, username: &str, password: &str) -> Result<Answer> {
    let body = json!({ "username": username, "password": password }).to_string();
    let headers = [("Content-Type", "application/json")];
    http::send(address, "POST", "/api/v1/session", &headers, body.as_bytes())
}
