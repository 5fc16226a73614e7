//! What a registry says of its errors.

use std::io::Read;

use reqwest::blocking::Response;
use serde::Deserialize;

use super::ANSWER_LIMIT;
use crate::error::clean;

/// The registry's own words, fit for a terminal: `{"errors":[{"code":…,"message":…}]}`.
pub(super) fn said(response: Response) -> String {
    #[derive(Deserialize, Default)]
    struct Said {
        #[serde(default)]
        errors: Vec<Message>,
        details: Option<String>,
    }
    #[derive(Deserialize)]
    struct Message {
        #[serde(default)]
        message: String,
    }
    let mut bytes = Vec::new();
    let _ = response.take(ANSWER_LIMIT).read_to_end(&mut bytes);
    let said: Said = serde_json::from_slice(&bytes).unwrap_or_default();
    let first = said.errors.into_iter().map(|error| error.message).find(|message| !message.is_empty());
    clean(first.or(said.details).unwrap_or_default())
}
