//! The flags of `run` and `create` about a container's life: when it is started again, how one finds out
//! whether it is well, how it is stopped.

use bollard_stubs::models::{HealthConfig, HostConfig, RestartPolicy, RestartPolicyNameEnum};
use clap::Args;

use crate::cli::failure::Failure;
use crate::moment::go_duration;

/// Flags of `run` and `create`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Its life")]
pub struct Life {
    /// Start it again when it ends: no, always, unless-stopped, on-failure[:times]
    #[arg(long, value_name = "POLICY", value_parser = restart)]
    restart: Option<RestartPolicy>,
    /// Run this in it now and then, to see whether it is well (in a shell)
    #[arg(long, value_name = "COMMAND")]
    health_cmd: Option<String>,
    /// Time between two health checks: 30s
    #[arg(long, value_name = "TIME", value_parser = time)]
    health_interval: Option<i64>,
    /// Time that a health check may take: 30s
    #[arg(long, value_name = "TIME", value_parser = time)]
    health_timeout: Option<i64>,
    /// Time after the start in which a failure doesn't count: 0s
    #[arg(long, value_name = "TIME", value_parser = time)]
    health_start_period: Option<i64>,
    /// Time between two health checks in that time: 5s
    #[arg(long, value_name = "TIME", value_parser = time)]
    health_start_interval: Option<i64>,
    /// So many failures in a row make it unhealthy: 3
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    health_retries: Option<i64>,
    /// No health check, whatever the image says
    #[arg(long)]
    no_healthcheck: bool,
    /// Signal that stops it
    #[arg(long, value_name = "SIGNAL")]
    pub(super) stop_signal: Option<String>,
    /// Seconds to wait for it to stop; -1 for ever
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub(super) stop_timeout: Option<i64>,
}

impl Life {
    /// What goes into the host configuration.
    ///
    /// # Errors
    /// `--restart` with `--rm`, in Docker's words.
    pub(super) fn apply(&self, host: &mut HostConfig) -> Result<(), Failure> {
        let wanted = self.restart.as_ref().is_some_and(|policy| policy.name != NO);
        if wanted && host.auto_remove == Some(true) {
            return Err(Failure::new("conflicting options: cannot specify both --restart and --rm").code(125));
        }
        host.restart_policy =
            Some(self.restart.clone().unwrap_or(RestartPolicy { name: NO, maximum_retry_count: Some(0) }));
        Ok(())
    }

    /// The health check, if one of these flags says anything.
    ///
    /// # Errors
    /// `--no-healthcheck` and another one.
    pub(super) fn health(&self) -> Result<Option<HealthConfig>, Failure> {
        let config = HealthConfig {
            test: self.health_cmd.clone().map(|line| vec!["CMD-SHELL".to_owned(), line]),
            interval: self.health_interval,
            timeout: self.health_timeout,
            retries: self.health_retries,
            start_period: self.health_start_period,
            start_interval: self.health_start_interval,
        };
        let given = config != HealthConfig::default();
        match (self.no_healthcheck, given) {
            (true, true) => {
                let words = "--no-healthcheck conflicts with --health-* options";
                Err(Failure::new(words).code(125))
            }
            (true, false) => {
                Ok(Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }))
            }
            (false, given) => Ok(given.then_some(config)),
        }
    }
}

const NO: Option<RestartPolicyNameEnum> = Some(RestartPolicyNameEnum::NO);

/// `on-failure:3`.
pub fn restart(text: &str) -> Result<RestartPolicy, String> {
    let (name, count) = text.split_once(':').map_or((text, None), |(name, count)| (name, Some(count)));
    if name.is_empty() && count.is_some() {
        return Err("invalid restart policy format: no policy provided before colon".to_owned());
    }
    let not_a_number = |_| "invalid restart policy format: maximum retry count must be an integer".to_owned();
    let count = count.map(str::parse::<i64>).transpose().map_err(not_a_number)?.unwrap_or(0);
    let unknown = |_| {
        format!(
            "invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or \
             'unless-stopped'"
        )
    };
    let name = if name.is_empty() { RestartPolicyNameEnum::NO } else { name.parse().map_err(unknown)? };
    Ok(RestartPolicy { name: Some(name), maximum_retry_count: Some(count) })
}

/// `1m30s`, in nanoseconds.
fn time(text: &str) -> Result<i64, String> {
    let span = if text == "0" { Some(0) } else { go_duration(text) };
    let span = span.and_then(|span| i64::try_from(span).ok());
    span.ok_or_else(|| format!("{text:?} is not a time such as 500ms, 30s or 1m30s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_a_name_and_perhaps_a_number() {
        let parts = |text| {
            restart(text)
                .map(|policy| (policy.name.unwrap().to_string(), policy.maximum_retry_count.unwrap()))
        };
        assert_eq!(parts("always"), Ok(("always".to_owned(), 0)));
        assert_eq!(parts("on-failure:3"), Ok(("on-failure".to_owned(), 3)));
        assert_eq!(parts(""), Ok(("no".to_owned(), 0)));
        for (wrong, word) in
            [("sometimes", "unknown policy"), (":3", "before colon"), ("on-failure:x", "integer")]
        {
            assert!(restart(wrong).unwrap_err().contains(word), "{wrong}");
        }
    }

    #[test]
    fn times_are_written_as_in_go() {
        assert_eq!(time("1m30s"), Ok(90_000_000_000));
        assert_eq!(time("0"), Ok(0));
        for wrong in ["", "5", "-1s", "soon"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
