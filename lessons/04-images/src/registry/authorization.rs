//! Showing who asks: what a registry wants to know is got from where it says, and kept for the next time.

use std::sync::PoisonError;

use reqwest::blocking::RequestBuilder;

use super::{ANSWER_LIMIT, Credentials, Registry, is_private};
use crate::Result;
use crate::token::{Answer, Challenge};

/// What goes with each request to the registry itself.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Authorization {
    None,
    Basic,
    Token(String),
}

impl Registry {
    /// Gets what the challenge asks for, unless another thread has while we waited.
    pub(super) fn authorize(&self, challenge: Challenge, before: &Authorization) -> Result<()> {
        let mut current = self.authorization.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != *before {
            return Ok(());
        }
        *current = match (challenge, &self.credentials) {
            (Challenge::Basic, Some(_)) => Authorization::Basic,
            (Challenge::Basic, None) => return Err(self.denied("a login is needed")),
            (Challenge::Bearer { realm, service, scope }, _) => {
                Authorization::Token(self.token(&realm, service, scope)?)
            }
        };
        Ok(())
    }

    // ANCHOR: token
    fn token(&self, realm: &str, service: Option<String>, scope: Option<String>) -> Result<String> {
        let mut url = self.parse(realm)?;
        // The password goes there: only where nobody else can read it.
        if !is_private(&url) {
            return Err(self.not_a_registry("it asks for a token from a place that is not https"));
        }
        let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.reference.repository));
        url.query_pairs_mut().extend_pairs(service.map(|service| ("service", service)));
        url.query_pairs_mut().append_pair("scope", &scope);
        let mut request = self.client(&url)?.get(url);
        if let Some(Credentials { username, password }) = &self.credentials {
            request = request.basic_auth(username, Some(password));
        }
        let answer = self.success(self.send(request)?)?;
        let answer = self.read(answer, ANSWER_LIMIT, "the token")?;
        serde_json::from_slice::<Answer>(&answer)
            .ok()
            .and_then(Answer::token)
            .ok_or_else(|| self.not_a_registry("its token service gives no token"))
    }
    // ANCHOR_END: token

    pub(super) fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match (self.authorization(), &self.credentials) {
            (Authorization::Token(token), _) => request.bearer_auth(token),
            (Authorization::Basic, Some(Credentials { username, password })) => {
                request.basic_auth(username, Some(password))
            }
            _ => request,
        }
    }

    pub(super) fn authorization(&self) -> Authorization {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
