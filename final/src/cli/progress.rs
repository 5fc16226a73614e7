//! The progress of a pull: a bar for each layer on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::{self, IsTerminal};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;

use super::failure::Failure;
use super::output;
use super::pull::Where;

/// One object of the stream (Docker Engine API, "Create an image").
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    status: Option<String>,
    id: Option<String>,
    #[serde(rename = "progressDetail")]
    detail: Option<Detail>,
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    current: Option<u64>,
    total: Option<u64>,
}

/// Reads the stream of objects and shows them.
pub struct Progress {
    place: Where,
    /// An object whose end has not come yet.
    rest: Vec<u8>,
    /// On a terminal only.
    bars: Option<MultiProgress>,
    layers: HashMap<String, ProgressBar>,
}

/// An object longer than this is not one of progress.
const LONGEST: usize = 1 << 20;

impl Progress {
    /// Progress that will be shown there.
    pub fn new(place: Where) -> Progress {
        let bars = match place {
            Where::Output if io::stdout().is_terminal() => Some(ProgressDrawTarget::stdout()),
            Where::Errors if io::stderr().is_terminal() => Some(ProgressDrawTarget::stderr()),
            _ => None,
        };
        let bars = bars.map(MultiProgress::with_draw_target);
        Progress { place, rest: Vec::new(), bars, layers: HashMap::new() }
    }

    /// Takes bytes of the stream, in whatever pieces they come.
    ///
    /// # Errors
    /// The one that the stream tells of.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.line(&line)?;
        }
        if self.rest.len() > LONGEST {
            return Err(Failure::new("the engine's progress is not one JSON object a line"));
        }
        Ok(())
    }

    /// The end of the stream.
    ///
    /// # Errors
    /// As [`Progress::feed`].
    pub fn finish(mut self) -> Result<(), Failure> {
        let line = std::mem::take(&mut self.rest);
        self.line(&line)
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let event: Event = serde_json::from_slice(line)
            .map_err(|error| Failure::new(format!("reading the engine's progress: {error}")))?;
        if let Some(error) = event.error {
            return Err(Failure::new(error));
        }
        self.show(&event)
    }

    fn show(&mut self, event: &Event) -> Result<(), Failure> {
        let status = event.status.as_deref().unwrap_or_default().trim_end();
        if self.place == Where::Nowhere || status.is_empty() {
            return Ok(());
        }
        let detail = event.detail.as_ref().map(|detail| (detail.current, detail.total));
        if let (Some(bars), Some(id)) = (&self.bars, &event.id) {
            // "latest: Pulling from library/debian" is no layer.
            if status.starts_with("Pulling from") {
                let _ = bars.println(format!("{id}: {status}"));
                return Ok(());
            }
            let bar = self.layers.entry(id.clone()).or_insert_with(|| bars.add(bar(id)));
            bar.set_message(status.to_owned());
            if let Some((Some(current), total)) = detail {
                bar.set_style(style("{prefix}: {msg:13} [{bar:40}] {decimal_bytes}/{decimal_total_bytes}"));
                bar.set_length(total.unwrap_or(current).max(1));
                bar.set_position(current);
            } else {
                bar.set_style(style("{prefix}: {msg}"));
            }
            if matches!(status, "Pull complete" | "Already exists") {
                bar.abandon();
            }
            return Ok(());
        }
        if matches!(detail, Some((Some(_), _))) {
            return Ok(()); // without a terminal only what is new, not how far it is
        }
        if !self.layers.is_empty() {
            // The layers are done; what follows belongs below them.
            self.layers.values().for_each(ProgressBar::abandon);
            (self.bars, self.layers) = (None, HashMap::new());
        }
        let text = match &event.id {
            Some(id) => format!("{id}: {status}"),
            None => status.to_owned(),
        };
        match (&self.bars, self.place) {
            (Some(bars), _) => Ok(bars.println(text)?),
            (None, Where::Output) => output::line(&text),
            _ => {
                output::note(&text);
                Ok(())
            }
        }
    }
}

fn bar(id: &str) -> ProgressBar {
    ProgressBar::new(1).with_style(style("{prefix}: {msg}")).with_prefix(id.to_owned())
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_the_stream_is_an_error_wherever_it_is_cut() {
        let wire = b"{\"status\":\"Pulling\",\"id\":\"ab\"}\r\n{\"errorDetail\":{\"message\":\"no space\"},\"error\":\"no space\"}";
        for at in 0..wire.len() {
            let mut progress = Progress::new(Where::Nowhere);
            let fed = progress.feed(&wire[..at]).and_then(|()| progress.feed(&wire[at..]));
            let failure = fed.and_then(|()| progress.finish()).unwrap_err();
            assert!(matches!(failure, Failure::Said { message, .. } if message == "no space"));
        }
    }
}
