//! The log: lines to standard error, filtered by `SPRITE_LOG`, as text for people or JSON for machines. In JSON all fields
//! are at the top level of the line; `event` is the fixed name of what happened.

use std::fmt;
use std::io::{IsTerminal, stderr};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::{Clock, rfc3339};
use crate::config::{Config, LogFormat};
use crate::error::Fault;

/// Starts to log, panics included. To be called once per process.
pub(super) fn start(config: &Config) -> Result<(), Fault> {
    let on_terminal = stderr().is_terminal();
    let is_text = match config.log_format {
        LogFormat::Auto => on_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let filter = config
        .log
        .parse::<Targets>()
        .map_err(|cause| Fault::new("the log filter of SPRITE_LOG cannot be used", cause))?;
    let lines = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_timer(Utc)
        .with_writer(stderr)
        // A log that cannot be written must not end the program.
        .log_internal_errors(false);
    let started = if is_text {
        lines.with_ansi(on_terminal).with_target(false).finish().with(filter).try_init()
    } else {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).finish().with(filter).try_init()
    };
    started.map_err(|cause| Fault::new("the log cannot be started", cause))?;
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(event = "panic", said = %panic);
    }));
    Ok(())
}

struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, to: &mut Writer<'_>) -> fmt::Result {
        to.write_str(&rfc3339(Clock::System.now()))
    }
}
