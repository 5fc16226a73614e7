//! The flags that say which engine is meant, before the command.

use std::path::PathBuf;

use clap::Args;

use crate::client::Wish;

/// The same names as Docker's.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// Engine to talk to: unix:///path, tcp://host:port, ssh://user@host (also CANOA_HOST)
    #[arg(short = 'H', long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Where Docker's contexts and certificates are (also DOCKER_CONFIG)
    #[arg(long, value_name = "FOLDER")]
    config: Option<PathBuf>,
    /// One of Docker's contexts, by name
    #[arg(short, long, value_name = "NAME")]
    context: Option<String>,
    /// TLS, whoever it is that answers
    #[arg(long)]
    tls: bool,
    /// TLS, with an engine that the authority vouches for (also CANOA_TLS_VERIFY=1)
    #[arg(long)]
    tlsverify: bool,
    /// The authority's certificate; without it ca.pem in CANOA_CERT_PATH or ~/.docker
    #[arg(long, value_name = "FILE")]
    tlscacert: Option<PathBuf>,
    /// Your certificate; without it cert.pem in the same folder
    #[arg(long, value_name = "FILE")]
    tlscert: Option<PathBuf>,
    /// Its key; without it key.pem in the same folder
    #[arg(long, value_name = "FILE")]
    tlskey: Option<PathBuf>,
    // Docker's, for scripts that have them: our client says all it has to say without them.
    /// Say more
    #[arg(short = 'D', long, hide = true)]
    debug: bool,
    /// How much to say: debug, info, warn, error, fatal
    #[arg(short, long, hide = true, value_name = "LEVEL",
          value_parser = ["debug", "info", "warn", "error", "fatal", "panic", "trace"])]
    log_level: Option<String>,
}

impl From<Flags> for Wish {
    fn from(flags: Flags) -> Wish {
        Wish {
            host: flags.host,
            context: flags.context,
            config: flags.config,
            tls: flags.tls,
            verify: flags.tlsverify,
            authority: flags.tlscacert,
            certificate: flags.tlscert,
            key: flags.tlskey,
        }
    }
}
